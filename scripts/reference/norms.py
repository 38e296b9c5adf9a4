"""LayerNorm and RMSNorm, with and without gain and bias.

    LN:   x <- x - mean(x);  scale = sqrt(mean(x^2) + eps)
    RMS:                     scale = sqrt(mean(x^2) + eps)
    normalized = x / hook_scale(scale);  output = hook_normalized(normalized) * (offset + w) + b
"""

import torch
from torch import nn


class Norm(nn.Module):
    def __init__(self, kind, size, eps, offset=0.0):
        super().__init__()
        self.kind, self.eps, self.offset = kind, eps, offset
        if kind in ("LN", "RMS"):
            self.w = nn.Parameter(torch.ones(size))
        if kind == "LN":
            self.b = nn.Parameter(torch.zeros(size))

    def forward(self, x, hooks, name):
        if self.kind is None:
            return x
        if self.kind.startswith("LN"):
            x = x - x.mean(-1, keepdim=True)
        scale = hooks(f"{name}.hook_scale", (x.pow(2).mean(-1, keepdim=True) + self.eps).sqrt())
        x = hooks(f"{name}.hook_normalized", x / scale)
        if self.kind in ("LN", "RMS"):
            x = x * (self.offset + self.w)
        return x + self.b if self.kind == "LN" else x
