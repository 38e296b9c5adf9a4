"""Writes `fixtures/tiny`: a Hugging Face GPT-2 folder with float16 weights, and its card.

1. Round the checkpoint's weights to float16; the tied head is not stored.
2. Write the model, its configuration and the tokenizer.
3. Read the folder back, measure that, and write the figures into the card.
"""

import json
import math
import shutil

import torch

import evaluate
import train
from bpe import END_OF_TEXT
from model import Config
from paths import FIXTURE, WORK
from reference.safetensors import write_safetensors

CARD = """---
license: mit
language: en
---

# tiny

A GPT-2-shaped language model for tests, notebooks and demonstrations: small enough to ship, trained well
enough to have something inside. It writes grammatical-looking nonsense; it knows nothing.

| | |
|---|---|
| architecture | `GPT2LMHeadModel`: {n_layer} layers, d_model {n_embd}, {n_head} heads, context {n_positions}, tied head, `gelu_new` |
| parameters | {parameters:,} ({size_mb:.1f} MB as float16) |
| tokenizer | byte-level BPE, {vocab_size} tokens, GPT-2's pre-tokeniser; `{end_of_text}` is BOS, EOS and separator |
| data | State of the Union addresses 1790-2021 and Moby Dick, {train_mb:.1f} MB of public-domain English |
| training | {steps} steps of 8 x 256 tokens, Muon and AdamW, cosine; a fifth of sequences are a repeated block of random tokens or text |
| licence | weights and tokenizer MIT; the text is in the public domain |

Typographic quotes and dashes were made ASCII. Half of the training sequences begin with `{end_of_text}`, so the
model works with or without it in front. Common first names, countries, months and two-digit numbers
are single tokens after a space (numbers without one).

This edition was tuned while it trained: at step 2,600 sinusoids were added to the position embeddings (from 0.028
to about 0.13 in amplitude), after which copying formed; peak rates and the share of repeats changed too. The
script now starts with such values, so a fresh run gives other weights.

## Measured on these float16 weights

Held out: whole documents, {test_kb:.0f} kB, {test_tokens:,} tokens.

| | |
|---|---|
| bits per byte | **{bits_per_byte:.4f}** ({loss_per_token_nats:.3f} nats per token) |
| interpolated bigram over the same tokens | {bigram_bits_per_byte:.4f} (the model is {percent:.1f} % below) |
| repeated random tokens, first copy of 64 | {repeat_first_nats:.3f} nats per token (a uniform guess: {uniform:.3f}) |
| repeated random tokens, second copy | {repeat_second_nats:.3f} nats per token (ratio {repeat_ratio:.4f}; 200 seeds) |
| float16 rounding | {delta_bpb:+.6f} bits per byte; second copy {delta_second:+.5f} nats; worst logit {worst_logit:.4f} |

Made and measured by `scripts/train-tiny`.
"""


def hf_config(config, end_of_text):
    """Returns config.json as Hugging Face writes it for GPT-2."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "attn_pdrop": 0.0,
        "bos_token_id": end_of_text,
        "embd_pdrop": 0.0,
        "eos_token_id": end_of_text,
        "initializer_range": 0.02,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": None,
        "n_layer": config.n_layer,
        "n_positions": config.n_positions,
        "reorder_and_upcast_attn": False,
        "resid_pdrop": 0.0,
        "scale_attn_by_inverse_layer_idx": False,
        "scale_attn_weights": True,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": config.vocab_size,
    }


def tokenizer_config(context):
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TEXT,
        "model_max_length": context,
        "pad_token": END_OF_TEXT,
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": END_OF_TEXT,
    }


def save_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", "utf8")


def write_model(full, tokenizer):
    """Writes weights, configuration and tokenizer."""
    config = Config()
    FIXTURE.mkdir(parents=True, exist_ok=True)
    halves = {name: value.numpy().astype("float16") for name, value in full.state_dict().items()}
    write_safetensors(FIXTURE / "model.safetensors", halves, {"format": "pt"})
    save_json(FIXTURE / "config.json", hf_config(config, tokenizer.end_of_text))
    save_json(FIXTURE / "tokenizer_config.json", tokenizer_config(config.n_positions))
    shutil.copyfile(WORK / "tokenizer.json", FIXTURE / "tokenizer.json")


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    full, step = train.load_model()
    tokenizer = train.data.load_tokenizer()
    write_model(full, tokenizer)
    rounded = evaluate.load_export()
    figures, before = evaluate.measure(rounded), evaluate.measure(full)
    text = train.data.stream(train.data.load_split("test")[0], tokenizer.end_of_text)
    sample = torch.from_numpy(text[: 8 * 256].reshape(8, 256))
    worst = (rounded(sample) - full(sample)).abs().max().item()
    card = CARD.format(
        **full.config.__dict__,
        **figures,
        parameters=sum(p.numel() for p in full.parameters()),
        size_mb=(FIXTURE / "model.safetensors").stat().st_size / 1e6,
        end_of_text=END_OF_TEXT,
        train_mb=train.data.load_split("train")[1] / 1e6,
        steps=f"{step:,}",
        test_kb=figures["test_bytes"] / 1e3,
        percent=100 * figures["below_bigram"],
        delta_bpb=figures["bits_per_byte"] - before["bits_per_byte"],
        delta_second=figures["repeat_second_nats"] - before["repeat_second_nats"],
        worst_logit=worst,
        uniform=math.log(tokenizer.vocab_size),
    )
    (FIXTURE / "README.md").write_text(card, "utf8")
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"step {step}, float16 changes bits per byte by {figures['bits_per_byte'] - before['bits_per_byte']:+.6f}")
