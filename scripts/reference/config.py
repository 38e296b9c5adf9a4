"""What a reference transformer is made of, in TransformerLens's words; `from_transformer_lens` reads its files."""

import math
from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class RopeScaling:
    """How rotary frequencies are stretched: `kind` is "linear" or "llama3" (the rest is for llama3 only)."""

    kind: str
    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 8192


@dataclass(frozen=True)
class Config:
    """Sizes and switches. `attn_scale` divides the scores; `windows` holds one entry per layer, None for full."""

    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_mlp: int
    d_vocab: int
    d_vocab_out: int
    n_ctx: int
    act_fn: str
    norm: Optional[str]  # LN, LNPre, RMS, RMSPre or None
    final_norm: Optional[str]
    eps: float
    attn_scale: float
    windows: Tuple[Optional[int], ...]
    positions: str = "standard"  # standard, rotary or none
    rotary_dim: int = 0
    rotary_base: float = 10000.0
    rope_scaling: Optional[RopeScaling] = None
    attn_only: bool = False
    gated_mlp: bool = False
    parallel: bool = False
    bidirectional: bool = False
    qk_norm: bool = False
    post_norms: bool = False  # Gemma 2's norms behind attention and MLP
    gain_offset: float = 0.0  # Gemma multiplies by 1 + w
    embed_scale: float = 1.0
    attn_soft_cap: Optional[float] = None
    final_soft_cap: Optional[float] = None


def from_transformer_lens(file):
    """Returns the Config of a config.json written in HookedTransformerConfig's words."""
    norm = file.get("normalization_type", "LN")
    final = {"LN": "RMS", "LNPre": "RMSPre"}.get(norm, norm) if file.get("final_rms") else norm
    scale = file.get("attn_scale", -1.0)
    if not file.get("use_attn_scale", True):
        scale = 1.0
    elif scale <= 0:
        scale = math.sqrt(file["d_head"])
    return Config(
        n_layers=file["n_layers"],
        d_model=file["d_model"],
        n_heads=file["n_heads"],
        n_kv_heads=file.get("n_key_value_heads") or file["n_heads"],
        d_head=file["d_head"],
        d_mlp=0 if file.get("attn_only") else file["d_mlp"],
        d_vocab=file["d_vocab"],
        d_vocab_out=file["d_vocab_out"] if file.get("d_vocab_out", -1) > 0 else file["d_vocab"],
        n_ctx=file["n_ctx"],
        act_fn=file.get("act_fn") or "relu",
        norm=norm,
        final_norm=final,
        eps=file.get("eps", 1e-5),
        attn_scale=scale,
        windows=(None,) * file["n_layers"],
        positions=file.get("positional_embedding_type", "standard"),
        rotary_dim=file.get("rotary_dim") or file["d_head"],
        rotary_base=file.get("rotary_base", 10000),
        attn_only=file.get("attn_only", False),
        gated_mlp=file.get("gated_mlp", False),
        parallel=file.get("parallel_attn_mlp", False),
        bidirectional=file.get("attention_dir", "causal") == "bidirectional",
    )
