"""Goldens of dictionaries in training, by PyTorch in float64: `python3 scripts/reference/dictionaries.py`.

Writes `fixtures/dictionaries/architectures/goldens.safetensors` and `cases.json`: for each case the weights, inputs, buffers
and scalars of a step, and the loss, metrics, next buffers and gradient of every parameter that the papers' formulas give.
Written from the formulas as a reader would, one token and one feature at a time where that is clearer, apart from limpid's.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import write_safetensors

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "dictionaries" / "architectures"


class Jump(torch.autograd.Function):
    """z where z > theta, with the pseudo-derivative of Rajamanoharan et al. 2024 for theta."""

    @staticmethod
    def forward(ctx, z, theta, eps):
        ctx.save_for_backward(z, theta)
        ctx.eps = eps
        return z * (z > theta)

    @staticmethod
    def backward(ctx, g):
        z, theta = ctx.saved_tensors
        rect = (((z - theta) / ctx.eps).abs() < 0.5).double()
        return g * (z > theta), (-(theta / ctx.eps) * rect * g).sum(0), None


class Step(torch.autograd.Function):
    """1 where z > theta; only theta gets a gradient."""

    @staticmethod
    def forward(ctx, z, theta, eps):
        ctx.save_for_backward(z, theta)
        ctx.eps = eps
        return (z > theta).double()

    @staticmethod
    def backward(ctx, g):
        z, theta = ctx.saved_tensors
        rect = (((z - theta) / ctx.eps).abs() < 0.5).double()
        return None, (-(1 / ctx.eps) * rect * g).sum(0), None


class Case:
    """One step of one dictionary."""

    def __init__(self, name, seed, config, d_in=6, d_out=None, features=16, batch=8, skip=False, dead=(), **more):
        self.name, self.config, self.rng = name, config, np.random.default_rng(seed)
        self.transcoder = d_out is not None
        self.skip, self.batch, self.features = skip, batch, features
        self.d_in, self.d_out = d_in, d_out or d_in
        self.dead_after, self.variance, self.share = 100, 3.25, more.get("share", 0.75)
        self.p, self.buffers, self.next = {}, {}, {}
        self.param("W_enc", (self.d_in, features), 0.6)
        self.param("W_dec", (features, self.d_out), 0.5)
        self.param("b_dec", (self.d_out,), 0.3)
        if config["name"] == "gated":
            for bias in ("b_gate", "b_mag", "r_mag"):
                self.param(bias, (features,), 0.2)
        else:
            self.param("b_enc", (features,), 0.2)
        if config["name"] == "jumprelu":
            self.p["threshold"] = self.leaf(self.rng.uniform(0.05, 0.4, features))
        if skip:
            self.param("W_skip", (self.d_out, self.d_in), 0.4)
        if config["name"] in ("topk", "batch_topk", "matryoshka_batch_topk") and not self.transcoder:
            rows = self.p["W_dec"].detach()
            self.p["W_dec"] = self.leaf((rows / rows.norm(dim=1, keepdim=True)).numpy())
        self.x = self.fixed(self.rng.normal(0.2, 1, (batch, self.d_in)))
        self.t = self.fixed(self.rng.normal(-0.1, 1.2, (batch, self.d_out))) if self.transcoder else self.x
        ages = self.rng.integers(0, 80, features).astype(float)
        for i, feature in enumerate(dead):
            ages[feature] = 200 + 10 * i
            # Far below 0: a dead feature does not fire in this batch.
            bias = "b_gate" if config["name"] == "gated" else "b_enc"
            with torch.no_grad():
                self.p[bias][feature] = -6.0 - 0.25 * i
        self.buffers["tokensSinceFired"] = self.fixed(ages)
        self.metrics, self.scalars = {}, {}

    def fixed(self, array):
        """The float32 numbers that limpid gets, as float64."""
        return torch.tensor(np.asarray(array, dtype=np.float32).astype(np.float64))

    def leaf(self, array):
        return self.fixed(array).requires_grad_()

    def param(self, name, shape, scale):
        self.p[name] = self.leaf(self.rng.normal(0, scale, shape))

    # What is shared by definition.

    def projected(self):
        centre = 0 if self.transcoder else self.p["b_dec"]
        return (self.x - centre) @ self.p["W_enc"]

    def written(self, acts, decoder=None, bias=None):
        decoder = self.p["W_dec"] if decoder is None else decoder
        y = acts @ decoder + (self.p["b_dec"] if bias is None else bias)
        return y + self.x @ self.p["W_skip"].T if self.skip else y

    def rec(self, y):
        return ((self.t - y) ** 2).sum(1).mean() / self.variance

    def report(self, acts, y):
        """l0, fvu, dead and the ages after this batch."""
        self.metrics["l0"] = (acts != 0).double().sum(1).mean()
        self.metrics["fvu"] = ((self.t - y) ** 2).sum() / ((self.t - self.t.mean(0)) ** 2).sum()
        ages = self.buffers["tokensSinceFired"] + self.batch
        ages = torch.where((acts != 0).any(0), torch.zeros_like(ages), ages)
        self.next["tokensSinceFired"] = ages
        self.metrics["dead"] = (ages >= self.dead_after).double().sum()
        return ages

    def aux(self, y, ages, bias="b_enc"):
        """AuxK of Gao et al. 2024, normalised by the variance of the error."""
        options = self.config.get("auxK", {})
        if options is False:
            return 0.0
        k = options.get("k", self.d_in // 2)
        dead = [i for i in range(self.features) if ages[i] >= self.dead_after]
        dead = sorted(dead, key=lambda i: -float(ages[i]))[: self.d_in]
        if not dead:
            self.metrics["aux"] = torch.tensor(0.0)
            return 0.0
        z = (self.projected() + self.p[bias])[:, dead]
        kept = torch.zeros_like(z)
        for b in range(self.batch):
            for j in sorted(range(len(dead)), key=lambda j: -float(z[b, j]))[: min(k, len(dead))]:
                kept[b, j] = 1
        e = (self.t - y).detach()
        e_hat = (z * kept) @ self.p["W_dec"][dead]
        share = ((e_hat - e) ** 2).sum() / ((e - e.mean(0)) ** 2).sum()
        self.metrics["aux"] = options.get("coefficient", 1 / 32) * share
        return self.metrics["aux"]

    def weight(self, l0):
        """The penalty's weight: given, or a controller's with its next state."""
        self.scalars["sparsity"] = self.share
        if "targetL0" not in self.config:
            return self.share * self.config["coefficient"]
        target = self.config["targetL0"]
        log, fast, slow = -2.5, 1.3 * target, 1.6 * target
        for name, value in (("logCoefficient", log), ("meanL0", fast), ("slowL0", slow)):
            self.buffers[name] = self.fixed([value])
        log, fast, slow = (float(self.buffers[name]) for name in ("logCoefficient", "meanL0", "slowL0"))
        away = lambda l0: np.clip(np.log(max(l0, target / 100) / target), -1, 1)
        now = np.exp(log + 0.5 * away(fast))
        next_fast, next_slow = 0.95 * fast + 0.05 * float(l0), 0.995 * slow + 0.005 * float(l0)
        push = np.clip(away(next_fast) + 2 * np.log(next_fast / next_slow), -1, 1)
        self.next["logCoefficient"] = torch.tensor([log + push * 0.02 * self.share])
        self.next["meanL0"], self.next["slowL0"] = torch.tensor([next_fast]), torch.tensor([next_slow])
        self.metrics["coefficient"] = torch.tensor(now)
        return now * self.share

    # The architectures.

    def standard(self):
        acts = torch.relu(self.projected() + self.p["b_enc"])
        y = self.written(acts)
        ages = self.report(acts, y)
        norms = self.p["W_dec"].norm(dim=1)
        self.metrics["l1"] = (acts * norms).sum(1).mean() / np.sqrt(self.variance)
        aux = self.aux(y, ages) if "auxK" in self.config else 0
        return self.rec(y) + self.weight(self.metrics["l0"]) * self.metrics["l1"] + aux

    def gated(self):
        product = self.projected()
        gate = product + self.p["b_gate"]
        acts = (gate > 0) * torch.relu(product * torch.exp(self.p["r_mag"]) + self.p["b_mag"])
        y = self.written(acts)
        ages = self.report(acts, y)
        self.metrics["l1"] = torch.relu(gate).sum(1).mean() / np.sqrt(self.variance)
        skip, self.skip = self.skip, False
        y_gate = self.written(torch.relu(gate), self.p["W_dec"].detach(), self.p["b_dec"].detach())
        self.skip = skip
        if skip:
            y_gate = y_gate + self.x @ self.p["W_skip"].detach().T
        self.metrics["gateLoss"] = self.rec(y_gate)
        aux = self.aux(y, ages, "b_gate") if "auxK" in self.config else 0
        return self.rec(y) + self.weight(self.metrics["l0"]) * self.metrics["l1"] + self.metrics["gateLoss"] + aux

    def topk(self):
        z = self.projected() + self.p["b_enc"]
        best = torch.topk(z, self.config["k"], dim=1)
        acts = torch.zeros_like(z).scatter(1, best.indices, torch.relu(best.values))
        y = self.written(acts)
        return self.rec(y) + self.aux(y, self.report(acts, y))

    def largest_of_batch(self):
        z = self.projected() + self.p["b_enc"]
        flat = torch.relu(z).flatten()
        best = torch.topk(flat, self.config["k"] * self.batch)
        acts = torch.zeros_like(flat).scatter(0, best.indices, best.values).view_as(z)
        least = float(best.values[best.values > 0].min())
        before = self.config.get("_threshold", -1.0)
        self.buffers["runningThreshold"] = self.fixed([before])
        before = float(self.buffers["runningThreshold"])
        now = least if before < 0 else 0.99 * before + 0.01 * least
        self.next["runningThreshold"] = torch.tensor([now])
        self.metrics["threshold"] = torch.tensor(now)
        return acts

    def batch_topk(self):
        acts = self.largest_of_batch()
        y = self.written(acts)
        return self.rec(y) + self.aux(y, self.report(acts, y))

    def matryoshka_batch_topk(self):
        acts = self.largest_of_batch()
        loss = 0
        for width in self.config["prefixes"]:
            y = self.written(acts[:, :width], self.p["W_dec"][:width])
            loss = loss + self.rec(y)
        return loss + self.aux(y, self.report(acts, y))

    def jumprelu(self):
        z = self.projected() + self.p["b_enc"]
        eps = self.config.get("bandwidth", 0.2)
        acts = Jump.apply(z, self.p["threshold"], eps)
        l0 = Step.apply(z, self.p["threshold"], eps).sum(1).mean()
        y = self.written(acts)
        ages = self.report(acts, y)
        penalty = self.config.get("penalty", "quadratic")
        if penalty == "quadratic":
            self.scalars["sparsity"] = self.share
            away = l0 / self.config["targetL0"] - 1
            punished = away**2 if abs(float(away)) <= 1 else 2 * away - 1
            punished = punished * self.share * self.config.get("coefficient", 1)
        elif penalty == "step":
            punished = self.weight(l0) * l0
        else:
            c = self.config.get("tanhScale", 4)
            norms = self.p["W_dec"].norm(dim=1)
            punished = self.weight(l0) * torch.tanh(c * acts * norms).sum(1).mean()
        self.metrics["penalty"] = punished
        return self.rec(y) + punished + self.aux(y, ages)

    def run(self):
        loss = getattr(self, self.config["name"])()
        loss.backward()
        tensors = {"x": self.x, "t": self.t, "loss": loss}
        for kind, values in (("parameter", self.p), ("buffer", self.buffers), ("next", self.next)):
            tensors.update({f"{kind}.{name}": value for name, value in values.items()})
        tensors.update({f"metric.{name}": value for name, value in self.metrics.items()})
        tensors.update({f"gradient.{name}": value.grad for name, value in self.p.items()})
        return {f"{self.name}/{name}": np.asarray(value.detach(), np.float32) for name, value in tensors.items()}

    def describe(self):
        shape = {
            "dIn": self.d_in, "dOut": self.d_out, "nFeatures": self.features, "batch": self.batch,
            "isTranscoder": self.transcoder, "hasSkip": self.skip, "targetVariance": self.variance,
            "deadAfter": self.dead_after, "steps": 1000,
        }
        config = {key: value for key, value in self.config.items() if not key.startswith("_")}
        return {"name": self.name, "config": config, "shape": shape, "scalars": self.scalars}


def cases():
    transcoder = {"d_out": 5, "skip": True}
    yield Case("standard", 1, {"name": "standard", "coefficient": 0.3})
    yield Case("standard-target", 2, {"name": "standard", "targetL0": 4})
    yield Case("standard-skip", 3, {"name": "standard", "coefficient": 0.3, "auxK": {}}, dead=(2, 9), **transcoder)
    yield Case("gated", 4, {"name": "gated", "coefficient": 0.2})
    yield Case("gated-aux", 5, {"name": "gated", "targetL0": 5, "auxK": {"coefficient": 0.5}}, dead=(1, 7))
    yield Case("gated-skip", 6, {"name": "gated", "coefficient": 0.2}, **transcoder)
    yield Case("topk", 7, {"name": "topk", "k": 3})
    yield Case("topk-dead", 8, {"name": "topk", "k": 3}, dead=(0, 5, 6, 11))
    yield Case("topk-one-dead", 9, {"name": "topk", "k": 3, "auxK": {"k": 2, "coefficient": 0.25}}, dead=(4,))
    yield Case("topk-many-dead", 10, {"name": "topk", "k": 2}, dead=(0, 1, 3, 4, 5, 7, 9, 11, 14))
    yield Case("topk-sparse", 11, {"name": "topk", "k": 2}, features=64, dead=(3, 40))
    yield Case("topk-sparse-skip", 12, {"name": "topk", "k": 2}, features=64, dead=(3, 40), **transcoder)
    yield Case("topk-no-aux", 13, {"name": "topk", "k": 4, "auxK": False}, d_out=4)
    yield Case("batch-topk", 14, {"name": "batch_topk", "k": 3, "_threshold": 0.8}, dead=(2, 3))
    yield Case("batch-topk-first", 15, {"name": "batch_topk", "k": 2}, features=64)
    yield Case("batch-topk-skip", 16, {"name": "batch_topk", "k": 3}, dead=(2,), **transcoder)
    yield Case("matryoshka", 17, {"name": "matryoshka_batch_topk", "k": 3, "prefixes": [3, 8, 16]}, dead=(9,))
    yield Case("matryoshka-skip", 18, {"name": "matryoshka_batch_topk", "k": 3, "prefixes": [5, 16]}, **transcoder)
    yield Case("jumprelu", 19, {"name": "jumprelu", "targetL0": 4}, batch=24)
    yield Case("jumprelu-far", 20, {"name": "jumprelu", "targetL0": 2, "coefficient": 3}, batch=24, dead=(8,))
    yield Case("jumprelu-step", 21, {"name": "jumprelu", "penalty": "step", "coefficient": 0.1, "bandwidth": 0.5}, batch=24)
    yield Case("jumprelu-tanh", 22, {"name": "jumprelu", "penalty": "tanh", "targetL0": 5, "tanhScale": 2}, batch=24)
    yield Case("jumprelu-skip", 23, {"name": "jumprelu", "targetL0": 6}, batch=24, **transcoder)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tensors, described = {}, []
    for case in cases():
        tensors.update(case.run())
        described.append(case.describe())
    write_safetensors(OUT / "goldens.safetensors", tensors)
    (OUT / "cases.json").write_text(json.dumps(described, indent=1) + "\n")


if __name__ == "__main__":
    main()
