"""Checks the reference against checkpoints and activations recorded by others.

    LIMPID_DATA=FOLDER python3 scripts/reference/check_oracles.py        (or the folder as argument)

1. stories260k: a trained Llama with grouped heads; every hook point stored for two prompts, within 1e-4.
2. sort-gpt-nano: a trained GPT-2; third-party activations and logits, within 1e-4.
3. routing-toy: a TransformerLens checkpoint that solves its task on all of its 16,384 inputs.
"""

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.checkpoints import load  # noqa: E402
from reference.hooks import Hooks  # noqa: E402
from reference.safetensors import read_safetensors  # noqa: E402

TOLERANCE = 1e-4


def compare(label, model, golden):
    """Compares every stored hook point; returns whether all are within the tolerance."""
    hooks = Hooks()
    hooks.values["logits"] = model(torch.from_numpy(golden["tokens"].astype(np.int64)), hooks=hooks)
    worst, n = ("", 0.0), 0
    for name, expected in golden.items():
        if name == "tokens" or name.startswith("ln_out."):
            continue
        actual = hooks.values[name].numpy()
        if actual.shape != expected.shape:
            expected = expected.reshape(actual.shape)
        finite = np.isfinite(expected) & np.isfinite(actual)
        difference = np.abs(actual - expected, where=finite, out=np.zeros(actual.shape)).max()
        worst, n = max(worst, (name, difference), key=lambda item: item[1]), n + 1
    print(f"{label}: {n} points, worst difference {worst[1]:.2e} at {worst[0]}")
    return worst[1] <= TOLERANCE


def main(data):
    passed = []
    model = load(data / "stories260k" / "hf")
    for golden in sorted((data / "stories260k").glob("golden-*.safetensors")):
        passed.append(compare(golden.stem, model, read_safetensors(golden)[0]))
    model = load(data / "sort-gpt-nano" / "hf")
    passed.append(compare("sort-gpt-nano", model, read_safetensors(data / "sort-gpt-nano" / "golden.safetensors")[0]))

    model = load(data / "routing-toy")
    inputs = np.array([(*f, 8 + k) for f in itertools.product(range(8), repeat=4) for k in range(4)])
    answers = inputs[np.arange(len(inputs)), inputs[:, 4] - 8]
    guesses = model(torch.from_numpy(inputs))[:, -1].argmax(-1).numpy()
    print(f"routing-toy: {(guesses == answers).mean():.2%} of {len(inputs):,} inputs")
    passed.append((guesses == answers).all())
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return all(passed)


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LIMPID_DATA")
    if not folder:
        sys.exit("give the data folder as argument or in LIMPID_DATA")
    sys.exit(0 if main(Path(folder)) else 1)
