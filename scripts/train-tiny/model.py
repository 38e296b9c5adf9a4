"""GPT-2 in PyTorch float32, for training: pre-norm blocks, learned positions, tied head, tanh GELU.

Linear layers are kept as Hugging Face's Conv1D does, `[in, out]`, and parameters carry its names,
so a checkpoint is an export without renaming.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Config:
    vocab_size: int = 2048
    n_positions: int = 256
    n_embd: int = 192
    n_layer: int = 4
    n_head: int = 6
    layer_norm_epsilon: float = 1e-5


class Conv1D(nn.Module):
    def __init__(self, n_in, n_out, std):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_in, n_out) * std)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight).view(*x.shape[:-1], -1)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.n_embd
        self.n_head = config.n_head
        self.c_attn = Conv1D(D, 3 * D, 0.02)
        self.c_proj = Conv1D(D, D, 0.02 / math.sqrt(2 * config.n_layer))

    def forward(self, x, mask):
        B, T, D = x.shape
        H = D // self.n_head
        q, k, v = (
            part.view(B, T, self.n_head, H).transpose(1, 2).reshape(B * self.n_head, T, H)
            for part in self.c_attn(x).split(D, dim=-1)
        )
        scores = torch.baddbmm(mask[:T, :T], q, k.transpose(1, 2), alpha=H**-0.5)
        z = torch.softmax(scores, dim=-1) @ v
        return self.c_proj(z.view(B, self.n_head, T, H).transpose(1, 2).reshape(B, T, D))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        D = config.n_embd
        self.c_fc = Conv1D(D, 4 * D, 0.02)
        self.c_proj = Conv1D(4 * D, D, 0.02 / math.sqrt(2 * config.n_layer))

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x).float(), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = Mlp(config)

    def forward(self, x, mask):
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))


def sinusoids(n, size):
    """Returns sines and cosines of falling frequency, [n, size]: a start from which "one back" is easy to learn.

    They must not be drowned by the token embeddings, whose length grows to about 0.9 in training: at an amplitude of
    0.03 no head learnt to look one token back in 2,500 steps, and nothing was copied; at 0.1 it took a hundred.
    """
    angle = torch.arange(n)[:, None] * 10000 ** (-torch.arange(0, size, 2) / size)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Gpt2(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.n_positions, config.n_embd),
                "h": nn.ModuleList(Block(config) for _ in range(config.n_layer)),
                "ln_f": nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon),
            }
        )
        nn.init.normal_(self.transformer["wte"].weight, std=0.02)
        with torch.no_grad():
            self.transformer["wpe"].weight.copy_(sinusoids(config.n_positions, config.n_embd) * 0.1)
        causal = torch.full((config.n_positions, config.n_positions), -math.inf).triu(1)
        self.register_buffer("causal", causal, persistent=False)

    def forward(self, tokens):
        """Returns logits [batch, pos, vocab]."""
        T = tokens.shape[1]
        x = self.transformer["wte"](tokens) + self.transformer["wpe"].weight[:T]
        for block in self.transformer["h"]:
            x = block(x, self.causal)
        return self.transformer["ln_f"](x) @ self.transformer["wte"].weight.T
