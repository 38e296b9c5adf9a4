"""Writes `fixtures/architectures`: checkpoints and their float64 activations. Same input, same bytes.

    python3 scripts/reference/make_goldens.py [NAME...]

For each fixture, `golden.safetensors` holds
- none/tokens, none/<hook>, none/logits: two prompts of equal length, every hook point;
- left/..., right/...: two prompts of unequal length with padding on that side and `attention_mask`; a few hook points;
- edit/<hook>/{index, delta, logits}: delta added at index = [row, pos, head or -1] of one hook point, and the logits of
  that row, for every hook point. For scores and patterns index is [row, head, query].
"""

import json
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.attention import visible_keys  # noqa: E402
from reference.checkpoints import load  # noqa: E402
from reference.fixtures import SEED, fixtures  # noqa: E402
from reference.hooks import Hooks  # noqa: E402
from reference.safetensors import write_safetensors  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "architectures"
LENGTH, SHORT, LONG = 6, 3, 7
SIZE = 0.3  # of an edit, in standard deviations of the hook point's values
VISIBLE = 0.01  # an edit must move some logit of its row by this much, or another is drawn
PADDED = ("hook_embed", "hook_pos_embed", ".hook_resid_post", ".hook_pattern")


def make_edit(name, value, model, attention_mask, rng):
    """Returns (index stored, index into the value, delta) of a random edit."""
    row, pos = rng.integers(value.shape[0]), rng.integers(1, LENGTH - 1)
    if name.endswith(("hook_attn_scores", "hook_pattern")):
        head = rng.integers(value.shape[1])
        stored, index = [row, head, pos], (row, head, pos)
        layer = int(name.split(".")[1])
        keep = visible_keys(model.config, layer, attention_mask)[row, 0, pos].numpy()
    elif value.dim() == 4:
        head = rng.integers(value.shape[2])
        stored, index, keep = [row, pos, head], (row, pos, head), 1.0
    else:
        stored, index, keep = [row, pos, -1], (row, pos), 1.0
    finite = value[torch.isfinite(value)]
    delta = rng.standard_normal(value[index].shape) * SIZE * float(finite.std()) * keep
    return stored, index, torch.from_numpy(delta)


def golden(name, model):
    """Returns every tensor of a golden file."""
    rng = np.random.default_rng([SEED, 1, zlib.crc32(name.encode())])
    tokens = torch.from_numpy(rng.integers(0, model.config.d_vocab, size=(2, LENGTH)))
    hooks = Hooks()
    logits = model(tokens, hooks=hooks)
    stored = {"none/tokens": tokens}
    stored.update({f"none/{hook}": value for hook, value in hooks.values.items()})
    stored["none/logits"] = logits

    for side in ("left", "right"):
        padded = torch.from_numpy(rng.integers(0, model.config.d_vocab, size=(2, LONG)))
        mask = torch.ones_like(padded)
        mask[0, slice(None, LONG - SHORT) if side == "left" else slice(SHORT, None)] = 0
        watched = Hooks()
        result = model(padded, mask, watched)
        stored[f"{side}/tokens"], stored[f"{side}/attention_mask"] = padded, mask
        stored.update({f"{side}/{hook}": value for hook, value in watched.values.items() if hook.endswith(PADDED)})
        stored[f"{side}/logits"] = result

    everything = torch.ones_like(tokens)
    for hook in hooks.values:
        effect = 0.0
        while effect < VISIBLE:
            where, index, delta = make_edit(hook, hooks.values[hook], model, everything, rng)
            edited = model(tokens, hooks=Hooks({hook: (index, delta)}))
            effect = float((edited - logits)[where[0]].abs().max())
        stored[f"edit/{hook}/index"] = torch.tensor([int(i) for i in where])
        stored[f"edit/{hook}/delta"] = delta
        stored[f"edit/{hook}/logits"] = edited[where[0]]
    return {key: value.numpy() for key, value in stored.items()}


def main(only):
    torch.set_num_threads(1)
    manifest = {"torch": torch.__version__, "numpy": np.__version__, "seed": SEED, "fixtures": {}}
    for name, (covers, file, tensors) in fixtures().items():
        if not only or name in only:
            folder = OUT / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(file, indent=2) + "\n", "utf8")
            write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
            values = golden(name, load(folder))
            write_safetensors(folder / "golden.safetensors", values)
            size = (folder / "golden.safetensors").stat().st_size
            print(f"{name}: {len(values)} tensors, {size / 1000:.0f} kB")
        manifest["fixtures"][name] = covers
    (OUT / "all.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf8")


if __name__ == "__main__":
    main(sys.argv[1:])
