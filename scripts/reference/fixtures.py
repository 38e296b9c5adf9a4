"""The tiny random checkpoints: for each, a config.json as its own library writes it, and weights in its own layout.

Sizes are distinct, and prime where the architecture allows, so that no mix-up of axes goes unnoticed. Scales are chosen
for uneven attention patterns; gains lie away from 1 and every bias away from 0, so every parameter matters.
"""

import math
import zlib

import numpy as np

SEED = 20261


class Weights:
    """Draws named float32 tensors from a generator seeded by the fixture's name."""

    def __init__(self, name):
        self.rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        self.tensors = {}

    def normal(self, name, shape, std, mean=0.0):
        self.tensors[name] = (mean + std * self.rng.standard_normal(shape)).astype(np.float32)

    def matrix(self, name, shape, fan_in, gain=1.0):
        """A weight whose output has about `gain` times the size of its input."""
        self.normal(name, shape, gain / math.sqrt(fan_in))

    def bias(self, name, shape):
        self.normal(name, shape, 0.3)

    def gain(self, name, shape, mean=1.0):
        self.normal(name, shape, 0.3, mean)

    def linear(self, name, n_out, n_in, bias, gain=1.0):
        """A torch Linear: weight [out, in]."""
        self.matrix(f"{name}.weight", (n_out, n_in), n_in, gain)
        if bias:
            self.bias(f"{name}.bias", n_out)

    def norm(self, name, size, bias, mean=1.0):
        self.gain(f"{name}.weight", size, mean)
        if bias:
            self.bias(f"{name}.bias", size)


QK_GAIN = 1.5


def gpt2(name, prefix="transformer.", buffers=False, tied=True, n_inner=None, act="gelu_new"):
    D, h, V, n_ctx, n_layer = 15, 3, 29, 19, 2
    file = {
        "activation_function": act,
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": 28,
        "embd_pdrop": 0.1,
        "eos_token_id": 28,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": n_ctx,
        "n_embd": D,
        "n_head": h,
        "n_inner": n_inner,
        "n_layer": n_layer,
        "n_positions": n_ctx,
        "resid_pdrop": 0.1,
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "vocab_size": V,
    }
    w, M = Weights(name), n_inner or 4 * D
    w.normal(f"{prefix}wte.weight", (V, D), 0.8)
    w.normal(f"{prefix}wpe.weight", (n_ctx, D), 0.5)
    for layer in range(n_layer):
        p = f"{prefix}h.{layer}"
        w.norm(f"{p}.ln_1", D, True)
        w.matrix(f"{p}.attn.c_attn.weight", (D, 3 * D), D, QK_GAIN)
        w.bias(f"{p}.attn.c_attn.bias", 3 * D)
        w.matrix(f"{p}.attn.c_proj.weight", (D, D), D)
        w.bias(f"{p}.attn.c_proj.bias", D)
        w.norm(f"{p}.ln_2", D, True)
        w.matrix(f"{p}.mlp.c_fc.weight", (D, M), D, QK_GAIN)
        w.bias(f"{p}.mlp.c_fc.bias", M)
        w.matrix(f"{p}.mlp.c_proj.weight", (M, D), M)
        w.bias(f"{p}.mlp.c_proj.bias", D)
        if buffers:  # what the oldest files on the hub carry; to be ignored
            w.tensors[f"{p}.attn.bias"] = np.tril(np.ones((1, 1, n_ctx, n_ctx), np.float32))
            w.tensors[f"{p}.attn.masked_bias"] = np.array(-10000.0, np.float32)
    w.norm(f"{prefix}ln_f", D, True)
    if not tied:
        w.linear("lm_head", V, D, False)
    return file, w.tensors


