"""Training: warm-up then cosine, float32 weights with bfloat16 products, resumable at any step.

The checkpoint holds weights, optimiser state, both random generators, the step and the seconds spent. It is
written to a partial file first and then renamed, so a killed run leaves the last whole one. The schedule is a
function of progress: the larger of step / steps and time spent / time allowed, so that a slow machine still
anneals in time. Without a time limit a run is reproducible; resuming with other limits bends the cosine.
"""

import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
from model import Config, Gpt2
from optimizer import Optimizer
from paths import WORK

CHECKPOINT = WORK / "checkpoint.pt"
SEED = 1
FLOOR, WARM_UP = 0.03, 100
BATCH = 8


def learning_rate(step, progress):
    """Returns the rate's share of its peak: a cosine in progress (0 to 1) down to FLOOR, with a linear warm-up."""
    cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    return cosine * min((step + 1) / WARM_UP, 1)


def save(model, optimizer, rng, step, seconds):
    """Writes the checkpoint so that it is never half there."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": rng.bit_generator.state,
        "torch_rng": torch.get_rng_state(),
        "step": step,
        "seconds": seconds,
    }
    torch.save(state, f"{CHECKPOINT}.partial")
    os.replace(f"{CHECKPOINT}.partial", CHECKPOINT)


def load_model(path=CHECKPOINT):
    """Returns the model of a checkpoint and its step."""
    state = torch.load(path, map_location="cpu")
    model = Gpt2(Config())
    model.load_state_dict(state["model"])
    return model, state["step"]


def train(steps, minutes, threads, save_every=100):
    """Trains until `steps` or `minutes` in all, whichever comes first, from the checkpoint if there is one."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    tokenizer = data.load_tokenizer()
    text = data.stream(data.load_split("train")[0], tokenizer.end_of_text)
    model = Gpt2(Config())
    optimizer = Optimizer(model)
    step, before = 0, 0.0
    if CHECKPOINT.exists():
        state = torch.load(CHECKPOINT, map_location="cpu")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"])
        step, before = state["step"], state["seconds"]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(text):,} tokens, step {step}", flush=True)
    started, shown, losses = time.time() - before, time.time(), {"text": [], "repeats": []}
    while (progress := max(step / steps, (time.time() - started) / (minutes * 60))) < 1:
        optimizer.set_rate(learning_rate(step, progress))
        share = data.repeat_share(progress)
        inputs, targets, is_repeat = data.batch(
            rng, text, BATCH, model.config.n_positions, tokenizer.end_of_text, share
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(inputs)
        by_token = F.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=data.IGNORE, reduction="none"
        ).view(targets.shape)
        counts = targets != data.IGNORE
        optimizer.zero_grad()
        (by_token.sum() / counts.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        by_row = (by_token.detach().sum(1) / counts.sum(1)).tolist()
        for repeat, loss in zip(is_repeat, by_row):
            losses["repeats" if repeat else "text"].append(loss)
        if step % 50 == 0:
            means = ", ".join(f"{kind} {sum(values) / max(len(values), 1):.3f}" for kind, values in losses.items())
            print(f"step {step} ({progress:.1%}) {means}, {(time.time() - shown) / 50:.3f} s/step", flush=True)
            shown, losses = time.time(), {"text": [], "repeats": []}
        if step % save_every == 0:
            save(model, optimizer, rng, step, time.time() - started)
    save(model, optimizer, rng, step, time.time() - started)
