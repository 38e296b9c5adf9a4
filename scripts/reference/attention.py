"""Attention over heads, grouped or not, with TransformerLens's hook points.

    q, k, v = input W + b                                  hook_q, hook_k, hook_v (before QK norm and rotation)
    q, k    = RMSNorm per head                             q_norm.hook_scale, q_norm.hook_normalized, k_norm likewise
    q, k    = rotated                                      hook_rot_q, hook_rot_k
    scores  = q.k / attn_scale; cap * tanh(scores / cap); masked = -inf            hook_attn_scores
    pattern = softmax(scores), 0 in a row without any visible key                  hook_pattern
    z       = pattern v                                                            hook_z
    result  = z W_O per head; the output is the sum over heads plus b_O            hook_result
"""

import torch
from torch import nn

from .norms import Norm
from .rotary import rotate


def visible_keys(config, layer, attention_mask):
    """Returns the boolean [batch, 1, query, key]: causal, inside the window (0 <= q - k < window), not padding."""
    batch, length = attention_mask.shape
    slot = torch.arange(length)
    distance = slot[:, None] - slot[None, :]
    visible = torch.ones(length, length, dtype=torch.bool)
    if not config.bidirectional:
        visible &= distance >= 0
    if config.windows[layer] is not None:
        visible &= distance < config.windows[layer]
    return visible & attention_mask.bool()[:, None, None, :]


def project(x, weight, bias):
    """Returns [batch, pos, head, d_head] from x [batch, pos, head or 1, d_model] and weight [head, d_model, d_head]."""
    return torch.einsum("bphd,hde->bphe", x.expand(-1, -1, len(weight), -1), weight) + bias


class Attention(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.config, self.layer = config, layer
        h, g, D, H = config.n_heads, config.n_kv_heads, config.d_model, config.d_head
        self.W_Q, self.b_Q = nn.Parameter(torch.zeros(h, D, H)), nn.Parameter(torch.zeros(h, H))
        self.W_K, self.b_K = nn.Parameter(torch.zeros(g, D, H)), nn.Parameter(torch.zeros(g, H))
        self.W_V, self.b_V = nn.Parameter(torch.zeros(g, D, H)), nn.Parameter(torch.zeros(g, H))
        self.W_O, self.b_O = nn.Parameter(torch.zeros(h, H, D)), nn.Parameter(torch.zeros(D))
        if config.qk_norm:
            self.q_norm = Norm("RMS", H, config.eps)
            self.k_norm = Norm("RMS", H, config.eps)

    def forward(self, query, key, value, positions, attention_mask, hooks):
        """Returns [batch, pos, d_model]; inputs are [batch, pos, head, d_model], or with one shared "head"."""
        config, name = self.config, f"blocks.{self.layer}.attn"
        q = hooks(f"{name}.hook_q", project(query, self.W_Q, self.b_Q))
        k = hooks(f"{name}.hook_k", project(key, self.W_K, self.b_K))
        v = hooks(f"{name}.hook_v", project(value, self.W_V, self.b_V))
        if config.qk_norm:
            q = self.q_norm(q, hooks, f"{name}.q_norm")
            k = self.k_norm(k, hooks, f"{name}.k_norm")
        if config.positions == "rotary":
            q = hooks(f"{name}.hook_rot_q", rotate(q, positions, config))
            k = hooks(f"{name}.hook_rot_k", rotate(k, positions, config))

        group = config.n_heads // config.n_kv_heads
        k, v = k.repeat_interleave(group, dim=2), v.repeat_interleave(group, dim=2)
        scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / config.attn_scale
        if config.attn_soft_cap is not None:
            scores = config.attn_soft_cap * torch.tanh(scores / config.attn_soft_cap)
        visible = visible_keys(config, self.layer, attention_mask)
        scores = hooks(f"{name}.hook_attn_scores", scores.masked_fill(~visible, float("-inf")))
        pattern = torch.softmax(scores, dim=-1)
        pattern = hooks(f"{name}.hook_pattern", torch.where(pattern.isnan(), torch.zeros_like(pattern), pattern))
        z = hooks(f"{name}.hook_z", torch.einsum("bhqk,bkhe->bqhe", pattern, v))
        result = hooks(f"{name}.hook_result", torch.einsum("bphe,hed->bphd", z, self.W_O))
        return result.sum(dim=2) + self.b_O
