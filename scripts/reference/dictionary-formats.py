"""Writes a tiny random dictionary in each public format, with its forward pass computed here.

Every forward pass is written from the format's own definition, in float64 and in the format's own layout; nothing is
shared with the readers. Beside each dictionary lies `expected.safetensors` with `input`, `acts` and `reconstruction`.

    python3 scripts/reference/dictionary-formats.py     # same input, same bytes (but for PyTorch's archives)
"""

import json
import os
import shutil
import struct
import sys
import types

import numpy as np
import torch

sys.path.insert(0, os.path.dirname(__file__))
from safetensors import write_safetensors  # noqa: E402

ROOT = os.path.join(os.path.dirname(__file__), "../../fixtures/dictionaries/formats")
D, F, OUT, ROWS = 5, 11, 7, 6
CASES = []


def relu(x):
    return np.maximum(x, 0)


def jump(z, threshold):
    return z * (z > threshold)


def topk(z, k):
    kept = np.zeros_like(z)
    for row, own in zip(kept, z):
        best = np.argsort(-own)[:k]
        row[best] = relu(own[best])
    return kept


class Random:
    """Normal numbers, rounded to what the file will hold, so that rounding is no part of the comparison."""

    def __init__(self, seed, rounding=np.float32):
        self.generator = np.random.default_rng(seed)
        self.rounding = rounding

    def __call__(self, *shape, scale=1.0):
        values = self.generator.normal(size=shape) * scale
        return self.rounding(values).astype(np.float64)


def to_bfloat16(values):
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).view(np.float32)


def write_bfloat16(path, tensors):
    """Safetensors of bfloat16, which numpy does not know: the upper halves of float32."""
    header, blocks, offset = {}, [], 0
    for name, value in tensors.items():
        array = np.ascontiguousarray(value, dtype=np.float32)
        block = (array.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [offset, offset + len(block)]}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def single(tensors, dtype=np.float32):
    return {name: np.asarray(value, dtype=dtype) for name, value in tensors.items()}


def folder(*parts):
    path = os.path.join(ROOT, *parts)
    os.makedirs(path, exist_ok=True)
    return path


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def case(name, opens, x, acts, reconstruction, expect, options=None, folded=None):
    """Records what a reader must get; `expect` are fields of its configuration."""
    tensors = {"input": x, "acts": acts, "reconstruction": reconstruction}
    if folded is not None:
        tensors["folded_acts"] = folded
    path = f"expected/{name}.safetensors"
    folder("expected")
    write_safetensors(os.path.join(ROOT, path), single(tensors))
    CASES.append({"name": name, "open": opens, "options": options or {}, "expected": path, "expect": expect})


def norms(w_dec):
    return np.maximum(np.linalg.norm(w_dec, axis=1), 1e-8)


# --- SAELens -----------------------------------------------------------------------------------------------------


def saelens_weights(r, d_out=D):
    return {
        "W_enc": r(D, F, scale=0.7),
        "b_enc": r(F, scale=0.3),
        "W_dec": r(F, d_out, scale=0.5),
        "b_dec": r(d_out, scale=0.4),
    }


def saelens_norm(x, kind):
    """SAELens's run-time normalisation and its inverse."""
    if kind == "constant_norm_rescale":
        coefficient = x.shape[1] ** 0.5 / np.linalg.norm(x, axis=-1, keepdims=True)
        return x * coefficient, lambda y: y / coefficient
    if kind == "layer_norm":
        mu = x.mean(axis=-1, keepdims=True)
        std = (x - mu).std(axis=-1, keepdims=True, ddof=1)
        return (x - mu) / (std + 1e-5), lambda y: y * std + mu
    return x, lambda y: y


