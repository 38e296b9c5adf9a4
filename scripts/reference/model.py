"""The transformer: embedding, blocks, final norm, unembedding. Parameters carry TransformerLens's names."""

import torch
from torch import nn

from .attention import Attention
from .hooks import Hooks, silent
from .mlp import Mlp
from .norms import Norm


class Block(nn.Module):
    """One layer. Attention and MLP follow each other, or both read `resid_pre` (parallel), or there is no MLP."""

    def __init__(self, config, layer):
        super().__init__()
        self.config, self.name = config, f"blocks.{layer}"
        self.ln1 = Norm(config.norm, config.d_model, config.eps, config.gain_offset)
        self.attn = Attention(config, layer)
        if config.post_norms:
            self.ln1_post = Norm(config.norm, config.d_model, config.eps, config.gain_offset)
            self.ln2_post = Norm(config.norm, config.d_model, config.eps, config.gain_offset)
        if not config.attn_only:
            self.ln2 = Norm(config.norm, config.d_model, config.eps, config.gain_offset)
            self.mlp = Mlp(config, layer)

    def attention_inputs(self, resid_pre, hooks):
        """Returns the three normalised inputs of attention, [batch, pos, head or 1, d_model].

        Each head may have its own copy of the stream (`hook_attn_in`, then `hook_q_input` and so on), taken before the
        norm, which then works on every copy. The norm's own hook points show the shared value, so the
        copies are followed only when one of them was edited; otherwise they all equal the shared value.
        """
        names = [f"{self.name}.hook_{point}" for point in ("attn_in", "q_input", "k_input", "v_input")]
        h, g = self.config.n_heads, self.config.n_kv_heads
        shared = resid_pre[:, :, None, :]
        if h == g:  # refused for grouped heads, whose queries and keys differ in number
            shared = hooks(names[0], shared.repeat(1, 1, h, 1))
        copies = [
            hooks(name, shared if h == g else shared.repeat(1, 1, n, 1)) for name, n in zip(names[1:], (h, g, g))
        ]
        normalized = self.ln1(resid_pre, hooks, f"{self.name}.ln1")
        if hooks.is_edited(*names):
            return [self.ln1(copy, silent, "") for copy in copies]
        return [normalized[:, :, None, :]] * 3

    def forward(self, resid_pre, positions, attention_mask, hooks):
        config, name = self.config, self.name
        resid_pre = hooks(f"{name}.hook_resid_pre", resid_pre)
        attn_out = self.attn(*self.attention_inputs(resid_pre, hooks), positions, attention_mask, hooks)
        if config.post_norms:
            attn_out = self.ln1_post(attn_out, hooks, f"{name}.ln1_post")
        attn_out = hooks(f"{name}.hook_attn_out", attn_out)
        if config.attn_only:
            return hooks(f"{name}.hook_resid_post", resid_pre + attn_out)
        if config.parallel:
            mlp_in = resid_pre
        else:
            mlp_in = resid_mid = hooks(f"{name}.hook_resid_mid", resid_pre + attn_out)
        mlp_in = hooks(f"{name}.hook_mlp_in", mlp_in)
        mlp_out = self.mlp(self.ln2(mlp_in, hooks, f"{name}.ln2"), hooks)
        if config.post_norms:
            mlp_out = self.ln2_post(mlp_out, hooks, f"{name}.ln2_post")
        mlp_out = hooks(f"{name}.hook_mlp_out", mlp_out)
        before = resid_pre + attn_out if config.parallel else resid_mid
        return hooks(f"{name}.hook_resid_post", before + mlp_out)


class Embed(nn.Module):
    def __init__(self, n, size):
        super().__init__()
        self.W_E = nn.Parameter(torch.zeros(n, size))


class PosEmbed(nn.Module):
    def __init__(self, n, size):
        super().__init__()
        self.W_pos = nn.Parameter(torch.zeros(n, size))


class Unembed(nn.Module):
    def __init__(self, size, n):
        super().__init__()
        self.W_U = nn.Parameter(torch.zeros(size, n))
        self.b_U = nn.Parameter(torch.zeros(n))


class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed = Embed(config.d_vocab, config.d_model)
        if config.positions == "standard":
            self.pos_embed = PosEmbed(config.n_ctx, config.d_model)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.ln_final = Norm(config.final_norm, config.d_model, config.eps, config.gain_offset)
        self.unembed = Unembed(config.d_model, config.d_vocab_out)
        self.double()

    @torch.no_grad()
    def forward(self, tokens, attention_mask=None, hooks=None):
        """Returns logits [batch, pos, vocabulary]. Positions count real tokens: clip(cumsum(mask) - 1, 0)."""
        hooks = hooks or Hooks()
        if attention_mask is None:
            attention_mask = torch.ones_like(tokens)
        positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
        x = hooks("hook_embed", self.embed.W_E[tokens] * self.config.embed_scale)
        if self.config.positions == "standard":
            x = x + hooks("hook_pos_embed", self.pos_embed.W_pos[positions] * attention_mask[:, :, None])
        for block in self.blocks:
            x = block(x, positions, attention_mask, hooks)
        logits = self.ln_final(x, hooks, "ln_final") @ self.unembed.W_U + self.unembed.b_U
        if self.config.final_soft_cap is not None:
            logits = self.config.final_soft_cap * torch.tanh(logits / self.config.final_soft_cap)
        return logits


def build(config, weights):
    """Returns a Transformer with these weights (numpy, TransformerLens's names); what is absent is a zero bias."""
    model = Transformer(config)
    own = model.state_dict()
    unknown = sorted(set(weights) - set(own))
    missing = sorted(name for name in set(own) - set(weights) if not name.rsplit(".", 1)[1].startswith("b"))
    if unknown or missing:
        raise ValueError(f"unknown weights {unknown}, missing weights {missing}")
    with torch.no_grad():
        for name, value in weights.items():
            if tuple(own[name].shape) != value.shape:
                raise ValueError(f"{name}: shape {value.shape}, expected {tuple(own[name].shape)}")
            own[name].copy_(torch.from_numpy(value.astype("float64")))
    return model
