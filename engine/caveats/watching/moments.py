"""Compares the gradient of one weight with the second moment that Adam keeps of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caveats.watching.models import local
from caveats.watching.stretches import LONGEST

__all__ = ["LEAD", "Moments"]

EVERY = 4  # steps: two readings within the lead
LEAD = 8  # steps by which a stale second moment is ahead of the loss (Wortsman et al. 2023)
START = 52  # steps in which the average is young
MOST = 8192  # numbers of the weight that are looked at
NEWEST = LONGEST // LEAD + 3  # readings: losses are looked at after a stretch, the first one too
KEPT, FEW = 512, 1024  # readings that wait for a device, and the numbers of each


class Moments:
    """RMS_t = √mean(g²/max(v, ε²)) of the first weight matrix, with v as it will be after the step,
    corrected for its start.

    A reading only copies some numbers of g and of v; the rest is for the rare loss that has
    jumped, so that it costs a step little and nothing waits for a device.
    """

    def __init__(self, parameters: Sequence[tuple[str, Tensor]]) -> None:
        self._weight = next((p for _, p in parameters if p.ndim > 1), None)
        self._readings: deque[tuple[int, Tensor, Tensor]] | None = None
        self._next = START

    def look(self, step: int, optimizer: Any) -> None:
        """Call before steps, when the gradients are there: at least one in eight."""
        if step < self._next:
            return
        self._next = step + EVERY
        weight = self._weight
        if weight is None or (grad := weight.grad) is None or grad.is_sparse:
            return
        if isinstance(getattr(optimizer, "grad_scale", None), Tensor):
            return  # gradients that are still multiplied by the loss scale
        average = state_of(optimizer, weight).get("exp_avg_sq")
        if self._readings is None:  # on the CPU a jump is seen at once
            self._readings = deque(maxlen=NEWEST if weight.is_cpu else KEPT)
        if isinstance(average, Tensor) and average.shape == grad.shape:
            stride = -(-weight.numel() // (MOST if weight.is_cpu else FEW))
            self._readings.append((step, some_of(grad, stride), some_of(average, stride)))

    def before(
        self, step: int, now: int, jumps: Sequence[int], optimizer: Any
    ) -> tuple[float, int]:
        """The largest RMS in the eight steps before ``step``, and how many steps before it was;
        (0, 0) if there is none. ``now`` is the step that the optimizer is about to make. Steps at
        which the loss itself jumped do not count. Waits for the device."""
        readings = self._readings or ()
        near = [r for r in readings if 1 <= step - r[0] <= LEAD and r[0] not in jumps]
        group = group_of(optimizer, self._weight)
        if not near or not group.get("betas"):
            return 0.0, 0
        beta, eps = float(group["betas"][1]), float(group.get("eps") or 0.0)
        earlier = made(state_of(optimizer, self._weight).get("step"), now) - now
        return max((rms(g, v, beta, eps, earlier + at), step - at) for at, g, v in near)


def rms(grad: Tensor, average: Tensor, beta: float, eps: float, steps: float) -> float:
    """√mean(g²/max(v, ε²)), v being the average after one step more than ``steps``."""
    young = 1 - beta ** (1 + steps)  # v is divided by it
    square = grad.float().square()
    v = torch.lerp(average.float(), square, 1 - beta)
    v.clamp_min_((eps * eps or 1e-38) * young)
    return math.sqrt(float(square.div_(v).mean() * young))


def some_of(tensor: Tensor, stride: int) -> Tensor:
    """A copy of every so many of its numbers."""
    simple = type(tensor) is Tensor and not tensor.requires_grad
    part = tensor if simple else local(tensor).detach()
    return (part if stride == 1 else part.reshape(-1)[::stride]).clone()


def state_of(optimizer: Any, weight: Tensor | None) -> dict[str, Any]:
    return getattr(optimizer, "state", {}).get(weight) or {}


def made(count: Any, step: int) -> float:
    """The steps in an average: more than ``step`` in a training that was resumed."""
    if isinstance(count, Tensor):
        return float(count)
    return float(count) if isinstance(count, int | float) else step


def group_of(optimizer: Any, weight: Tensor | None) -> dict[str, Any]:
    groups = getattr(optimizer, "param_groups", ())
    return next((g for g in groups if any(p is weight for p in g["params"])), {})
