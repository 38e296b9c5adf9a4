"""PyTorch eager training steps: the peer of the training benchmarks.

Reads one JSON request a line on standard input, answers with one JSON line. `lm` is a GPT-2 (pre-norm, learned positions,
tied head, tanh GELU) with AdamW and clipping by norm; `sae` a ReLU autoencoder with an L1 penalty and Adam, `topk` a TopK
autoencoder that decodes densely, with Adam.
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = (
            part.view(B, T, self.heads, -1).transpose(1, 2).reshape(B * self.heads, T, -1)
            for part in self.qkv(self.ln1(x)).split(D, dim=-1)
        )
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=(D // self.heads) ** -0.5)
        z = (scores.softmax(-1) @ v).view(B, self.heads, T, -1).transpose(1, 2).reshape(B, T, D)
        x = x + self.out(z)
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))


class Lm(nn.Module):
    def __init__(self, layers, width, heads, context, vocabulary):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln = nn.LayerNorm(width)
        self.register_buffer("mask", torch.full((context, context), float("-inf")).triu(1))

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, self.mask)
        return self.ln(x) @ self.wte.weight.T


def lm_step(layers, width, heads, rows, context, vocabulary):
    torch.manual_seed(0)
    model = Lm(layers, width, heads, context, vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1)
    ids = torch.randint(vocabulary, (rows, context + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = model(ids[:, :-1])
        F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def sae_step(width, features, rows):
    torch.manual_seed(0)
    W_enc = nn.Parameter(torch.randn(width, features) / width**0.5)
    W_dec = nn.Parameter(W_enc.detach().T.clone())
    b_enc, b_dec = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.zeros(width))
    optimizer = torch.optim.Adam([W_enc, W_dec, b_enc, b_dec], lr=1e-4)
    x = torch.randn(rows, width)

    def step():
        optimizer.zero_grad(set_to_none=True)
        features = F.relu((x - b_dec) @ W_enc + b_enc)
        error = features @ W_dec + b_dec - x
        (error.pow(2).sum(-1).mean() + 0.01 * features.sum(-1).mean()).backward()
        optimizer.step()

    return step


def topk_step(width, features, rows, k):
    torch.manual_seed(0)
    W_enc = nn.Parameter(torch.randn(width, features) / width**0.5)
    W_dec = nn.Parameter(W_enc.detach().T.clone())
    b_enc, b_dec = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.zeros(width))
    optimizer = torch.optim.Adam([W_enc, W_dec, b_enc, b_dec], lr=1e-4)
    x = torch.randn(rows, width)

    def step():
        optimizer.zero_grad(set_to_none=True)
        values, indices = ((x - b_dec) @ W_enc + b_enc).topk(k, sorted=False)
        features_ = torch.zeros(rows, features).scatter(1, indices, F.relu(values))
        error = features_ @ W_dec + b_dec - x
        error.pow(2).sum(-1).mean().backward()
        optimizer.step()

    return step


def gemm(size):
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def main():
    torch.set_flush_denormal(True)
    blas = next((line.strip() for line in torch.__config__.show().split("\n") if "BLAS" in line.upper()), "")
    print(json.dumps({"torch": torch.__version__, "blas": blas[:60]}), flush=True)
    steps, step = {"lm": lm_step, "sae": sae_step, "topk": topk_step}, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "make":
            step = steps[request["what"]](**request["sizes"])
            answer = {}
        elif request["kind"] == "gemm":
            torch.set_num_threads(request["threads"])
            answer = {"gflops": gemm(request["size"])}
        else:
            torch.set_num_threads(request["threads"])
            times = []
            for _ in range(request["runs"]):
                start = time.perf_counter()
                step()
                times.append(1e3 * (time.perf_counter() - start))
            answer = {"ms": times, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        print(json.dumps(answer), flush=True)


main()
