"""Counts by autograd, on every training row, what the probe measures with code of its own.

It shares no code with the probe: it differentiates each activation for slopes and the loss for
deltas, and finds copies by comparing rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from caveats.run import Run

__all__ = ["Facts", "facts"]

# Activations that are bounded on a side (a ReLU6 unit that is flat counts as dead instead).
LARGEST_SLOPE = {
    "Tanh": 1.0, "TanhPlusOne": 1.0, "Sigmoid": 0.25, "Hardsigmoid": 1 / 6, "Softsign": 1.0,
    "Hardtanh": 1.0, "Softplus": 1.0, "ELU": 1.0, "SELU": 1.0507 * 1.6733,
}  # fmt: skip
ONE_SIDED = (nn.ReLU, nn.ReLU6)


@dataclass(frozen=True)
class Facts:
    """The largest share over hidden layers of dead (ReLU, ReLU6), saturated (bounded activations)
    and copied units; and delta of the first layer over that of the output."""

    dead: float
    saturated: float
    copied: float
    delta_ratio: float


@dataclass
class Seen:
    """One linear layer in one pass: z is (rows, units); the activation's input is z after the
    normalization, if there is one."""

    layer: nn.Linear
    z: torch.Tensor
    activation: nn.Module | None = None
    entering: torch.Tensor | None = None


def facts(run: Run) -> Facts:
    seen = differentiated(run)
    dead, saturated, copied = [0.0], [0.0], [0.0]
    for at in seen[:-1]:
        if at.activation is None or at.entering is None or not at.entering.isfinite().all():
            continue
        z = at.entering.clone().requires_grad_()
        slope = torch.autograd.grad(at.activation(z).sum(), z)[0].abs()  # (rows, units)
        if isinstance(at.activation, ONE_SIDED):
            dead.append(float((slope == 0).all(0).double().mean()))
        # By its class's own name: torch's ReLU6 is a Hardtanh, and what is flat below 0 is dead
        # already.
        largest = LARGEST_SLOPE.get(type(at.activation).__name__)
        if largest is not None:
            flat = (slope < 0.05 * largest).double().mean(0) >= 0.95
            saturated.append(float(flat.double().mean()))
        rows = torch.cat((at.layer.weight, at.layer.bias[:, None]), 1).detach().double()
        if len(rows) > 1:
            copied.append(1 - kinds(rows) / len(rows))
    deltas = [float(at.z.grad.double().norm()) if at.z.grad is not None else 0.0 for at in seen]
    ratio = deltas[0] / deltas[-1] if deltas[-1] > 0 else float("nan")
    return Facts(max(dead), max(saturated), max(copied), ratio)


def differentiated(run: Run) -> list[Seen]:
    """One forward and backward pass over every training row, with dropout off: the layers, first to
    last, with their deltas as ``z.grad``."""
    network, trainer = run.trainer.network, run.trainer
    seen: list[Seen] = []

    def after(module: nn.Linear, _: object, z: torch.Tensor) -> None:
        z.retain_grad()
        seen.append(Seen(module, z))

    def into(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen[-1].activation, seen[-1].entering = module, inputs[0].detach()

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
    return seen


def kinds(rows: torch.Tensor) -> int:
    """The number of distinct rows (units, weights). Two rows are equal if their distance is below
    1e-4 of the longer one's length."""
    lengths = rows.norm(dim=1)
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    alike = apart <= 1e-4 * torch.maximum(lengths[:, None], lengths[None, :])
    return int((~alike.tril(-1).any(1)).sum())


NAMES = frozenset(
    ("ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign",
     "Sigmoid", "Hardsigmoid", "Tanh", "Hardtanh", "TanhPlusOne", "PReLU", "CELU", "Sin", "Exp",
     "Identity")
)  # fmt: skip
