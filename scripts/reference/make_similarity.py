"""Goldens of similarity measures with numpy, by their definitions: `python3 scripts/reference/make_similarity.py`.

Writes `fixtures/similarity/golden.json`: two small activations and every measure of them.
"""

import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "similarity" / "golden.json"


def center(x):
    return x - x.mean(0)


def cka_biased(x, y):
    H = np.eye(len(x)) - 1 / len(x)
    K, L = H @ (x @ x.T) @ H, H @ (y @ y.T) @ H
    return np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))


def hsic_unbiased(K, L):
    n, one = len(K), np.ones(len(K))
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    first = np.trace(K @ L) + one @ K @ one * (one @ L @ one) / ((n - 1) * (n - 2))
    return (first - 2 * (one @ K @ L @ one) / (n - 2)) / (n * (n - 3))


def cka_unbiased(x, y):
    K, L = x @ x.T, y @ y.T
    return hsic_unbiased(K, L) / np.sqrt(hsic_unbiased(K, K) * hsic_unbiased(L, L))


def svcca(x, y):
    def basis(z):
        U, s, _ = np.linalg.svd(center(z), full_matrices=False)
        kept = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99)) + 1
        return U[:, :kept]

    return np.linalg.svd(basis(x).T @ basis(y), compute_uv=False).clip(0, 1).mean()


def procrustes(x, y):
    x, y = center(x), center(y)
    return np.linalg.svd(x.T @ y, compute_uv=False).sum() / np.linalg.norm(x) / np.linalg.norm(y)


def rsa(x, y):
    upper = np.triu_indices(len(x), 1)
    a, b = 1 - np.corrcoef(x)[upper], 1 - np.corrcoef(y)[upper]
    return np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1]


def main():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(48, 4))
    x = shared @ rng.normal(size=(4, 6)) + 0.5 * rng.normal(size=(48, 6)) + 0.7
    y = np.tanh(shared @ rng.normal(size=(4, 5))) + 0.3 * rng.normal(size=(48, 5))
    wide = np.concatenate([x, rng.normal(size=(48, 60))], 1)
    measures = {"cka": cka_unbiased, "ckaBiased": cka_biased, "svcca": svcca, "procrustes": procrustes, "rsa": rsa}
    golden = {
        "x": x.tolist(),
        "y": y.tolist(),
        "wide": wide.tolist(),
        "xy": {name: float(measure(x, y)) for name, measure in measures.items()},
        "wideY": {name: float(measures[name](wide, y)) for name in ("cka", "rsa")},
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(golden) + "\n")


main()
