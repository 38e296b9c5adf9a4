"""Writes `circuits.safetensors` beside some checkpoints of `fixtures/architectures`. Same input, same bytes.

    python3 scripts/reference/make_circuits.py [NAME...]

Plain numpy in float64, every product formed in full. Rows act from the left: x W. Each file holds
- ov_norm, qk_norm [layer, head]: Frobenius norms of W_V W_O and W_Q W_K^T;
- ov_values [layer, head, d_head]: singular values of W_V W_O; full_ov_values, full_qk_values those of
  W_E W_V W_O W_U and W_E W_Q W_K^T W_E^T;
- ov_eigen [layer, head, d_head, 2]: eigenvalues of W_V W_O, largest magnitude first; full_ov_eigen those of
  W_E W_V W_O W_U where it is square, and copying [layer, head] = sum / sum of magnitudes;
- composition_q, _k, _v [layer, head, layer, head]: |OV QK|, |OV QK^T|, |OV OV| over the product of the norms, 0 unless the
  first layer is the earlier one.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.checkpoints import load  # noqa: E402
from reference.safetensors import write_safetensors  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "architectures"
NAMES = ["gpt2", "llama-gqa-bias", "gemma2", "tl-vocab-out"]


def by_magnitude(values, count):
    order = sorted(values, key=lambda z: (-abs(z), -z.real, -z.imag))[:count]
    return np.array([[z.real, z.imag] for z in order])


def head_weights(model):
    """Returns W_Q, W_K, W_V, W_O as [layer, head, ...], grouped keys and values repeated."""
    state = {name: value.double().numpy() for name, value in model.state_dict().items()}
    config = model.config
    group = config.n_heads // config.n_kv_heads
    stacks = []
    for name in ("W_Q", "W_K", "W_V", "W_O"):
        layers = [state[f"blocks.{layer}.attn.{name}"] for layer in range(config.n_layers)]
        stacks.append([np.repeat(w, group, axis=0) if name in ("W_K", "W_V") else w for w in layers])
    return state, stacks


def circuits(model):
    config = model.config
    state, (w_q, w_k, w_v, w_o) = head_weights(model)
    w_e, w_u = state["embed.W_E"] * getattr(config, "embed_scale", 1.0), state["unembed.W_U"]
    layers, heads, d_head = config.n_layers, config.n_heads, config.d_head
    ov = [[w_v[a][h] @ w_o[a][h] for h in range(heads)] for a in range(layers)]
    qk = [[w_q[a][h] @ w_k[a][h].T for h in range(heads)] for a in range(layers)]
    every = [(a, h) for a in range(layers) for h in range(heads)]

    def stack(make):
        values = [np.asarray(make(a, h)) for a, h in every]
        return np.stack(values).reshape((layers, heads) + values[0].shape)

    singular = lambda matrix: np.linalg.svd(matrix, compute_uv=False)[:d_head]  # noqa: E731
    found = {
        "ov_norm": stack(lambda a, h: np.linalg.norm(ov[a][h])),
        "qk_norm": stack(lambda a, h: np.linalg.norm(qk[a][h])),
        "ov_values": stack(lambda a, h: singular(ov[a][h])),
        "full_ov_values": stack(lambda a, h: singular(w_e @ ov[a][h] @ w_u)),
        "full_qk_values": stack(lambda a, h: singular(w_e @ qk[a][h] @ w_e.T)),
        "ov_eigen": stack(lambda a, h: by_magnitude(np.linalg.eigvals(ov[a][h]), d_head)),
    }
    if w_e.shape[0] == w_u.shape[1]:
        full = stack(lambda a, h: by_magnitude(np.linalg.eigvals(w_e @ ov[a][h] @ w_u), d_head))
        found["full_ov_eigen"] = full
        found["copying"] = full[..., 0].sum(-1) / np.hypot(full[..., 0], full[..., 1]).sum(-1)
    read = {"q": qk, "k": [[m.T for m in row] for row in qk], "v": ov}
    for kind, reading in read.items():
        scores = np.zeros((layers, heads, layers, heads))
        for a, h in every:
            for b, g in every:
                if a < b:
                    left, right = ov[a][h], reading[b][g]
                    scores[a, h, b, g] = np.linalg.norm(left @ right) / np.linalg.norm(left) / np.linalg.norm(right)
        found[f"composition_{kind}"] = scores
    return found


def main(only):
    for name in only or NAMES:
        folder = FIXTURES / name
        values = {key: np.ascontiguousarray(value) for key, value in circuits(load(folder)).items()}
        write_safetensors(folder / "circuits.safetensors", values)
        size = (folder / "circuits.safetensors").stat().st_size
        print(f"{name}: {len(values)} tensors, {size / 1000:.1f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
