"""Rotary position embedding in the half-split layout that both GPT-NeoX and Llama use in Hugging Face files.

Only the first `rotary_dim` entries of a head turn. Entry i is paired with entry i + rotary_dim / 2; the pair turns by
position * frequency[i], frequency[i] = base^(-2 i / rotary_dim), stretched for long contexts:
- linear: every frequency is divided by the factor;
- llama3: by its wavelength against the original context C. Shorter than C / high: kept. Longer than C / low: divided by
  the factor. Between: a mean of both, weighted by (C / wavelength - low) / (high - low).
"""

import math

import torch


def frequencies(config):
    """Returns the angular frequencies in radians per position, [rotary_dim / 2]."""
    exponent = torch.arange(0, config.rotary_dim, 2, dtype=torch.float64) / config.rotary_dim
    plain = config.rotary_base**-exponent
    scaling = config.rope_scaling
    if scaling is None:
        return plain
    slow = plain / scaling.factor
    if scaling.kind == "linear":
        return slow
    if scaling.kind != "llama3":
        raise ValueError(f"unknown rope scaling {scaling.kind}")
    turns = scaling.original_context * plain / (2 * math.pi)  # C / wavelength
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    return slow + (plain - slow) * ((turns - low) / (high - low)).clamp(0, 1)


def rotate(x, positions, config):
    """Returns x [batch, pos, head, d_head] turned by positions [batch, pos]."""
    angle = positions[:, :, None].to(torch.float64) * frequencies(config)
    cos, sin = angle.cos()[:, :, None, :], angle.sin()[:, :, None, :]
    half = config.rotary_dim // 2
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)