def saelens6(name, seed, architecture, more_weights=None, cfg=None, norm="none", rounding=np.float32, write=None,
             hook="blocks.3.hook_resid_post", bias=True, drop=(), expect=None, fold=True):
    r = Random(seed, rounding)
    w = {**saelens_weights(r), **(more_weights(r) if more_weights else {})}
    x = Random(seed + 1000)(ROWS, D, scale=1.5)
    sae_in, out = saelens_norm(x, norm)
    sae_in = sae_in - w["b_dec"] * bias
    cfg = cfg or {}
    if architecture == "gated":
        product = sae_in @ w["W_enc"]
        magnitude = relu(sae_in @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"])
        acts = (product + w["b_gate"] > 0) * magnitude
    else:
        z = sae_in @ w["W_enc"] + w["b_enc"]
        if architecture == "topk" and cfg.get("rescale_acts_by_decoder_norm"):
            acts = topk(z * np.linalg.norm(w["W_dec"], axis=-1), cfg["k"])
        elif architecture == "topk":
            acts = topk(z, cfg["k"])
        elif "threshold" in w:
            acts = relu(z) * (z > w["threshold"])
        elif "log_threshold" in w:
            acts = relu(z) * (z > np.exp(w["log_threshold"]))
        elif "topk_threshold" in w:
            acts = relu(z) * (z > w["topk_threshold"])
        else:
            acts = relu(z)
    rescaled = bool(cfg.get("rescale_acts_by_decoder_norm"))
    decoded = (acts / np.linalg.norm(w["W_dec"], axis=-1) if rescaled else acts) @ w["W_dec"] + w["b_dec"]
    path = folder("saelens", name)
    tensors = {key: value for key, value in w.items() if key not in drop}
    (write or (lambda p, t: write_safetensors(p, single(t))))(os.path.join(path, "sae_weights.safetensors"), tensors)
    write_json(os.path.join(path, "cfg.json"), {
        "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu", "architecture": architecture,
        "apply_b_dec_to_input": bias, "normalize_activations": norm,
        "reshape_activations": "hook_z" if hook.endswith("hook_z") else "none", **cfg,
        "metadata": {"sae_lens_version": "6.18.0", "sae_lens_training_version": "6.18.0", "model_name": "gpt2-small",
                     "hook_name": hook, "hook_head_index": None, "context_size": 64, "prepend_bos": False},
    })
    # With the decoder rescaled, SAELens's own activations carry the norms already.
    folded = acts if rescaled else acts * norms(w["W_dec"])
    plain = acts / np.linalg.norm(w["W_dec"], axis=-1) if rescaled else acts
    case(f"saelens-{name}", f"saelens/{name}", x, plain, out(decoded),
         {"readHook": hook, "writeHook": hook, "normalization": norm, "subtractsDecoderBias": bias,
          "prependBos": False, "contextSize": 64, "model": {"name": "gpt2-small"}, **(expect or {})},
         folded=folded if fold else None)


def saelens_transcoder(name, seed, architecture, threshold, skip):
    r = Random(seed)
    w = saelens_weights(r, OUT)
    if threshold:
        w["threshold"] = np.abs(r(F, scale=0.5))
    if skip:
        w["W_skip"] = r(OUT, D, scale=0.5)
    x = Random(seed + 1000)(ROWS, D)
    z = x @ w["W_enc"] + w["b_enc"]
    acts = relu(z) * (z > w["threshold"]) if threshold else relu(z)
    y = acts @ w["W_dec"] + w["b_dec"]
    if skip:
        y = y + x @ w["W_skip"].T
    path = folder("saelens", name)
    write_safetensors(os.path.join(path, "sae_weights.safetensors"), single(w))
    write_json(os.path.join(path, "cfg.json"), {
        "d_in": D, "d_sae": F, "d_out": OUT, "dtype": "float32", "device": "cpu", "architecture": architecture,
        "apply_b_dec_to_input": False, "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.20.1", "hook_name": "blocks.2.ln2.hook_normalized",
                     "hook_name_out": "blocks.2.hook_mlp_out", "hook_head_index": None},
    })
    case(f"saelens-{name}", f"saelens/{name}", x, acts, y,
         {"readHook": "blocks.2.ln2.hook_normalized", "writeHook": "blocks.2.hook_mlp_out",
          "subtractsDecoderBias": False, "architecture": "jumprelu" if threshold else "standard"},
         folded=acts * norms(w["W_dec"]))


def saelens5(name, seed, cfg, more=None, acts_of=lambda z, w: relu(z), scale=None, expect=None, hook="blocks.4.hook_resid_pre"):
    """Before version 6: one flat configuration, older key names, defaults that are not written."""
    r = Random(seed)
    w = {**saelens_weights(r), **(more(r) if more else {})}
    x = Random(seed + 1000)(ROWS, D)
    z = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    acts = acts_of(z, w)
    y = (acts * scale if scale is not None else acts) @ w["W_dec"] + w["b_dec"]
    path = folder("saelens", name)
    tensors = dict(w)
    if scale is not None:
        tensors["scaling_factor"] = scale
    write_safetensors(os.path.join(path, "sae_weights.safetensors"), single(tensors))
    write_json(os.path.join(path, "cfg.json"), {
        "model_name": "gpt2-small", "hook_point": hook, "hook_point_layer": 4, "hook_point_head_index": None,
        "d_in": D, "d_sae": F, "dtype": "torch.float32", "device": "cpu", "context_size": 128, **cfg,
    })
    case(f"saelens-{name}", f"saelens/{name}", x, acts, y,
         {"readHook": hook, "writeHook": hook, "prependBos": True, "contextSize": 128, "normalization": "none",
          "subtractsDecoderBias": True, **(expect or {})})