def gpt_neox(name, parallel, buffers=False):
    D, h, M, V, n_ctx, n_layer = 18, 3, 17, 29, 19, 2
    file = {
        "architectures": ["GPTNeoXForCausalLM"],
        "attention_bias": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": D,
        "initializer_range": 0.02,
        "intermediate_size": M,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": n_ctx,
        "model_type": "gpt_neox",
        "num_attention_heads": h,
        "num_hidden_layers": n_layer,
        "rotary_emb_base": 100,
        "rotary_pct": 0.7,  # 4 of 6 entries: two pairs
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_parallel_residual": parallel,
        "vocab_size": V,
    }
    w = Weights(name)
    w.normal("gpt_neox.embed_in.weight", (V, D), 0.8)
    for layer in range(n_layer):
        p = f"gpt_neox.layers.{layer}"
        w.norm(f"{p}.input_layernorm", D, True)
        w.norm(f"{p}.post_attention_layernorm", D, True)
        w.linear(f"{p}.attention.query_key_value", 3 * D, D, True, QK_GAIN)
        w.linear(f"{p}.attention.dense", D, D, True)
        w.linear(f"{p}.mlp.dense_h_to_4h", M, D, True, QK_GAIN)
        w.linear(f"{p}.mlp.dense_4h_to_h", D, M, True)
        if buffers:
            w.tensors[f"{p}.attention.bias"] = np.tril(np.ones((1, 1, n_ctx, n_ctx), np.float32))
            w.tensors[f"{p}.attention.masked_bias"] = np.array(-1e9, np.float32)
            w.tensors[f"{p}.attention.rotary_emb.inv_freq"] = np.array([1.0, 0.1], np.float32)
    w.norm("gpt_neox.final_layer_norm", D, True)
    w.linear("embed_out", V, D, False)
    return file, w.tensors


