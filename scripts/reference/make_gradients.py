"""Writes `gradients.safetensors` beside each checkpoint of `fixtures/architectures`. Same input, same bytes.

    python3 scripts/reference/make_gradients.py [NAME...]

Run make_goldens.py first: tokens come from its files. Each file holds, in float64,
- loss: the mean of -log p(next token) over the steps of both prompts of `none/tokens` (of the first tokens of the
  output vocabulary where that is smaller: labels are taken modulo its size);
- <hook>: the gradient of the loss at every hook point that it depends on.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.checkpoints import load  # noqa: E402
from reference.hooks import Hooks  # noqa: E402
from reference.safetensors import read_safetensors, write_safetensors  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "architectures"


class GradientHooks(Hooks):
    """Hooks that keep the gradient of what they record."""

    def __call__(self, name, value):
        value = super().__call__(name, value)
        if value.requires_grad:
            value.retain_grad()
        return value


def gradients(model, tokens):
    """Returns the loss and its gradient at every hook point, by name."""
    hooks = GradientHooks()
    forward = type(model).forward.__wrapped__  # without torch.no_grad
    logits = forward(model, tokens, None, hooks)
    labels = tokens[:, 1:] % logits.shape[-1]
    log_probs = torch.log_softmax(logits[:, :-1], dim=-1)
    loss = -log_probs.gather(2, labels[:, :, None]).mean()
    loss.backward()
    stored = {"loss": loss.detach()}
    stored.update({name: value.grad for name, value in hooks.values.items() if value.grad is not None})
    return {name: value.numpy() for name, value in stored.items()}


def main(only):
    torch.set_num_threads(1)
    for folder in sorted(path.parent for path in FIXTURES.glob("*/golden.safetensors")):
        if only and folder.name not in only:
            continue
        golden, _ = read_safetensors(folder / "golden.safetensors")
        values = gradients(load(folder), torch.from_numpy(golden["none/tokens"]))
        write_safetensors(folder / "gradients.safetensors", values)
        size = (folder / "gradients.safetensors").stat().st_size
        print(f"{folder.name}: {len(values)} tensors, {size / 1000:.0f} kB, loss {float(values['loss']):.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