def saelens():
    saelens6("standard", 1, "standard")
    saelens6("standard-bfloat16", 2, "standard", rounding=to_bfloat16, write=write_bfloat16, bias=False)
    saelens6("standard-constant-norm", 3, "standard", norm="constant_norm_rescale")
    saelens6("standard-layer-norm", 4, "standard", norm="layer_norm", rounding=np.float16,
             write=lambda p, t: write_safetensors(p, single(t, np.float16)))
    saelens6("hook-z", 5, "standard", hook="blocks.1.attn.hook_z")
    saelens6("topk", 6, "topk", cfg={"k": 3, "rescale_acts_by_decoder_norm": False}, fold=False,
             expect={"activation": {"kind": "topk", "k": 3, "scalesByDecoderNorm": False}})
    saelens6("topk-rescaled", 7, "topk", cfg={"k": 3, "rescale_acts_by_decoder_norm": True},
             expect={"activation": {"kind": "topk", "k": 3, "scalesByDecoderNorm": True}})
    saelens6("jumprelu", 8, "jumprelu", lambda r: {"threshold": r(F, scale=0.5)}, expect={"architecture": "jumprelu"})
    saelens6("jumprelu-log", 9, "jumprelu", lambda r: {"log_threshold": r(F, scale=0.3) - 1})
    saelens6("batchtopk", 10, "batchtopk", lambda r: {"topk_threshold": np.float64(0.25)}, cfg={"k": 3},
             expect={"architecture": "batch_topk", "activation": {"kind": "jumprelu"}})
    saelens6("gated", 11, "gated", lambda r: {"b_gate": r(F, scale=0.3), "b_mag": r(F, scale=0.3), "r_mag": r(F, scale=0.3)},
             drop=("b_enc",), expect={"architecture": "gated"})
    saelens_transcoder("transcoder", 12, "transcoder", False, False)
    saelens_transcoder("skip-transcoder", 13, "skip_transcoder", False, True)
    saelens_transcoder("jumprelu-skip-transcoder", 14, "jumprelu_skip_transcoder", True, True)
    saelens5("v5-standard", 15, {"activation_fn_str": "relu", "normalize_activations": True})
    saelens5("v3-bare", 16, {})
    saelens5("v5-topk", 17, {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}},
             acts_of=lambda z, w: topk(z, 2), expect={"architecture": "topk"})
    saelens5("v5-jumprelu", 18, {"architecture": "jumprelu", "normalize_activations": "none", "sae_lens_version": "5.4.1"},
             more=lambda r: {"threshold": np.abs(r(F, scale=0.4))}, acts_of=lambda z, w: jump(z, w["threshold"]))
    saelens5("v5-scaling-ones", 19, {"finetuning_scaling_factor": False}, scale=np.ones(F))
    saelens5("v5-scaling", 20, {"finetuning_scaling_factor": True}, scale=np.abs(Random(99)(F)) + 0.5)


# --- dictionary_learning -----------------------------------------------------------------------------------------


def dl_save(name, state, dict_class, trainer=None, file="ae.pt", config=True):
    path = folder("dictionary_learning", name)
    os.makedirs(os.path.dirname(os.path.join(path, file)), exist_ok=True)
    torch.save({key: torch.as_tensor(value) if np.ndim(value) == 0 else torch.tensor(np.asarray(value, np.float32))
                for key, value in state.items()}, os.path.join(path, file))
    if config:
        write_json(os.path.join(path, "config.json"), {
            "trainer": {"trainer_class": "SomeTrainer", "dict_class": dict_class, "activation_dim": D, "dict_size": F,
                        "layer": 4, "lm_name": "EleutherAI/pythia-70m-deduped",
                        "submodule_name": "resid_post_layer_4", **(trainer or {})},
            "buffer": {"d_submodule": D, "io": "out", "ctx_len": 256},
        })