def llama_like(name, kind, D, h, g, H, M, V, extra, tied, qkv_bias=False, o_bias=False, mlp_bias=False, n_layer=2):
    """Llama and its relatives; `extra` holds what only this member writes into config.json."""
    classes = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "gemma2": "Gemma2"}
    gemma = kind == "gemma2"
    file = {
        "architectures": [f"{classes[kind]}ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_size": D,
        "initializer_range": 0.02,
        "intermediate_size": M,
        "max_position_embeddings": 19,
        "model_type": kind,
        "num_attention_heads": h,
        "num_hidden_layers": n_layer,
        "num_key_value_heads": g,
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": V,
        **({} if gemma else {"hidden_act": "silu"}),
        **extra,
    }
    mean = 0.0 if gemma else 1.0
    w = Weights(name)
    w.normal("model.embed_tokens.weight", (V, D), 0.8)
    for layer in range(n_layer):
        p = f"model.layers.{layer}"
        w.norm(f"{p}.input_layernorm", D, False, mean)
        w.linear(f"{p}.self_attn.q_proj", h * H, D, qkv_bias, QK_GAIN)
        w.linear(f"{p}.self_attn.k_proj", g * H, D, qkv_bias, QK_GAIN)
        w.linear(f"{p}.self_attn.v_proj", g * H, D, qkv_bias)
        w.linear(f"{p}.self_attn.o_proj", D, h * H, o_bias)
        if kind == "qwen3":
            w.norm(f"{p}.self_attn.q_norm", H, False, 1.3)
            w.norm(f"{p}.self_attn.k_norm", H, False, 1.3)
        w.norm(f"{p}.post_attention_layernorm", D, False, mean)
        if gemma:
            w.norm(f"{p}.pre_feedforward_layernorm", D, False, mean)
            w.norm(f"{p}.post_feedforward_layernorm", D, False, mean)
        w.linear(f"{p}.mlp.gate_proj", M, D, mlp_bias, QK_GAIN)
        w.linear(f"{p}.mlp.up_proj", M, D, mlp_bias, QK_GAIN)
        w.linear(f"{p}.mlp.down_proj", D, M, mlp_bias)
    w.norm("model.norm", D, False, mean)
    if not tied:
        w.linear("lm_head", V, D, False)
    return file, w.tensors


def transformer_lens(name, absent=(), buffers=False, **settings):
    """A checkpoint in HookedTransformerConfig's words; `absent` lists the weights to leave out of the file."""
    file = {
        "n_layers": 2,
        "d_model": 13,
        "n_ctx": 19,
        "d_head": 5,
        "n_heads": 3,
        "d_mlp": 17,
        "act_fn": "gelu_new",
        "d_vocab": 29,
        "eps": 1e-05,
        "normalization_type": "LN",
        "attention_dir": "causal",
        "attn_only": False,
        "positional_embedding_type": "standard",
        **settings,
    }
    D, H, h, M, V = file["d_model"], file["d_head"], file["n_heads"], file["d_mlp"], file["d_vocab"]
    g = file.get("n_key_value_heads", h)
    grouped = "_" if "n_key_value_heads" in file else ""
    out, kind = file.get("d_vocab_out", V), file["normalization_type"]
    w = Weights(name)

    def norm(path, which):
        if which in ("LN", "RMS"):
            w.gain(f"{path}.w", D)
        if which == "LN":
            w.bias(f"{path}.b", D)

    w.normal("embed.W_E", (V, D), 0.8)
    if file["positional_embedding_type"] == "standard":
        w.normal("pos_embed.W_pos", (file["n_ctx"], D), 0.5)
    for layer in range(file["n_layers"]):
        p = f"blocks.{layer}"
        norm(f"{p}.ln1", kind)
        for which, heads, mark in (("Q", h, ""), ("K", g, grouped), ("V", g, grouped)):
            w.matrix(f"{p}.attn.{mark}W_{which}", (heads, D, H), D, 1.0 if which == "V" else QK_GAIN)
            w.bias(f"{p}.attn.{mark}b_{which}", (heads, H))
        w.matrix(f"{p}.attn.W_O", (h, H, D), h * H)
        w.bias(f"{p}.attn.b_O", D)
        if buffers:
            w.tensors[f"{p}.attn.mask"] = np.tril(np.ones((file["n_ctx"], file["n_ctx"]), bool))
            w.tensors[f"{p}.attn.IGNORE"] = np.array(-np.inf, np.float32)
        if not file["attn_only"]:
            norm(f"{p}.ln2", kind)
            if file.get("gated_mlp"):
                w.matrix(f"{p}.mlp.W_gate", (D, M), D, QK_GAIN)
            w.matrix(f"{p}.mlp.W_in", (D, M), D, QK_GAIN)
            w.bias(f"{p}.mlp.b_in", M)
            w.matrix(f"{p}.mlp.W_out", (M, D), M)
            w.bias(f"{p}.mlp.b_out", D)
    norm("ln_final", {"LN": "RMS"}.get(kind, kind) if file.get("final_rms") else kind)
    w.matrix("unembed.W_U", (D, out), D)
    w.bias("unembed.b_U", out)
    for suffix in absent:
        for key in [key for key in w.tensors if key.endswith(suffix)]:
            del w.tensors[key]
    if file["attn_only"]:
        file["d_mlp"] = None
    return file, w.tensors


LLAMA3_ROPE = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 64,
    "rope_type": "llama3",
}


