"""The optimiser: orthogonalised momentum (Muon, Jordan et al. 2024) for the matrices inside blocks, AdamW for the rest.

Muon, for a weight [in, out] with gradient g:
1. m <- beta m + g;  u = g + beta m                                   (Nesterov momentum)
2. u <- U V^T where u = U S V^T, approximately, by five Newton-Schulz steps on u / |u|:
   A = u u^T;  u <- a u + (b A + c A^2) u
3. weight <- (1 - rate * decay) weight - rate * sqrt(max(1, out / in)) u
It needs about half as many steps as AdamW here. The fused query, key, value matrix counts as three.
"""

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalize(batch, steps=5):
    """Returns matrices [n, rows, columns] with singular values near 1 and the same singular vectors."""
    a, b, c = COEFFICIENTS
    wide = batch.shape[1] <= batch.shape[2]
    u = (batch if wide else batch.transpose(1, 2)).bfloat16()
    u = u / (u.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        A = u @ u.transpose(1, 2)
        u = a * u + (b * A + c * (A @ A)) @ u
    u = u.float()
    return u if wide else u.transpose(1, 2)


class Muon(torch.optim.Optimizer):
    """Muon over a list of (weight, number of side-by-side matrices in it)."""

    def __init__(self, weights, lr, momentum=0.95, decay=0.1):
        self.parts = [n for _, n in weights]
        super().__init__([weight for weight, _ in weights], {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        group = self.param_groups[0]
        by_shape = {}
        for weight, n in zip(group["params"], self.parts):
            state = self.state[weight]
            m = state.setdefault("momentum", torch.zeros_like(weight))
            m.mul_(group["momentum"]).add_(weight.grad)
            update = weight.grad + group["momentum"] * m
            for piece, target in zip(update.chunk(n, dim=1), weight.chunk(n, dim=1)):
                by_shape.setdefault(piece.shape, []).append((piece, target))
        for (n_in, n_out), pairs in by_shape.items():
            rate = group["lr"] * max(1, n_out / n_in) ** 0.5
            directions = orthogonalize(torch.stack([piece for piece, _ in pairs]))
            for (_, target), direction in zip(pairs, directions):
                target.mul_(1 - group["lr"] * group["decay"]).add_(direction, alpha=-rate)


class Optimizer:
    """Both optimisers as one; `set_rate(1)` is the peak of both."""

    MUON_PEAK, ADAM_PEAK = 0.01, 1.2e-3

    def __init__(self, model):
        matrices, rest = [], []
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and ".h." in name:
                matrices.append((weight, 3 if "c_attn" in name else 1))
            else:
                rest.append(weight)
        self.muon = Muon(matrices, self.MUON_PEAK)
        self.adam = torch.optim.AdamW(rest, lr=self.ADAM_PEAK, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)

    def set_rate(self, factor):
        for optimizer, peak in ((self.muon, self.MUON_PEAK), (self.adam, self.ADAM_PEAK)):
            for group in optimizer.param_groups:
                group["lr"] = peak * factor

    def zero_grad(self):
        self.muon.zero_grad(set_to_none=True)
        self.adam.zero_grad(set_to_none=True)

    def step(self):
        self.muon.step()
        self.adam.step()

    def state_dict(self):
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state):
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