def dictionary_learning():
    common = {"readHook": "blocks.4.hook_resid_post", "contextSize": 256,
              "model": {"name": "EleutherAI/pythia-70m-deduped"}}

    def linear(seed):
        r = Random(seed)
        return r, {"encoder.weight": r(F, D, scale=0.7), "decoder.weight": r(D, F, scale=0.5)}, Random(seed + 1000)(ROWS, D)

    r, w, x = linear(30)
    w.update({"bias": r(D, scale=0.4), "encoder.bias": r(F, scale=0.3)})
    acts = relu((x - w["bias"]) @ w["encoder.weight"].T + w["encoder.bias"])
    y = acts @ w["decoder.weight"].T + w["bias"]
    dl_save("relu", w, "AutoEncoder")
    case("dl-relu", "dictionary_learning/relu", x, acts, y, {**common, "subtractsDecoderBias": True})
    dl_save("relu-bare", w, "", config=False)
    case("dl-relu-bare", "dictionary_learning/relu-bare", x, acts, y, {"readHook": "blocks.1.hook_mlp_out"},
         options={"hook": "blocks.1.hook_mlp_out"})
    dl_save("relu-checkpoint", w, "AutoEncoder", file="checkpoints/ae_500.pt",
            trainer={"submodule_name": "model.layers.2"})
    case("dl-relu-checkpoint", "dictionary_learning/relu-checkpoint/checkpoints/ae_500.pt", x, acts, y,
         {"readHook": "blocks.2.hook_resid_post"})

    r, w, x = linear(31)
    w.update({"decoder.bias": r(D, scale=0.4), "encoder.bias": r(F, scale=0.3)})
    acts = relu(x @ w["encoder.weight"].T + w["encoder.bias"])
    dl_save("relu-new", w, "AutoEncoderNew", trainer={"submodule_name": None})
    case("dl-relu-new", "dictionary_learning/relu-new", x, acts, acts @ w["decoder.weight"].T + w["decoder.bias"],
         {**common, "subtractsDecoderBias": False})

    r, w, x = linear(32)
    w.update({name: r(F, scale=0.3) for name in ("r_mag", "gate_bias", "mag_bias")}, decoder_bias=r(D, scale=0.4))
    e = (x - w["decoder_bias"]) @ w["encoder.weight"].T
    acts = (e + w["gate_bias"] > 0) * relu(np.exp(w["r_mag"]) * e + w["mag_bias"])
    dl_save("gated", w, "GatedAutoEncoder")
    case("dl-gated", "dictionary_learning/gated", x, acts, acts @ w["decoder.weight"].T + w["decoder_bias"],
         {**common, "architecture": "gated"})

    r, w, x = linear(33)
    w.update({"b_dec": r(D, scale=0.4), "encoder.bias": r(F, scale=0.3)})
    z = relu((x - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"])
    acts = topk(z, 3)
    dl_save("topk", {**w, "k": 3, "threshold": 0.125}, "AutoEncoderTopK", {"k": 3})
    case("dl-topk", "dictionary_learning/topk", x, acts, acts @ w["decoder.weight"].T + w["b_dec"],
         {**common, "activation": {"kind": "topk", "k": 3, "scalesByDecoderNorm": False}})
    acts = z * (z > 0.375)
    dl_save("batch-topk", {**w, "k": 3, "threshold": 0.375}, "BatchTopKSAE", {"k": 3})
    case("dl-batch-topk", "dictionary_learning/batch-topk", x, acts, acts @ w["decoder.weight"].T + w["b_dec"],
         {**common, "architecture": "batch_topk", "activation": {"kind": "jumprelu"}})
    dl_save("batch-topk-untrained", {**w, "k": 3, "threshold": -1.0}, "BatchTopKSAE", {"k": 3})
    case("dl-batch-topk-untrained", "dictionary_learning/batch-topk-untrained", x, z,
         z @ w["decoder.weight"].T + w["b_dec"], common)

    r = Random(34)
    w = saelens_weights(r)
    x = Random(1034)(ROWS, D)
    z = relu((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"])
    acts = z * (z > 0.25)
    dl_save("matryoshka", {**w, "k": 3, "threshold": 0.25}, "MatryoshkaBatchTopKSAE")
    path = os.path.join(ROOT, "dictionary_learning/matryoshka/ae.pt")
    torch.save({**torch.load(path), "group_sizes": torch.tensor([2, 3, 6])}, path)
    case("dl-matryoshka", "dictionary_learning/matryoshka", x, acts, acts @ w["W_dec"] + w["b_dec"],
         {**common, "architecture": "matryoshka_batch_topk", "prefixes": [2, 5, 11]})

    w["threshold"] = np.abs(r(F, scale=0.5))
    z = x @ w["W_enc"] + w["b_enc"]
    acts = relu(z * (z > w["threshold"]))
    dl_save("jumprelu", w, "JumpReluAutoEncoder")
    case("dl-jumprelu", "dictionary_learning/jumprelu", x, acts, acts @ w["W_dec"] + w["b_dec"],
         {**common, "architecture": "jumprelu", "subtractsDecoderBias": False})


# --- sparsify ----------------------------------------------------------------------------------------------------


def sparsify():
    for name, seed, transcode, skip in (("layers.3", 40, False, False), ("layers.1.mlp", 41, True, True),
                                        ("h.2.attn/seed1", 42, False, False)):
        r = Random(seed)
        w = {"encoder.weight": r(F, D, scale=0.7), "encoder.bias": r(F, scale=0.3), "W_dec": r(F, D, scale=0.5),
             "b_dec": r(D, scale=0.4)}
        if skip:
            w["W_skip"] = r(D, D, scale=0.4)
        x = Random(seed + 1000)(ROWS, D)
        acts = topk((x if transcode else x - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"], 3)
        y = acts @ w["W_dec"] + w["b_dec"]
        if skip:
            y = y + x @ w["W_skip"].T
        path = folder("sparsify", name)
        write_safetensors(os.path.join(path, "sae.safetensors"), single(w))
        write_json(os.path.join(path, "cfg.json"), {
            "activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": 0, "k": 3,
            "multi_topk": False, "skip_connection": skip, "transcode": transcode, "d_in": D})
        hooks = {"layers.3": ("blocks.3.hook_resid_post",) * 2,
                 "layers.1.mlp": ("blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out"),
                 "h.2.attn/seed1": ("blocks.2.hook_attn_out",) * 2}[name]
        case(f"sparsify-{name.replace('/', '-')}", f"sparsify/{name}", x, acts, y,
             {"readHook": hooks[0], "writeHook": hooks[1], "subtractsDecoderBias": not transcode})


# --- Gemma Scope, Llama Scope ------------------------------------------------------------------------------------


def gemma_scope():
    def weights(seed, d_out=D):
        r = Random(seed)
        return {**saelens_weights(r, d_out), "threshold": np.abs(r(F, scale=0.5))}, Random(seed + 1000)(ROWS, D)

    for name, seed, hooks, lower in (
        ("gemma-scope-2b-pt-res/layer_3/width_16k/average_l0_5", 50, ("blocks.3.hook_resid_post",) * 2, False),
        ("gemma-scope-2b-pt-mlp/layer_0/width_16k/average_l0_7", 51, ("blocks.0.hook_mlp_out",) * 2, True),
        ("gemma-scope-9b-it-att/layer_7/width_16k/average_l0_7", 52, ("blocks.7.attn.hook_z",) * 2, False),
        ("gemma-scope-2b-pt-transcoders/layer_2/width_16k/average_l0_5", 53,
         ("blocks.2.ln2.hook_normalized", "blocks.2.hook_mlp_out"), False),
    ):
        w, x = weights(seed)
        acts = jump(x @ w["W_enc"] + w["b_enc"], w["threshold"])
        path = folder("gemma-scope", name)
        stored = {("w" + key[1:] if lower and key[0] == "W" else key): value for key, value in single(w).items()}
        np.savez(os.path.join(path, "params.npz"), **stored)
        case(f"gemma-scope-{name.split('/')[0].split('-')[-1]}", f"gemma-scope/{name}", x, acts,
             acts @ w["W_dec"] + w["b_dec"],
             {"readHook": hooks[0], "writeHook": hooks[1], "subtractsDecoderBias": False, "prependBos": True,
              "model": {"name": "google/gemma-2-9b-it" if "9b" in name else "google/gemma-2-2b"}})

    # Trained on rows of the embedding matrix; the model's stream holds them times sqrt(d).
    w, rows = weights(54)
    acts = jump(rows @ w["W_enc"] + w["b_enc"], w["threshold"])
    name = "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6"
    np.savez_compressed(os.path.join(folder("gemma-scope", name), "params.npz"), **single(w))
    case("gemma-scope-embedding", f"gemma-scope/{name}", rows * np.sqrt(D), acts,
         (acts @ w["W_dec"] + w["b_dec"]) * np.sqrt(D), {"readHook": "hook_embed", "writeHook": "hook_embed"})

    w, x = weights(55)
    acts = jump(x @ w["W_enc"] + w["b_enc"], w["threshold"])
    np.savez(os.path.join(folder("gemma-scope", "unnamed"), "params.npz"), **single(w))
    case("gemma-scope-unnamed", "gemma-scope/unnamed/params.npz", x, acts, acts @ w["W_dec"] + w["b_dec"],
         {"readHook": "blocks.9.hook_resid_post"}, options={"hook": "blocks.9.hook_resid_post"})


def gemma_scope_2():
    for name, seed, hook_in, hook_out, affine, hooks in (
        ("resid_post_all/layer_10_width_262k_l0_small", 60, "model.layers.10.output", "model.layers.10.output", False,
         ("blocks.10.hook_resid_post",) * 2),
        ("transcoder_all/layer_5_width_16k_l0_big_affine", 61, "model.layers.5.pre_feedforward_layernorm.output",
         "model.layers.5.post_feedforward_layernorm.output", True, ("blocks.5.mlp.hook_in", "blocks.5.hook_mlp_out")),
        ("attn_out_all/layer_2_width_16k_l0_small", 62, "model.layers.2.self_attn.o_proj.input",
         "model.layers.2.self_attn.o_proj.input", False, ("blocks.2.attn.hook_z",) * 2),
    ):
        r = Random(seed)
        w = {"w_enc": r(D, F, scale=0.7), "w_dec": r(F, D, scale=0.5), "b_enc": r(F, scale=0.3),
             "b_dec": r(D, scale=0.4), "threshold": np.abs(r(F, scale=0.5))}
        if affine:
            w["affine_skip_connection"] = r(D, D, scale=0.4)
        x = Random(seed + 1000)(ROWS, D)
        acts = jump(x @ w["w_enc"] + w["b_enc"], w["threshold"])
        y = acts @ w["w_dec"] + w["b_dec"]
        if affine:
            y = y + x @ w["affine_skip_connection"]
        path = folder("gemma-scope-2", name)
        write_safetensors(os.path.join(path, "params.safetensors"), single(w))
        write_json(os.path.join(path, "config.json"), {
            "hf_hook_point_in": hook_in, "hf_hook_point_out": hook_out, "width": F, "model_name": "google/gemma-3-1b-pt",
            "architecture": "jump_relu", "l0": 20, "affine_connection": affine, "type": "transcoder" if affine else "sae"})
        case(f"gemma-scope-2-{name.split('/')[0]}", f"gemma-scope-2/{name}", x, acts, y,
             {"readHook": hooks[0], "writeHook": hooks[1], "model": {"name": "google/gemma-3-1b-pt"}})


def llama_scope():
    """Activations in units of the training: inputs times s_in = sqrt(d)/norm_in, outputs times s_out."""
    for name, seed, includes, norm_in, norm_out, hooks in (
        ("Llama3_1-8B-Base-L8R-8x", 70, True, 6.5, 6.5, ("blocks.8.hook_resid_post",) * 2),
        ("Llama3_1-8B-Base-L8TC-8x", 71, True, 4.0, 1.5, ("blocks.8.ln2.hook_normalized", "blocks.8.hook_mlp_out")),
        ("plain-sparsity", 72, False, 2.0, 2.0, ("blocks.8.hook_resid_post",) * 2),
    ):
        r = Random(seed, to_bfloat16)
        w = {"encoder.weight": r(F, D, scale=0.7), "encoder.bias": r(F, scale=0.3), "decoder.weight": r(D, F, scale=0.5),
             "decoder.bias": r(D, scale=0.4)}
        x = Random(seed + 1000)(ROWS, D, scale=3)
        theta = 0.203125
        s_in, s_out = D**0.5 / norm_in, D**0.5 / norm_out
        # As the authors' library uses it: the weights made standard for raw activations, then unit decoder columns.
        bias, decoder = w["encoder.bias"] / s_in, w["decoder.weight"] * (s_in / s_out)
        raw = x @ w["encoder.weight"].T + bias
        size = np.linalg.norm(decoder, axis=0) if includes else np.ones(F)
        kept = raw * (raw * size > theta)
        y = kept @ decoder.T + w["decoder.bias"] / s_out
        path = folder("llama-scope", name, "checkpoints")
        write_bfloat16(os.path.join(path, "final.safetensors"), w)
        write_json(os.path.join(path, "../hyperparams.json"), {
            "hook_point_in": hooks[0], "hook_point_out": hooks[1], "d_model": D, "d_sae": F, "expansion_factor": 8,
            "act_fn": "jumprelu", "jump_relu_threshold": theta, "norm_activation": "dataset-wise", "top_k": 50,
            "dataset_average_activation_norm": {"in": norm_in, "out": norm_out}, "use_decoder_bias": True,
            "apply_decoder_bias_to_pre_encoder": False, "sparsity_include_decoder_norm": includes})
        # SAELens's units, those of the training: times s_in.
        case(f"llama-scope-{name}", f"llama-scope/{name}", x, kept * s_in, y,
             {"readHook": hooks[0], "writeHook": hooks[1], "subtractsDecoderBias": False})


# --- transcoder_circuits, OpenAI, bare state dicts ---------------------------------------------------------------


def transcoder_circuits():
    module, package = types.ModuleType("sae_training.config"), types.ModuleType("sae_training")

    class LanguageModelSAERunnerConfig:
        pass

    LanguageModelSAERunnerConfig.__module__ = "sae_training.config"
    LanguageModelSAERunnerConfig.__qualname__ = "LanguageModelSAERunnerConfig"
    module.LanguageModelSAERunnerConfig = LanguageModelSAERunnerConfig
    sys.modules.update({"sae_training": package, "sae_training.config": module})
    for name, seed, is_transcoder in (("transcoder", 80, True), ("sae", 81, False)):
        r = Random(seed)
        w = saelens_weights(r)
        if is_transcoder:
            w["b_dec_out"] = r(D, scale=0.4)
        x = Random(seed + 1000)(ROWS, D)
        acts = relu((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"])
        y = acts @ w["W_dec"] + (w["b_dec_out"] if is_transcoder else w["b_dec"])
        cfg = LanguageModelSAERunnerConfig()
        cfg.__dict__.update(
            model_name="gpt2-small", hook_point="blocks.8.ln2.hook_normalized" if is_transcoder else "blocks.8.hook_mlp_out",
            hook_point_layer=8, d_in=D, d_sae=F, context_size=128, dtype=torch.float32, device=torch.device("cpu"),
            is_transcoder=is_transcoder, out_hook_point="blocks.8.hook_mlp_out" if is_transcoder else None, l1_coefficient=1.4e-4)
        path = os.path.join(folder("transcoder_circuits"), f"{name}.pt")
        torch.save({"cfg": cfg, "state_dict": {key: torch.tensor(np.float32(value)) for key, value in w.items()}}, path)
        case(f"transcoder-circuits-{name}", f"transcoder_circuits/{name}.pt", x, acts, y,
             {"readHook": cfg.hook_point, "writeHook": "blocks.8.hook_mlp_out", "contextSize": 128,
              "model": {"name": "gpt2-small"}})


def openai():
    for name, seed, is_topk in (("resid_post_mlp_v5_32k/autoencoders/6.pt", 90, True),
                                ("resid_delta_attn_v4/autoencoders/2.pt", 91, False)):
        r = Random(seed)
        w = {"pre_bias": r(D, scale=0.4), "encoder.weight": r(F, D, scale=0.7), "latent_bias": r(F, scale=0.3),
             "decoder.weight": r(D, F, scale=0.5)}
        x = Random(seed + 1000)(ROWS, D) + 2
        mu = x.mean(axis=-1, keepdims=True)
        std = x.std(axis=-1, keepdims=True, ddof=1)
        z_in = (x - mu) / (std + 1e-5) if is_topk else x
        z = (z_in - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
        acts = topk(z, 3) if is_topk else relu(z)
        y = acts @ w["decoder.weight"].T + w["pre_bias"]
        state = {key: torch.tensor(np.float32(value)) for key, value in w.items()}
        state["stats_last_nonzero"] = torch.zeros(F, dtype=torch.long)
        state["activation"] = "TopK" if is_topk else "ReLU"
        if is_topk:
            state["activation_state_dict"] = {"k": 3, "postact_fn": "ReLU"}
        path = os.path.join(ROOT, "openai", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.save(state, path)
        hook = "blocks.6.hook_resid_post" if is_topk else "blocks.2.hook_attn_out"
        case(f"openai-{'topk' if is_topk else 'relu'}", f"openai/{name}", x, acts, y * std + mu if is_topk else y,
             {"readHook": hook, "normalization": "layer_norm" if is_topk else "none"})


def state_dicts():
    r = Random(95)
    w = saelens_weights(r)
    x = Random(1095)(ROWS, D)
    acts = relu((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"])
    y = acts @ w["W_dec"] + w["b_dec"]
    path = folder("state-dict")
    turned = {**w, "W_enc": w["W_enc"].T, "W_dec": w["W_dec"].T}
    torch.save({key: torch.tensor(np.ascontiguousarray(value, np.float32)) for key, value in turned.items()},
               os.path.join(path, "turned.pt"))
    options = {"hook": "blocks.0.hook_resid_post", "subtractsDecoderBias": True}
    case("state-dict-turned", "state-dict/turned.pt", x, acts, y, {"readHook": options["hook"]}, options=options)
    write_safetensors(os.path.join(path, "straight.safetensors"), single(w))
    case("state-dict-straight", "state-dict/straight.safetensors", x, acts, y, {"subtractsDecoderBias": True}, options=options)


# --- circuit-tracer ----------------------------------------------------------------------------------------------


def circuit_tracer():
    for name, seed, kind, hooks, yaml in (
        ("relu-skip", 100, "relu", ("mlp.hook_in", "mlp.hook_out"), "# a comment\nactivation: relu\n"),
        ("jumprelu", 110, "jumprelu", ("ln2.hook_normalized", "hook_mlp_out"), 'scan: "org/repo//sub@rev"\n'),
        ("topk", 120, "topk", ("hook_resid_mid", "hook_mlp_out"), "activation: topk\nk: 3\n"),
    ):
        path = folder("circuit-tracer", name)
        with open(os.path.join(path, "config.yaml"), "w") as file:
            file.write(f'model_name: "meta-llama/Llama-3.2-1B"\nmodel_kind: transcoder_set\n'
                       f"feature_input_hook: {hooks[0]}\nfeature_output_hook: '{hooks[1]}'\n{yaml}")
        for layer in range(2):
            r = Random(seed + layer)
            w = {"W_enc": r(F, D, scale=0.7), "W_dec": r(F, D, scale=0.5), "b_enc": r(F, scale=0.3), "b_dec": r(D, scale=0.4)}
            x = Random(seed + layer + 1000)(ROWS, D)
            z = x @ w["W_enc"].T + w["b_enc"]
            if kind == "jumprelu":
                w["activation_function.threshold"] = np.abs(r(F, scale=0.5))
                acts = jump(z, w["activation_function.threshold"])
            else:
                acts = topk(z, 3) if kind == "topk" else relu(z)
            y = acts @ w["W_dec"] + w["b_dec"]
            if kind == "relu":
                w["W_skip"] = r(D, D, scale=0.4)
                y = y + x @ w["W_skip"].T
            write_safetensors(os.path.join(path, f"layer_{layer}.safetensors"), single(w))
            read = f"blocks.{layer}.{hooks[0]}"
            case(f"circuit-tracer-{name}-{layer}", f"circuit-tracer/{name}/layer_{layer}.safetensors", x, acts, y,
                 {"readHook": read, "writeHook": f"blocks.{layer}.hook_mlp_out", "subtractsDecoderBias": False,
                  "model": {"name": "meta-llama/Llama-3.2-1B"}})


def refused():
    """Files that a reader must refuse: another activation, a class that nobody allowed, a call."""
    path = folder("refused")
    state = {"pre_bias": torch.zeros(D), "latent_bias": torch.zeros(F), "encoder.weight": torch.zeros(F, D),
             "decoder.weight": torch.zeros(D, F)}
    torch.save({**state, "activation": "TopK", "activation_state_dict": {"k": 3, "postact_fn": "Identity"}},
               os.path.join(path, "openai-identity.pt"))
    torch.save({**state, "activation": "Tanh"}, os.path.join(path, "openai-tanh.pt"))

    class OtherConfig:
        pass

    module = types.ModuleType("my_training")
    module.OtherConfig = OtherConfig
    OtherConfig.__module__, OtherConfig.__qualname__ = "my_training", "OtherConfig"
    sys.modules["my_training"] = module
    torch.save({"cfg": OtherConfig(), "state_dict": state}, os.path.join(path, "other-config.pt"))

    class Call:
        def __reduce__(self):
            return os.system, ("true",)

    torch.save({"cfg": Call(), "state_dict": state}, os.path.join(path, "calls-system.pt"))


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    os.makedirs(ROOT)
    for build in (saelens, dictionary_learning, sparsify, gemma_scope, gemma_scope_2, llama_scope, transcoder_circuits,
                  openai, state_dicts, circuit_tracer, refused):
        build()
    write_json(os.path.join(ROOT, "cases.json"), CASES)
    print(f"{len(CASES)} dictionaries")


main()
