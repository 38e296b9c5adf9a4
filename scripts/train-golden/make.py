"""Makes the training goldens with PyTorch: `python3 scripts/train-golden/make.py`.

Both files are small because everything that goes in is made from a linear congruential generator, which
`test/unit/train/golden.ts` has too, so that weights and tokens are equal bit for bit.

- `fixtures/training/tiny-lm.json`: losses and gradient norms of 200 steps of a two-layer transformer, float32.
- `fixtures/training/optimizers.json`: parameters after each of 12 steps of each optimiser on a small problem, float32.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "training"

MODEL = dict(n_layers=2, d_model=32, n_heads=4, d_head=8, d_mlp=128, n_ctx=32, d_vocab=64)
BATCH, CONTEXT, STEPS, WARM_UP = 8, 32, 200, 20


class Generator:
    """s <- (1103515245 s + 12345) mod 2^31."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (1103515245 * self.state + 12345) % 2**31
        return self.state / 2**31

    def tensor(self, shape, scale):
        size = math.prod(shape)
        return torch.tensor([(2 * self.uniform() - 1) * scale for _ in range(size)]).reshape(shape)


def tokens(step):
    """Rows in which a token mostly decides the next, t <- 5 t + 7, and chance does in one case of eight: [batch, context + 1]."""
    generator = Generator(1000 + step)
    rows = []
    for _ in range(BATCH):
        row = [int(MODEL["d_vocab"] * generator.uniform())]
        while len(row) <= CONTEXT:
            draw, other = generator.uniform(), generator.uniform()
            row.append(int(MODEL["d_vocab"] * other) if draw < 1 / 8 else (5 * row[-1] + 7) % MODEL["d_vocab"])
        rows.append(row)
    return torch.tensor(rows)


def shapes():
    """Shapes of all weights by TransformerLens's names, per-head matrices joined to [in, head * d_head]."""
    D, M, V = MODEL["d_model"], MODEL["d_mlp"], MODEL["d_vocab"]
    found = {"embed.W_E": (V, D), "pos_embed.W_pos": (MODEL["n_ctx"], D)}
    for layer in range(MODEL["n_layers"]):
        block = f"blocks.{layer}"
        for norm in ("ln1", "ln2"):
            found |= {f"{block}.{norm}.w": (D,), f"{block}.{norm}.b": (D,)}
        for letter in "QKVO":
            found |= {f"{block}.attn.W_{letter}": (D, D), f"{block}.attn.b_{letter}": (D,)}
        found |= {f"{block}.mlp.W_in": (D, M), f"{block}.mlp.b_in": (M,)}
        found |= {f"{block}.mlp.W_out": (M, D), f"{block}.mlp.b_out": (D,)}
    return found | {"ln_final.w": (D,), "ln_final.b": (D,), "unembed.W_U": (D, V), "unembed.b_U": (V,)}


def initial_weights():
    weights = {}
    for index, (name, shape) in enumerate(sorted(shapes().items())):
        if name.endswith(".w"):
            weights[name] = torch.ones(shape)
        elif len(shape) == 1:
            weights[name] = torch.zeros(shape)
        else:
            weights[name] = Generator(index + 1).tensor(shape, 0.1)
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def logits(w, ids):
    H, D = MODEL["n_heads"], MODEL["d_model"]
    B, T = ids.shape
    mask = torch.full((T, T), -math.inf).triu(1)
    x = w["embed.W_E"][ids] + w["pos_embed.W_pos"][:T]
    norm = lambda name, x: F.layer_norm(x, (D,), w[f"{name}.w"], w[f"{name}.b"], 1e-5)
    for layer in range(MODEL["n_layers"]):
        block = f"blocks.{layer}"
        read = norm(f"{block}.ln1", x)
        q, k, v = (
            (read @ w[f"{block}.attn.W_{letter}"] + w[f"{block}.attn.b_{letter}"]).view(B, T, H, -1).transpose(1, 2)
            for letter in "QKV"
        )
        pattern = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(MODEL["d_head"]) + mask, -1)
        z = (pattern @ v).transpose(1, 2).reshape(B, T, D)
        x = x + z @ w[f"{block}.attn.W_O"] + w[f"{block}.attn.b_O"]
        pre = norm(f"{block}.ln2", x) @ w[f"{block}.mlp.W_in"] + w[f"{block}.mlp.b_in"]
        x = x + F.gelu(pre, approximate="tanh") @ w[f"{block}.mlp.W_out"] + w[f"{block}.mlp.b_out"]
    return norm("ln_final", x) @ w["unembed.W_U"] + w["unembed.b_U"]


def factor(step):
    """Linear warm-up, then half a cosine down to a tenth."""
    if step < WARM_UP:
        return (step + 1) / (WARM_UP + 1)
    progress = min(1, (step - WARM_UP) / (STEPS - WARM_UP))
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress))


def language_model():
    w = initial_weights()
    decayed = [weight for weight in w.values() if weight.dim() > 1]
    others = [weight for weight in w.values() if weight.dim() == 1]
    groups = [dict(params=decayed, weight_decay=0.1), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-8)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    curve = dict(losses=[], gradientNorms=[], learningRates=[])
    for step in range(STEPS):
        ids = tokens(step)
        loss = F.cross_entropy(logits(w, ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(list(w.values()), 1.0)
        curve["losses"].append(float(loss))
        curve["gradientNorms"].append(float(norm))
        curve["learningRates"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return curve


CASES = {
    "adamW": lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
}


def optimizers():
    """Fits tanh(x A + b) to fixed targets; gradients are clipped by value, then by norm."""
    runs = {}
    for name, make in CASES.items():
        A = Generator(1).tensor((3, 4), 1).requires_grad_()
        b = Generator(2).tensor((4,), 1).requires_grad_()
        x, y = Generator(3).tensor((5, 3), 1), Generator(4).tensor((5, 4), 1)
        optimizer = make([A, b])
        runs[name] = []
        for _ in range(12):
            loss = ((torch.tanh(x @ A + b) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_value_([A, b], 0.05)
            torch.nn.utils.clip_grad_norm_([A, b], 0.12)
            optimizer.step()
            runs[name].append(A.detach().flatten().tolist() + b.detach().tolist())
    return runs


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    about = f"Made by scripts/train-golden/make.py with PyTorch {torch.__version__}."
    for name, make in (("tiny-lm", language_model), ("optimizers", optimizers)):
        (OUT / f"{name}.json").write_text(json.dumps({"about": about} | make()) + "\n")


main()
