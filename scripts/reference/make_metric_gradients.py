"""Writes `metrics.safetensors` beside each checkpoint of `fixtures/architectures`. Same input, same bytes.

    python3 scripts/reference/make_metric_gradients.py [NAME...]

Run make_goldens.py first: tokens come from its files. Unlike in make_gradients.py, every hook point is a value of its
own: the gradient at `hook_mlp_in` counts what goes through the MLP alone, that at each norm of a parallel block its own
sublayer. Each file holds, in float64, for prompts of length L, vocabulary V, answers as `answers` says,
- METRIC/value [row]: every metric of METRICS; METRIC/hook_embed: the gradient of its sum over rows;
- loss/HOOK: the gradient of the mean loss where it differs from that in gradients.safetensors, and at the per-head
  inputs, with each head following its own copy of the stream;
- logitDiff/HOOK [3]: of the gradient at every hook point on the path, its sums with sin and cos weights and its maximum;
- weights/NAME [3]: the same of the gradient of the sum of logitDiff by TransformerLens's weight names (W_U transposed,
  so that a tied matrix is the sum of both).
The loss is left out where the output vocabulary is not that of the input.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.checkpoints import load  # noqa: E402
from reference.hooks import Hooks  # noqa: E402
from reference.safetensors import read_safetensors, write_safetensors  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "architectures"
PER_HEAD = ("hook_attn_in", "hook_q_input", "hook_k_input", "hook_v_input")


class OwnValues(Hooks):
    """Hooks that hand every point on as a value of its own and keep its gradient."""

    def __init__(self, follow_copies=False):
        super().__init__()
        self.follow_copies = follow_copies

    def __call__(self, name, value):
        value = super().__call__(name, value).clone()
        self.values[name] = value
        if value.requires_grad:
            value.retain_grad()
        return value

    def is_edited(self, *names):
        return self.follow_copies


def answers(row, size):
    """Returns the ids of two right answers and one wrong answer of a row."""
    return [(3 * row + 1) % size, (3 * row + 4) % size], (3 * row + 2) % size


def next_token_loss(logits, tokens):
    log_probs = torch.log_softmax(logits[:, :-1], dim=-1)
    return -log_probs.gather(2, tokens[:, 1:, None]).squeeze(2).mean(dim=1)


def divergence(reference, logits):
    p = torch.softmax(reference, dim=-1)
    return (p * (torch.log_softmax(reference, dim=-1) - torch.log_softmax(logits, dim=-1))).sum(-1)


def metrics(logits, tokens):
    """Returns every metric by name, [row] each. The reference of the divergences are the logits with rows exchanged."""
    size = logits.shape[-1]
    last = logits[:, -1]
    other = logits.detach().flip(0)
    pairs = [answers(row, size) for row in range(len(tokens))]
    right = torch.tensor([own for own, _ in pairs])
    wrong = torch.tensor([[own] for _, own in pairs])
    log_probs = torch.log_softmax(last, dim=-1)
    of_right, of_wrong = log_probs.gather(1, right), log_probs.gather(1, wrong)
    result = {
        "answerLogit": last.gather(1, right)[:, 0],
        "klAll": divergence(other, logits).mean(dim=1),
        "klLast": divergence(other[:, -1], last),
        "logProb": of_right[:, 0],
        "logProbOfAll": torch.logsumexp(of_right, dim=1),
        "logitDiff": last.gather(1, right)[:, 0] - last.gather(1, wrong)[:, 0],
        "logitDiffOfAll": last.gather(1, right).mean(dim=1) - last.gather(1, wrong)[:, 0],
        "probability": of_right.exp()[:, 0],
        "probabilityDiff": of_right.exp().sum(dim=1) - of_wrong.exp().sum(dim=1),
    }
    if int(tokens.max()) < size:
        result["loss"] = next_token_loss(logits, tokens)
    return result


def run(model, tokens, name, reduce, follow_copies=False):
    """Returns the metric, its hooks with gradients, and the gradients of all parameters."""
    model.zero_grad()
    hooks = OwnValues(follow_copies)
    forward = type(model).forward.__wrapped__  # without torch.no_grad
    value = metrics(forward(model, tokens, None, hooks), tokens)[name]
    reduce(value).backward()
    return value.detach(), {key: one.grad for key, one in hooks.values.items() if one.grad is not None}


def digest(gradient):
    """Returns sums with sin and cos weights, and the maximum of the sizes."""
    flat = gradient.reshape(-1)
    index = torch.arange(len(flat), dtype=torch.float64)
    return torch.stack([(flat * (1.3 * index + 1).sin()).sum(), (flat * (2.7 * index).cos()).sum(), flat.abs().max()])


def is_distinct(name, config):
    """Whether the gradient of a point's own value differs from what a shared value has."""
    unnormed = config.norm is None and name.endswith("mlp.hook_in")
    return unnormed or name.endswith("hook_mlp_in") or (config.parallel and (".ln1." in name or ".ln2." in name))


def golden(model, tokens, vocabulary_out):
    stored = {}
    names = [name for name in metrics(model(tokens), tokens) if name != "loss" or model.config.d_vocab == vocabulary_out]
    for name in names:
        value, gradients = run(model, tokens, name, torch.sum)
        stored[f"{name}/value"] = value
        stored[f"{name}/hook_embed"] = gradients["hook_embed"]
        if name != "logitDiff":
            continue
        for hook, gradient in gradients.items():
            if hook != "hook_embed":
                stored[f"{name}/{hook}"] = digest(gradient)
        for key, parameter in model.named_parameters():
            if parameter.grad is not None and float(parameter.grad.abs().sum()) > 0:
                grad = parameter.grad.T.contiguous() if key == "unembed.W_U" else parameter.grad
                stored[f"weights/{key}"] = digest(grad)
    if "loss" in names:
        for hook, gradient in run(model, tokens, "loss", torch.mean)[1].items():
            if is_distinct(hook, model.config):
                stored[f"loss/{hook}"] = gradient
        for hook, gradient in run(model, tokens, "loss", torch.mean, follow_copies=True)[1].items():
            if hook.endswith(PER_HEAD):
                stored[f"loss/{hook}"] = gradient
    return {name: value.contiguous().numpy() for name, value in stored.items()}


def main(only):
    torch.set_num_threads(1)
    for folder in sorted(path.parent for path in FIXTURES.glob("*/golden.safetensors")):
        if only and folder.name not in only:
            continue
        file, _ = read_safetensors(folder / "golden.safetensors")
        values = golden(load(folder), torch.from_numpy(file["none/tokens"]), file["none/logits"].shape[-1])
        write_safetensors(folder / "metrics.safetensors", values)
        size = (folder / "metrics.safetensors").stat().st_size
        print(f"{folder.name}: {len(values)} tensors, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
