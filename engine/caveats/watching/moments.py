"""Compares the gradient of one weight with the second moment that Adam keeps of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caveats.watching.models import local

__all__ = ["Moments"]

EVERY = 4  # steps: two readings within the lead
LEAD = 8  # steps by which a stale second moment is ahead of the loss (Wortsman et al. 2023)
START = 50  # steps in which the average is young
MOST = 4096  # numbers of the weight that are looked at
KEPT = 512  # readings that wait for a device


class Moments:
    """RMS_t = √mean(g²/max(v, ε²)) of the first weight matrix, with v as it will be after the step,
    corrected for its start. On a device nothing waits until a loss has jumped."""

    def __init__(self, parameters: Sequence[tuple[str, Tensor]]) -> None:
        self._weight = next((p for _, p in parameters if p.ndim > 1), None)
        self._readings: deque[tuple[int, Tensor]] = deque(maxlen=KEPT)
        self._group: dict[str, Any] | None = None

    def look(self, step: int, optimizer: Any) -> None:
        """Call before each step, when the gradients are there."""
        weight = self._weight
        if step < START or step % EVERY or weight is None or weight.grad is None:
            return
        if isinstance(getattr(optimizer, "grad_scale", None), Tensor) or weight.grad.is_sparse:
            return  # gradients that are still multiplied by the loss scale
        state = getattr(optimizer, "state", {}).get(weight) or {}
        average = state.get("exp_avg_sq")
        if not isinstance(average, Tensor) or average.shape != weight.grad.shape:
            return
        if self._group is None:
            self._group = group_of(optimizer, weight)
        if not self._group.get("betas"):
            return
        beta, eps = float(self._group["betas"][1]), float(self._group.get("eps") or 0.0)
        young = 1 - beta ** (1 + made(state.get("step"), step))  # v is divided by it
        with torch.no_grad():  # few calls: they are what this costs
            stride = max(1, weight.numel() // MOST)
            g, v = some_of(weight.grad, stride), some_of(average, stride)
            square = g * g
            v = torch.lerp(v, square, 1 - beta).clamp_min_((eps * eps or 1e-38) * young)
            self._readings.append((step, square.div_(v).mean() * young))

    def before(self, step: int, jumps: Sequence[int]) -> tuple[float, int]:
        """The largest RMS in the eight steps before ``step``, and how many steps before it was;
        (0, 0) if there is none. Steps at which the loss itself jumped do not count. Waits for the
        device."""
        found = [
            (float(ratio) ** 0.5, step - at)
            for at, ratio in self._readings
            if 1 <= step - at <= LEAD and at not in jumps
        ]
        return max(found, default=(0.0, 0))


def some_of(tensor: Tensor, stride: int) -> Tensor:
    """Every so many of its numbers, as a vector of 32 bits."""
    flat = local(tensor).reshape(-1)
    return (flat[::stride] if stride > 1 else flat).float()


def made(count: Any, step: int) -> float:
    """The steps in an average: more than ``step`` in a training that was resumed."""
    if isinstance(count, Tensor):
        return float(count) if count.device.type == "cpu" else step
    return float(count) if isinstance(count, int | float) else step


def group_of(optimizer: Any, weight: Tensor) -> dict[str, Any]:
    return next((g for g in optimizer.param_groups if any(p is weight for p in g["params"])), {})