def fixtures():
    """Returns {name: (what it covers, config.json, tensors)}."""
    made = {}

    def add(name, covers, make, *arguments, **settings):
        made[name] = (covers, *make(name, *arguments, **settings))

    add("gpt2", "GPT-2, tied head, tanh GELU", gpt2)
    add("gpt2-bare", "GPT-2 as on the hub: no `transformer.` prefix, mask buffers; n_inner set", gpt2,
        prefix="", buffers=True, n_inner=17, act="gelu_pytorch_tanh")  # fmt: skip
    add("gpt2-untied", "GPT-2 with its own lm_head, ReLU, n_inner set", gpt2, tied=False, n_inner=23, act="relu")
    add("pythia", "GPT-NeoX, parallel residual, partial rotary, fused QKV by head, exact GELU", gpt_neox, True)
    add("gpt-neox-sequential", "GPT-NeoX, sequential residual, old buffers in the file", gpt_neox, False, buffers=True)
    add("llama-mha-linear", "Llama, one KV head per head, linear rope scaling in its old form, untied", llama_like,
        "llama", 12, 3, 3, 4, 19, 31, tied=False,
        extra={"attention_bias": False, "mlp_bias": False, "rope_theta": 100.0,
               "rope_scaling": {"type": "linear", "factor": 2.5}})  # fmt: skip
    add("llama-mqa-llama3", "Llama, one KV head for all, llama3 rope scaling in all three bands, tied", llama_like,
        "llama", 24, 3, 1, 8, 13, 29, tied=True,
        extra={"head_dim": 8, "rope_theta": 100.0, "rope_scaling": LLAMA3_ROPE})  # fmt: skip
    add("llama-gqa-bias", "Llama, grouped heads, every bias, head_dim of its own, new-style rope_parameters",
        llama_like, "llama", 13, 4, 2, 6, 19, 37, tied=False, qkv_bias=True, o_bias=True, mlp_bias=True,
        extra={"attention_bias": True, "mlp_bias": True, "head_dim": 6, "rms_norm_eps": 1e-5,
               "rope_parameters": {"rope_theta": 50.0, "rope_type": "default"}})  # fmt: skip
    add("mistral", "Mistral, grouped heads, sliding window 3, untied", llama_like,
        "mistral", 16, 4, 2, 4, 19, 31, tied=False,
        extra={"head_dim": None, "rope_theta": 100.0, "sliding_window": 3})  # fmt: skip
    add("qwen2", "Qwen2, QKV bias, grouped heads, a sliding window that is switched off, tied", llama_like,
        "qwen2", 16, 4, 2, 4, 19, 29, tied=True, qkv_bias=True,
        extra={"max_window_layers": 1, "rope_theta": 100.0, "sliding_window": 3,
               "use_sliding_window": False})  # fmt: skip
    add("qwen3", "Qwen3, QK norm per head, head_dim apart from d_model, grouped heads, tied", llama_like,
        "qwen3", 13, 4, 2, 6, 17, 31, tied=True,
        extra={"attention_bias": False, "head_dim": 6, "max_window_layers": 2, "rope_scaling": None,
               "rope_theta": 100.0, "sliding_window": None, "use_sliding_window": False})  # fmt: skip
    add("gemma2", "Gemma 2, norms before and behind, both soft caps, alternating window, (1 + w), scaled embedding",
        llama_like, "gemma2", 12, 4, 2, 6, 17, 29, tied=True,
        extra={"attention_bias": False, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0, "head_dim": 6,
               "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 5,
               "rope_theta": 100.0, "sliding_window": 3})  # fmt: skip

    add("tl-attn-only", "TransformerLens, attention only, biases absent, buffers to ignore", transformer_lens,
        attn_only=True, buffers=True, absent=(".b_Q", ".b_K", ".b_V", "unembed.b_U"), act_fn=None)  # fmt: skip
    add("tl-no-norm", "TransformerLens, no norm, ReLU, unscaled scores", transformer_lens,
        normalization_type=None, act_fn="relu", use_attn_scale=False, absent=("unembed.b_U",))  # fmt: skip
    add("tl-lnpre", "TransformerLens, LNPre (as folded models are saved)", transformer_lens, normalization_type="LNPre")
    add("tl-rmspre-rotary-gated",
        "TransformerLens, RMSPre, partial rotary, gated MLP with b_in after the product, grouped heads", transformer_lens,
        normalization_type="RMSPre", positional_embedding_type="rotary", rotary_dim=4,
        rotary_base=100, gated_mlp=True, act_fn="silu", n_heads=4, n_key_value_heads=2, d_head=6)  # fmt: skip
    add("tl-bidirectional", "TransformerLens, bidirectional, exact GELU", transformer_lens,
        attention_dir="bidirectional", act_fn="gelu", d_head=7, absent=("unembed.b_U",))  # fmt: skip
    add("tl-vocab-out", "TransformerLens, separate output vocabulary, every bias, final_rms", transformer_lens,
        d_vocab_out=11, final_rms=True)  # fmt: skip
    add("tl-parallel", "TransformerLens, parallel attention and MLP, RMS, no positions, attn_scale of its own",
        transformer_lens, normalization_type="RMS", parallel_attn_mlp=True, positional_embedding_type="none",
        attn_scale=3.0, use_attn_scale=True, act_fn="silu")  # fmt: skip
    return made
