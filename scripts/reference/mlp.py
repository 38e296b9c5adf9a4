"""The MLP, plain or gated.

    plain: post = act(x W_in + b_in)
    gated: post = act(x W_gate + b_gate) * (x W_in + b_linear) + b_in
    output = post W_out + b_out

In a gated MLP TransformerLens adds its `b_in` after the product. Hugging Face's biases (Llama with `mlp_bias`)
sit inside both factors and are called `b_gate` and `b_linear` here.
"""

import math

import torch
from torch import nn


def _gelu_exact(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def _gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS = {
    "relu": torch.relu,
    "gelu": _gelu_exact,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "silu": lambda x: x * torch.sigmoid(x),
}


class Mlp(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.act, self.gated, self.name = ACTIVATIONS[config.act_fn], config.gated_mlp, f"blocks.{layer}.mlp"
        D, M = config.d_model, config.d_mlp
        self.W_in, self.b_in = nn.Parameter(torch.zeros(D, M)), nn.Parameter(torch.zeros(M))
        self.W_out, self.b_out = nn.Parameter(torch.zeros(M, D)), nn.Parameter(torch.zeros(D))
        if config.gated_mlp:
            self.W_gate, self.b_gate = nn.Parameter(torch.zeros(D, M)), nn.Parameter(torch.zeros(M))
            self.b_linear = nn.Parameter(torch.zeros(M))

    def forward(self, x, hooks):
        x = hooks(f"{self.name}.hook_in", x)
        if self.gated:
            pre = hooks(f"{self.name}.hook_pre", x @ self.W_gate + self.b_gate)
            linear = hooks(f"{self.name}.hook_pre_linear", x @ self.W_in + self.b_linear)
            post = self.act(pre) * linear + self.b_in
        else:
            post = self.act(hooks(f"{self.name}.hook_pre", x @ self.W_in + self.b_in))
        return hooks(f"{self.name}.hook_post", post) @ self.W_out + self.b_out
