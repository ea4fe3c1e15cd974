"""Counts exactly, by autograd on every training row, what the probe measures with its own code.

It knows nothing of probes, histories or verdicts: slopes come from differentiating each
activation, deltas from differentiating the loss, copies from comparing rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from caveats.run import Run

__all__ = ["Facts", "facts"]

# Of the activations that are bounded on a side (ReLU6 counts as dead there).
LARGEST_SLOPE = {
    nn.Tanh: 1.0, nn.Sigmoid: 0.25, nn.Softsign: 1.0, nn.Hardtanh: 1.0, nn.Softplus: 1.0,
    nn.ELU: 1.0, nn.SELU: 1.0507 * 1.6733,
}  # fmt: skip
ONE_SIDED = (nn.ReLU, nn.ReLU6)


@dataclass(frozen=True)
class Facts:
    """Largest share over hidden layers of dead (ReLU, ReLU6), saturated (bounded activations) and
    copied units; delta of the first layer over that of the output."""

    dead: float
    saturated: float
    copied: float
    delta_ratio: float


def facts(run: Run) -> Facts:
    network, trainer = run.trainer.network, run.trainer
    seen: list[tuple[nn.Linear, torch.Tensor, nn.Module | None, torch.Tensor | None]] = []

    def after(module: nn.Linear, _: object, z: torch.Tensor) -> None:
        z.retain_grad()
        seen.append((module, z, None, None))

    def into(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        layer, z, _, _ = seen[-1]
        seen[-1] = (layer, z, module, inputs[0].detach())

    handles = []
    for module in network.modules():
        if isinstance(module, nn.Linear):
            handles.append(module.register_forward_hook(after))
        elif type(module).__name__ in NAMES:
            handles.append(module.register_forward_pre_hook(into))
    dropouts = [m for m in network.modules() if isinstance(m, nn.Dropout)]
    for module in dropouts:
        module.eval()
    loss = trainer.loss_function(network(trainer.x), trainer.y)
    loss.backward()
    for handle in handles:
        handle.remove()
    for module in dropouts:
        module.train()
    dead, saturated, copied = [0.0], [0.0], [0.0]
    for layer, _, activation, z in seen[:-1]:
        if activation is None or z is None or not bool(z.isfinite().all()):
            continue
        z = z.clone().requires_grad_()
        slope = torch.autograd.grad(activation(z).sum(), z)[0].abs()  # (rows, units)
        if isinstance(activation, ONE_SIDED):
            dead.append(float((slope == 0).all(0).double().mean()))
        # Not isinstance: torch's ReLU6 is a Hardtanh, and what is flat below 0 is dead already.
        largest = LARGEST_SLOPE.get(type(activation))
        if type(activation).__name__ == "TanhPlusOne":
            largest = 1.0
        if type(activation).__name__ == "Hardsigmoid":
            largest = 1 / 6
        if largest is not None:
            flat = (slope < 0.05 * largest).double().mean(0) >= 0.95
            saturated.append(float(flat.double().mean()))
        rows = torch.cat((layer.weight, layer.bias[:, None]), 1).detach().double()
        if len(rows) > 1:
            copied.append(1 - kinds(rows) / len(rows))
    deltas = [float(z.grad.double().norm()) if z.grad is not None else 0.0 for _, z, _, _ in seen]
    ratio = deltas[0] / deltas[-1] if deltas[-1] > 0 else float("nan")
    return Facts(max(dead), max(saturated), max(copied), ratio)


def kinds(rows: torch.Tensor) -> int:
    """How many distinct ones there are among rows (units, weights): two are alike whose distance
    is below 1e-4 of the longer one's length, however long others are."""
    lengths = rows.norm(dim=1)
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    alike = apart <= 1e-4 * torch.maximum(lengths[:, None], lengths[None, :])
    return int((~alike.tril(-1).any(1)).sum())


NAMES = frozenset(
    ("ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign",
     "Sigmoid", "Hardsigmoid", "Tanh", "Hardtanh", "TanhPlusOne")
)  # fmt: skip
