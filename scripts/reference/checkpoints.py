"""Reads a checkpoint folder: Hugging Face layouts and TransformerLens's, into one Config and one set of names.

Each family has one function of (config.json, tensors) that returns (Config, weights). `Linear` weights lie
[out, in] in the files, GPT-2's `Conv1D` [in, out]; here everything is [.., in, out] with heads split off.
"""

import json
import math
from pathlib import Path

import numpy as np

from .config import Config, RopeScaling, from_transformer_lens
from .model import build
from .safetensors import read_safetensors


def split_in(weight, heads):
    """[d_model, heads * d_head] -> [heads, d_model, d_head]."""
    return weight.reshape(weight.shape[0], heads, -1).transpose(1, 0, 2)


def split_out(weight, heads):
    """[heads * d_head, d_model] -> [heads, d_head, d_model]."""
    return weight.reshape(heads, -1, weight.shape[1])


def gpt2(file, tensors):
    """GPT-2. Files from the hub may lack the prefix `transformer.` and hold mask buffers `attn.bias`."""
    t = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    D, h = file["n_embd"], file["n_head"]
    config = Config(
        n_layers=file["n_layer"],
        d_model=D,
        n_heads=h,
        n_kv_heads=h,
        d_head=D // h,
        d_mlp=file.get("n_inner") or 4 * D,
        d_vocab=file["vocab_size"],
        d_vocab_out=file["vocab_size"],
        n_ctx=file["n_positions"],
        act_fn=file["activation_function"],
        norm="LN",
        final_norm="LN",
        eps=file["layer_norm_epsilon"],
        attn_scale=math.sqrt(D // h),
        windows=(None,) * file["n_layer"],
    )
    weights = {
        "embed.W_E": t["wte.weight"],
        "pos_embed.W_pos": t["wpe.weight"],
        "ln_final.w": t["ln_f.weight"],
        "ln_final.b": t["ln_f.bias"],
        "unembed.W_U": t.get("lm_head.weight", t["wte.weight"]).T,
    }
    for layer in range(config.n_layers):
        old, new = f"h.{layer}", f"blocks.{layer}"
        for part, ln in (("ln1", "ln_1"), ("ln2", "ln_2")):
            weights[f"{new}.{part}.w"] = t[f"{old}.{ln}.weight"]
            weights[f"{new}.{part}.b"] = t[f"{old}.{ln}.bias"]
        fused, bias = t[f"{old}.attn.c_attn.weight"], t[f"{old}.attn.c_attn.bias"]
        for index, which in enumerate("QKV"):
            weights[f"{new}.attn.W_{which}"] = split_in(fused[:, index * D : (index + 1) * D], h)
            weights[f"{new}.attn.b_{which}"] = bias[index * D : (index + 1) * D].reshape(h, -1)
        weights[f"{new}.attn.W_O"] = split_out(t[f"{old}.attn.c_proj.weight"], h)
        weights[f"{new}.attn.b_O"] = t[f"{old}.attn.c_proj.bias"]
        for part, name in (("in", "c_fc"), ("out", "c_proj")):
            weights[f"{new}.mlp.W_{part}"] = t[f"{old}.mlp.{name}.weight"]
            weights[f"{new}.mlp.b_{part}"] = t[f"{old}.mlp.{name}.bias"]
    return config, weights


def gpt_neox(file, tensors):
    """GPT-NeoX and Pythia. The fused projection is ordered head, then q, k, v, then entry."""
    t = {name.removeprefix("gpt_neox."): value for name, value in tensors.items()}
    D, h = file["hidden_size"], file["num_attention_heads"]
    H = D // h
    config = Config(
        n_layers=file["num_hidden_layers"],
        d_model=D,
        n_heads=h,
        n_kv_heads=h,
        d_head=H,
        d_mlp=file["intermediate_size"],
        d_vocab=file["vocab_size"],
        d_vocab_out=file["vocab_size"],
        n_ctx=file["max_position_embeddings"],
        act_fn=file["hidden_act"],
        norm="LN",
        final_norm="LN",
        eps=file["layer_norm_eps"],
        attn_scale=math.sqrt(H),
        windows=(None,) * file["num_hidden_layers"],
        positions="rotary",
        rotary_dim=int(H * file["rotary_pct"]),
        rotary_base=file["rotary_emb_base"],
        parallel=file["use_parallel_residual"],
    )
    weights = {
        "embed.W_E": t["embed_in.weight"],
        "ln_final.w": t["final_layer_norm.weight"],
        "ln_final.b": t["final_layer_norm.bias"],
        "unembed.W_U": (t["embed_in.weight"] if file["tie_word_embeddings"] else t["embed_out.weight"]).T,
    }
    for layer in range(config.n_layers):
        old, new = f"layers.{layer}", f"blocks.{layer}"
        for part, ln in (("ln1", "input_layernorm"), ("ln2", "post_attention_layernorm")):
            weights[f"{new}.{part}.w"] = t[f"{old}.{ln}.weight"]
            weights[f"{new}.{part}.b"] = t[f"{old}.{ln}.bias"]
        fused = t[f"{old}.attention.query_key_value.weight"].reshape(h, 3, H, D)
        bias = t[f"{old}.attention.query_key_value.bias"].reshape(h, 3, H)
        for index, which in enumerate("QKV"):
            weights[f"{new}.attn.W_{which}"] = fused[:, index].transpose(0, 2, 1)
            weights[f"{new}.attn.b_{which}"] = bias[:, index]
        weights[f"{new}.attn.W_O"] = split_out(t[f"{old}.attention.dense.weight"].T, h)
        weights[f"{new}.attn.b_O"] = t[f"{old}.attention.dense.bias"]
        for part, name in (("in", "dense_h_to_4h"), ("out", "dense_4h_to_h")):
            weights[f"{new}.mlp.W_{part}"] = t[f"{old}.mlp.{name}.weight"].T
            weights[f"{new}.mlp.b_{part}"] = t[f"{old}.mlp.{name}.bias"]
    return config, weights


def rope_settings(file):
    """Returns (base, RopeScaling or None), from `rope_parameters` (new files) or `rope_theta` and `rope_scaling`."""
    rope = dict(file.get("rope_parameters") or file.get("rope_scaling") or {})
    base = rope.get("rope_theta", file.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return base, None
    if kind == "linear":
        return base, RopeScaling("linear", rope["factor"])
    if kind == "llama3":
        return base, RopeScaling(
            "llama3",
            rope["factor"],
            rope["low_freq_factor"],
            rope["high_freq_factor"],
            rope["original_max_position_embeddings"],
        )
    raise ValueError(f"unknown rope type {kind}")


def llama_like(file, tensors):
    """Llama, Mistral, Qwen2, Qwen3 and Gemma 2: one layout, few differences."""
    t = {name.removeprefix("model."): value for name, value in tensors.items()}
    kind, gemma = file["model_type"], file["model_type"] == "gemma2"
    D, h, n = file["hidden_size"], file["num_attention_heads"], file["num_hidden_layers"]
    g = file.get("num_key_value_heads") or h
    H = file.get("head_dim") or D // h
    window = file.get("sliding_window")
    if kind.startswith("qwen") and not file.get("use_sliding_window"):
        window = None
    if kind == "llama":
        window = None
    base, scaling = rope_settings(file)
    config = Config(
        n_layers=n,
        d_model=D,
        n_heads=h,
        n_kv_heads=g,
        d_head=H,
        d_mlp=file["intermediate_size"],
        d_vocab=file["vocab_size"],
        d_vocab_out=file["vocab_size"],
        n_ctx=file["max_position_embeddings"],
        act_fn=file["hidden_activation"] if gemma else file["hidden_act"],
        norm="RMS",
        final_norm="RMS",
        eps=file["rms_norm_eps"],
        attn_scale=math.sqrt(file["query_pre_attn_scalar"] if gemma else H),
        # Gemma 2 slides on every second layer, starting with the first.
        windows=tuple(window if not gemma or layer % 2 == 0 else None for layer in range(n)),
        positions="rotary",
        rotary_dim=H,
        rotary_base=base,
        rope_scaling=scaling,
        gated_mlp=True,
        qk_norm=kind == "qwen3",
        post_norms=gemma,
        gain_offset=1.0 if gemma else 0.0,
        embed_scale=math.sqrt(D) if gemma else 1.0,
        attn_soft_cap=file.get("attn_logit_softcapping"),
        final_soft_cap=file.get("final_logit_softcapping"),
    )
    weights = {
        "embed.W_E": t["embed_tokens.weight"],
        "ln_final.w": t["norm.weight"],
        "unembed.W_U": (t["embed_tokens.weight"] if file["tie_word_embeddings"] else t["lm_head.weight"]).T,
    }
    norms = {"ln1": "input_layernorm", "ln2": "post_attention_layernorm"}
    if gemma:
        norms["ln1_post"] = "post_attention_layernorm"
        norms["ln2"] = "pre_feedforward_layernorm"
        norms["ln2_post"] = "post_feedforward_layernorm"
    for layer in range(n):
        old, new = f"layers.{layer}", f"blocks.{layer}"
        for part, name in norms.items():
            weights[f"{new}.{part}.w"] = t[f"{old}.{name}.weight"]
        for which, name, heads in (("Q", "q_proj", h), ("K", "k_proj", g), ("V", "v_proj", g)):
            weights[f"{new}.attn.W_{which}"] = split_in(t[f"{old}.self_attn.{name}.weight"].T, heads)
            if f"{old}.self_attn.{name}.bias" in t:
                weights[f"{new}.attn.b_{which}"] = t[f"{old}.self_attn.{name}.bias"].reshape(heads, -1)
        weights[f"{new}.attn.W_O"] = split_out(t[f"{old}.self_attn.o_proj.weight"].T, h)
        if f"{old}.self_attn.o_proj.bias" in t:
            weights[f"{new}.attn.b_O"] = t[f"{old}.self_attn.o_proj.bias"]
        if config.qk_norm:
            weights[f"{new}.attn.q_norm.w"] = t[f"{old}.self_attn.q_norm.weight"]
            weights[f"{new}.attn.k_norm.w"] = t[f"{old}.self_attn.k_norm.weight"]
        for part, bias, name in (
            ("W_gate", "b_gate", "gate_proj"),
            ("W_in", "b_linear", "up_proj"),
            ("W_out", "b_out", "down_proj"),
        ):
            weights[f"{new}.mlp.{part}"] = t[f"{old}.mlp.{name}.weight"].T
            if f"{old}.mlp.{name}.bias" in t:
                weights[f"{new}.mlp.{bias}"] = t[f"{old}.mlp.{name}.bias"]
    return config, weights


def transformer_lens(file, tensors):
    """TransformerLens's own names; grouped heads are stored as `_W_K`, and mask buffers are dropped."""
    dropped = (".mask", ".IGNORE", ".rotary_sin", ".rotary_cos")
    weights = {
        name.replace("attn._", "attn."): value for name, value in tensors.items() if not name.endswith(dropped)
    }
    return from_transformer_lens(file), weights


FAMILIES = {
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma2"), llama_like),
}


def load(folder):
    """Returns the Transformer of a checkpoint folder."""
    folder = Path(folder)
    file = json.loads((folder / "config.json").read_text("utf8"))
    tensors, _ = read_safetensors(folder / "model.safetensors")
    config, weights = FAMILIES.get(file.get("model_type"), transformer_lens)(file, tensors)
    return build(config, {name: np.ascontiguousarray(value) for name, value in weights.items()})
