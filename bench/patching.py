"""PyTorch, the peer of bench/patching.ts: the same patches, one full forward each, and batched with prefix reuse.

Reads one JSON request on standard input and answers with seconds and the metric of every patch.
"""
import json
import sys
import time

import torch

from peer import Gpt2, read_safetensors


def blocks_from(model, x, layer, mask, site=None, values=None):
    """Runs the blocks from `layer` on; at that layer, `site` is replaced by `values`."""
    for index in range(layer, len(model.blocks)):
        block = model.blocks[index]
        here = site if index == layer else None
        if here == "z":
            batch, pos, width = x.shape
            attn = torch.addmm(block.attn.c_proj_b, values.reshape(-1, width), block.attn.c_proj).view_as(x)
        elif here == "attn_out":
            attn = values
        elif here == "mlp_out":
            attn = values[1]
        else:
            attn = block.attn(block.ln1(x), mask)
        mid = x + attn
        x = mid + (values[0] if here == "mlp_out" else block.mlp(block.ln2(mid)))
    logits = model.ln_final(x[:, -1]) @ model.wte.T
    return logits[:, 1] - logits[:, 2]


def cache_of(model, ids, mask):
    cache = {}
    x = model.wte[ids] + model.wpe[: ids.shape[1]]
    for layer, block in enumerate(model.blocks):
        cache["resid_pre", layer] = x
        handle = block.attn.hook_z.register_forward_hook(lambda m, i, o, layer=layer: cache.__setitem__(("z", layer), o))
        attn = block.attn(block.ln1(x), mask)
        handle.remove()
        cache["attn_out", layer] = attn
        mid = x + attn
        cache["mlp_out", layer] = block.mlp(block.ln2(mid))
        x = mid + cache["mlp_out", layer]
    return cache


def naive_sample(model, ids, clean, mask, layers):
    """Seconds, of the clock and of the processor, of one patch: a full forward with a forward hook, as TransformerLens does it."""
    times, cpu = [], []
    for layer in layers:
        point = model.blocks[layer].hook_resid_pre
        handle = point.register_forward_hook(
            lambda m, i, o, layer=layer: torch.cat([clean["resid_pre", layer][:, :1], o[:, 1:]], 1)
        )
        for _ in range(4):
            start, used = time.perf_counter(), time.process_time()
            model(ids)
            times.append(time.perf_counter() - start)
            cpu.append(time.process_time() - used)
        handle.remove()
    return sorted(times)[len(times) // 2], sorted(cpu)[len(cpu) // 2]


def batched(model, clean, base, mask, layers, pos):
    """Every patch of one site and layer in one batch, started at the layer."""
    results = {}
    for site in ["resid_pre", "attn_out", "mlp_out", "z"]:
        for layer in layers:
            into, source = base[site, layer], clean[site, layer]
            if site == "z":
                heads = into.shape[2]
                values = into.repeat(pos * heads, 1, 1, 1)
                for p in range(pos):
                    for h in range(heads):
                        values[p * heads + h, p, h] = source[0, p, h]
            else:
                values = into.repeat(pos, 1, 1)
                for p in range(pos):
                    values[p, p] = source[0, p]
            rows = []
            for start in range(0, len(values), 60):
                part = values[start : start + 60]
                stream = base["resid_pre", layer].expand(len(part), -1, -1)
                if site == "resid_pre":
                    rows.append(blocks_from(model, part, layer, mask))
                elif site == "mlp_out":
                    rows.append(blocks_from(model, stream, layer, mask, site, (part, base["attn_out", layer])))
                else:
                    rows.append(blocks_from(model, stream, layer, mask, site, part))
            results[site, layer] = torch.cat(rows)
    return results


def main():
    request = json.loads(sys.stdin.read())
    folder, every = request["folder"], request["every"]
    with open(folder + "/config.json") as file:
        config = json.load(file)
    model = Gpt2(read_safetensors(folder + "/model.safetensors"), config).eval()
    layers = list(range(0, config["n_layer"], every))
    clean_ids, ids = torch.tensor([request["from"]]), torch.tensor([request["into"]])
    pos = ids.shape[1]
    mask = torch.ones(pos, pos, dtype=torch.bool).triu(1)
    # Its BLAS uses both cores all the same; more threads were slower here (bench/README.md).
    torch.set_num_threads(1)
    with torch.inference_mode():
        clean, base = cache_of(model, clean_ids, mask), cache_of(model, ids, mask)
        seconds, cpu = naive_sample(model, ids, clean, mask, layers)
        start, used = time.perf_counter(), time.process_time()
        results = batched(model, cache_of(model, clean_ids, mask), cache_of(model, ids, mask), mask, layers, pos)
        took, batched_cpu = time.perf_counter() - start, time.process_time() - used
    metrics = [float(x) for site in ["resid_pre", "attn_out", "mlp_out", "z"] for layer in layers for x in results[site, layer]]
    n = len(metrics)
    times = {"naive": [seconds * n, cpu * n], "batched": [took, batched_cpu]}
    print(json.dumps({**times, "metrics": metrics}))


main()
