"""PyTorch eager with forward hooks: the peer of the runtime benchmarks.

A GPT-2 in plain modules whose every named activation of TransformerLens's default set passes through an identity module
with a forward hook, as TransformerLens does it. Reads one JSON request a line on standard input, answers with one JSON
line of milliseconds. Weights come from the same checkpoint as limpid's.
"""
import json
import sys
import time

import numpy as np
import torch
from torch import nn


def read_safetensors(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            array = np.frombuffer(data[start:end], dtype=np.float32).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(array.copy())
    return tensors


class HookPoint(nn.Identity):
    pass


class Norm(nn.Module):
    def __init__(self, w, b):
        super().__init__()
        self.w, self.b = nn.Parameter(w), nn.Parameter(b)
        self.hook_scale, self.hook_normalized = HookPoint(), HookPoint()

    def forward(self, x):
        x = x - x.mean(-1, keepdim=True)
        scale = self.hook_scale((x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt())
        return self.hook_normalized(x / scale) * self.w + self.b


class Attention(nn.Module):
    def __init__(self, t, p, heads):
        super().__init__()
        self.heads = heads
        self.c_attn, self.c_attn_b = nn.Parameter(t[p + "c_attn.weight"]), nn.Parameter(t[p + "c_attn.bias"])
        self.c_proj, self.c_proj_b = nn.Parameter(t[p + "c_proj.weight"]), nn.Parameter(t[p + "c_proj.bias"])
        for name in ["q", "k", "v", "attn_scores", "pattern", "z"]:
            setattr(self, "hook_" + name, HookPoint())

    def forward(self, x, mask):
        batch, pos, width = x.shape
        qkv = torch.addmm(self.c_attn_b, x.view(-1, width), self.c_attn).view(batch, pos, 3, self.heads, -1)
        q, k, v = self.hook_q(qkv[:, :, 0]), self.hook_k(qkv[:, :, 1]), self.hook_v(qkv[:, :, 2])
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / (q.shape[-1] ** 0.5)
        scores = self.hook_attn_scores(scores.masked_fill(mask, float("-inf")))
        pattern = self.hook_pattern(scores.softmax(-1))
        z = self.hook_z((pattern @ v.transpose(1, 2)).transpose(1, 2))
        return torch.addmm(self.c_proj_b, z.reshape(-1, width), self.c_proj).view(batch, pos, width)


class Mlp(nn.Module):
    def __init__(self, t, p):
        super().__init__()
        self.w_in, self.b_in = nn.Parameter(t[p + "c_fc.weight"]), nn.Parameter(t[p + "c_fc.bias"])
        self.w_out, self.b_out = nn.Parameter(t[p + "c_proj.weight"]), nn.Parameter(t[p + "c_proj.bias"])
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        pre = self.hook_pre(torch.addmm(self.b_in, flat, self.w_in).view(*x.shape[:-1], -1))
        post = self.hook_post(nn.functional.gelu(pre, approximate="tanh"))
        return torch.addmm(self.b_out, post.view(-1, post.shape[-1]), self.w_out).view_as(x)


class Block(nn.Module):
    def __init__(self, t, p, heads):
        super().__init__()
        self.ln1 = Norm(t[p + "ln_1.weight"], t[p + "ln_1.bias"])
        self.ln2 = Norm(t[p + "ln_2.weight"], t[p + "ln_2.bias"])
        self.attn, self.mlp = Attention(t, p + "attn.", heads), Mlp(t, p + "mlp.")
        for name in ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"]:
            setattr(self, "hook_" + name, HookPoint())

    def forward(self, x, mask):
        x = self.hook_resid_pre(x)
        mid = self.hook_resid_mid(x + self.hook_attn_out(self.attn(self.ln1(x), mask)))
        return self.hook_resid_post(mid + self.hook_mlp_out(self.mlp(self.ln2(mid))))


class Gpt2(nn.Module):
    def __init__(self, t, config):
        super().__init__()
        self.wte, self.wpe = nn.Parameter(t["transformer.wte.weight"]), nn.Parameter(t["transformer.wpe.weight"])
        layers = range(config["n_layer"])
        self.blocks = nn.ModuleList(Block(t, f"transformer.h.{i}.", config["n_head"]) for i in layers)
        self.ln_final = Norm(t["transformer.ln_f.weight"], t["transformer.ln_f.bias"])
        self.hook_embed, self.hook_pos_embed = HookPoint(), HookPoint()

    def forward(self, ids):
        pos = ids.shape[1]
        x = self.hook_embed(self.wte[ids]) + self.hook_pos_embed(self.wpe[:pos].expand(ids.shape[0], -1, -1))
        mask = torch.ones(pos, pos, dtype=torch.bool).triu(1)
        for block in self.blocks:
            x = block(x, mask)
        return self.ln_final(x) @ self.wte.T


def capture(model, cache):
    """Adds a forward hook to every hook point, as TransformerLens's run_with_cache does."""
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, HookPoint):
            def keep(_module, _inputs, output, name=name):
                cache[name] = output.detach()
            handles.append(module.register_forward_hook(keep))
    return handles


def timed(model, request):
    ids = torch.tensor(request["tokens"])
    torch.set_num_threads(request["threads"])
    times = []
    with torch.inference_mode():
        for _ in range(request["warmup"] + request["runs"]):
            cache = {}
            handles = capture(model, cache) if request["capture"] else []
            start = time.perf_counter()
            model(ids)
            times.append((time.perf_counter() - start) * 1e3)
            for handle in handles:
                handle.remove()
    return times[request["warmup"]:]


def naive_cuts(model, request):
    """Milliseconds of FinerCut's naive loop for each candidate: whole forward passes, a row at a time, and KL to the full model."""
    torch.set_num_threads(request["threads"])
    rows = [torch.tensor([row]) for row in request["tokens"]]
    layers = len(model.blocks)
    points = [point for block in model.blocks for point in (block.hook_attn_out, block.hook_mlp_out)]
    times = []
    with torch.inference_mode():
        full = [model(row).log_softmax(-1) for row in rows]
        for candidate in request["candidates"]:
            assert 0 <= candidate < 2 * layers
            start = time.perf_counter()
            handle = points[candidate].register_forward_hook(lambda _module, _inputs, output: output * 0)
            total = 0.0
            for row, reference in zip(rows, full):
                own = model(row).log_softmax(-1)
                total += (reference.exp() * (reference - own)).sum(-1).mean().item()
            handle.remove()
            times.append((time.perf_counter() - start) * 1e3)
    return times


def gemm_peak(size, threads):
    torch.set_num_threads(threads)
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best


def main():
    folder = sys.argv[1]
    with open(folder + "/config.json") as file:
        config = json.load(file)
    model = Gpt2(read_safetensors(folder + "/model.safetensors"), config).eval()
    # Debian's PyTorch calls whatever provides libblas.so.3; the maps of this process tell which it is.
    with open("/proc/self/maps") as maps:
        blas = sorted({line.split("/")[-1].strip() for line in maps if "blas" in line})
    print(json.dumps({"torch": torch.__version__, "blas": ", ".join(blas)}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "gemm":
            print(json.dumps({"gflops": gemm_peak(request["size"], request["threads"])}), flush=True)
        elif request["kind"] == "cuts":
            print(json.dumps({"ms": naive_cuts(model, request)}), flush=True)
        else:
            print(json.dumps({"ms": timed(model, request)}), flush=True)


if __name__ == "__main__":
    main()
