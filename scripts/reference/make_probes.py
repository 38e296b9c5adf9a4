"""Goldens of linear probes, by numpy alone: Newton's method, normal equations and pooled covariances in float64.

Run: /usr/bin/python3 scripts/reference/make_probes.py   (writes fixtures/probes/probes.json)

Features are standardised by their own mean and deviation (population) before logistic, multinomial, ridge and LDA; weights
are reported on features as they are. Differences of means are taken on features as they are.
"""
import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "probes" / "probes.json"


def standardise(x):
    mean, deviation = x.mean(0), x.std(0)
    return (x - mean) / deviation, mean, deviation


def undo(weights, bias, mean, deviation):
    raw = weights / deviation
    return raw, bias - raw @ mean


def logistic(z, y, penalty):
    """Newton's method on log loss + penalty / 2 |w|^2, the constant not penalised."""
    n, d = z.shape
    a = np.hstack([z, np.ones((n, 1))])
    ridge = np.diag([penalty] * d + [0.0])
    w = np.zeros(d + 1)
    for _ in range(100):
        p = 1 / (1 + np.exp(-a @ w))
        gradient = a.T @ (p - y) + ridge @ w
        hessian = (a * (p * (1 - p))[:, None]).T @ a + ridge
        w = w - np.linalg.solve(hessian, gradient)
        if np.linalg.norm(gradient) < 1e-12:
            break
    return w[:d], w[d], float(np.linalg.norm(gradient))


def multinomial(z, y, classes, penalty):
    """Newton's method on the softmax loss; the common shift of the constants is fixed by summing to 0."""
    n, d = z.shape
    a = np.hstack([z, np.ones((n, 1))])
    onehot = np.eye(classes)[y]
    mask = np.concatenate([np.full(d, penalty), [0.0]])
    w = np.zeros((classes, d + 1))
    for _ in range(200):
        s = a @ w.T
        p = np.exp(s - s.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        gradient = (p - onehot).T @ a + mask * w
        hessian = np.zeros((classes, d + 1, classes, d + 1))
        for i in range(classes):
            for j in range(classes):
                weight = p[:, i] * ((i == j) - p[:, j])
                hessian[i, :, j, :] = (a * weight[:, None]).T @ a
                if i == j:
                    hessian[i, :, j, :] += np.diag(mask)
        flat = hessian.reshape(classes * (d + 1), -1)
        step = np.linalg.lstsq(flat, gradient.ravel(), rcond=1e-12)[0].reshape(w.shape)
        w = w - step
        if np.linalg.norm(gradient) < 1e-11:
            break
    w[:, d] -= w[:, d].mean()
    return w[:, :d], w[:, d]


def ridge(z, y, penalty):
    d = z.shape[1]
    return np.linalg.solve(z.T @ z + penalty * np.eye(d), z.T @ (y - y.mean())), y.mean()


def lda(z, y, classes, shrinkage, prior=True):
    n, d = z.shape
    means = np.stack([z[y == c].mean(0) for c in range(classes)])
    centred = z - means[y]
    covariance = centred.T @ centred / n
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / d * np.eye(d)
    weights = np.linalg.solve(shrunk, means.T).T
    bias = -0.5 * (weights * means).sum(1)
    if prior:
        bias = bias + np.log(np.bincount(y) / n)
    return weights, bias


def listed(*arrays):
    return [np.asarray(array).tolist() for array in arrays]


def main():
    rng = np.random.default_rng(7)
    n, d = 61, 7
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d) * 3
    x = x.astype(np.float32).astype(np.float64)
    noisy = x @ rng.normal(size=d) + 2 * rng.normal(size=n)
    two = (noisy > np.median(noisy)).astype(int)
    three = rng.integers(0, 3, size=n)
    x3 = x.copy()
    x3[:, 2] += three
    x3 = x3.astype(np.float32).astype(np.float64)
    value = x @ rng.normal(size=d) + rng.normal(size=n)
    z, mean, deviation = standardise(x)
    z3, mean3, deviation3 = standardise(x3)
    goldens = {}
    w, b, norm = logistic(z, two, 1.0)
    goldens["logistic"] = listed(*undo(w, b, mean, deviation))
    separable = (x[:, 0] > np.median(x[:, 0])).astype(int)
    w, b, _ = logistic(z, separable, 0.01)
    goldens["separable"] = listed(*undo(w, b, mean, deviation))
    w, b = multinomial(z3, three, 3, 0.5)
    raws = [undo(w[c], b[c], mean3, deviation3) for c in range(3)]
    goldens["multinomial"] = listed(np.stack([r[0] for r in raws]), np.array([r[1] for r in raws]))
    w, b = ridge(z, value, 2.0)
    goldens["ridge"] = listed(*undo(w, b, mean, deviation))
    w, b = ridge(z, 2.0 * two - 1, 2.0)
    goldens["ridgeClasses"] = listed(*undo(w, b, mean, deviation))
    for name, shrinkage, prior in [("lda", 0.1, True), ("ldaPlain", 0.0, True), ("ldaFull", 1.0, True), ("whitened", 0.1, False)]:
        w, b = lda(z, two, 2, shrinkage, prior)
        goldens[name] = listed(*undo(w[1] - w[0], b[1] - b[0], mean, deviation))
    w, b = lda(z3, three, 3, 0.2)
    raws = [undo(w[c], b[c], mean3, deviation3) for c in range(3)]
    goldens["ldaThree"] = listed(np.stack([r[0] for r in raws]), np.array([r[1] for r in raws]))
    m0, m1 = x[two == 0].mean(0), x[two == 1].mean(0)
    goldens["means"] = listed(m1 - m0, -0.5 * (m1 @ m1 - m0 @ m0))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "made": f"numpy {np.__version__}, seed 7, by scripts/reference/make_probes.py",
        "gradientNorm": norm,
        "x": x.tolist(),
        "xThree": x3.tolist(),
        "two": two.tolist(),
        "separable": separable.tolist(),
        "three": three.tolist(),
        "value": value.tolist(),
        "goldens": goldens,
    }
    OUT.write_text(json.dumps(data) + "\n")
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
