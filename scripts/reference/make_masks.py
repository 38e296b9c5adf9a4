"""Continuous sparsification of a small GPT-2 in PyTorch: losses, gradient norms and the hard mask of a few steps.

/usr/bin/python3 -m scripts.reference.make_masks   (writes fixtures/masks/sparsify.json)

The forward pass is written out here over the stored tensors, apart from the package's other reference models.
"""
import json
import math
from pathlib import Path

import torch

from scripts.reference import safetensors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "fixtures" / "architectures" / "gpt2"
ROWS, CONTEXT, STEPS = 4, 8, 12
LR, DECAY, GROWTH, SPARSITY = 0.05, 0.01, 1.1, 3.0


def rows(vocabulary):
    return [[(i * 13 + j * j * 5 + i * j) % vocabulary for j in range(CONTEXT)] for i in range(ROWS)]


def bigram(tokens, vocabulary):
    counts = torch.zeros(vocabulary, vocabulary, dtype=torch.float64)
    unigram = torch.zeros(vocabulary, dtype=torch.float64)
    for row in tokens:
        for i, token in enumerate(row):
            unigram[token] += 1
            if i > 0:
                counts[row[i - 1], token] += 1
    total = counts.sum(1, keepdim=True)
    return torch.where(total > 0, counts / total.clamp(min=1), unigram / unigram.sum()).float()


def norm(x, w, b, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b, eps)


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def logits(t, config, tokens):
    n, pos = tokens.shape
    heads, eps = config["n_head"], config["layer_norm_epsilon"]
    x = t["transformer.wte.weight"][tokens] + t["transformer.wpe.weight"][:pos]
    mask = torch.full((pos, pos), -torch.inf).triu(1)
    for layer in range(config["n_layer"]):
        p = f"transformer.h.{layer}."
        h = norm(x, t[p + "ln_1.weight"], t[p + "ln_1.bias"], eps)
        q, k, v = (h @ t[p + "attn.c_attn.weight"] + t[p + "attn.c_attn.bias"]).chunk(3, -1)
        q, k, v = (y.view(n, pos, heads, -1).transpose(1, 2) for y in (q, k, v))
        pattern = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask, -1)
        z = (pattern @ v).transpose(1, 2).reshape(n, pos, -1)
        x = x + z @ t[p + "attn.c_proj.weight"] + t[p + "attn.c_proj.bias"]
        h = norm(x, t[p + "ln_2.weight"], t[p + "ln_2.bias"], eps)
        h = gelu_new(h @ t[p + "mlp.c_fc.weight"] + t[p + "mlp.c_fc.bias"])
        x = x + h @ t[p + "mlp.c_proj.weight"] + t[p + "mlp.c_proj.bias"]
    x = norm(x, t["transformer.ln_f.weight"], t["transformer.ln_f.bias"], eps)
    return x @ t["transformer.wte.weight"].T


def run(tensors, config, tokens, target):
    names = [n for n in tensors if n.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))]
    numbers = {n: torch.zeros_like(tensors[n], requires_grad=True) for n in names}
    size = sum(m.numel() for m in numbers.values())
    optimizer = torch.optim.AdamW(list(numbers.values()), lr=LR, weight_decay=DECAY)
    record = []
    for step in range(STEPS):
        beta = GROWTH**step
        soft = {n: torch.sigmoid(beta * m) for n, m in numbers.items()}
        own = {**tensors, **{n: tensors[n] * soft[n] for n in names}}
        said = torch.log_softmax(logits(own, config, tokens), -1)
        cross = -(target * said).sum(-1).mean()
        loss = cross + SPARSITY * sum(s.sum() for s in soft.values()) / size
        optimizer.zero_grad()
        loss.backward()
        squares = sum((m.grad.double() ** 2).sum() for m in numbers.values())
        record.append({"loss": loss.item(), "crossEntropy": cross.item(), "gradientNorm": math.sqrt(squares)})
        optimizer.step()
    kept = {n: int((m > 0).sum()) for n, m in numbers.items()}
    return {"steps": record, "kept": kept}


def main():
    config = json.loads((FOLDER / "config.json").read_text())
    stored, _ = safetensors.read_safetensors(FOLDER / "model.safetensors")
    tensors = {n: torch.as_tensor(v).float() for n, v in stored.items()}
    tokens = rows(config["vocab_size"])
    ids = torch.tensor(tokens)
    target = bigram(tokens, config["vocab_size"])[ids]
    settings = {"context": CONTEXT, "learningRate": LR, "weightDecay": DECAY, "betaGrowth": GROWTH, "sparsity": SPARSITY}
    out = ROOT / "fixtures" / "masks" / "sparsify.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {"torch": torch.__version__, "settings": settings, "rows": tokens, **run(tensors, config, ids, target)}
    out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
