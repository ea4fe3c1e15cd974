"""Notes the losses on which a training calls backward, and gives each step of an optimizer its own.

The gradient of a step is that of the sum of all losses since the step before, so that sum is the
loss of the step. On the CPU a loss is a number at once. Elsewhere it stays a tensor until a step is
sampled, so that no device waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from caveats.watching.data import constant_loss

__all__ = ["Losses", "StepLosses"]

KEPT = 4096  # losses on a device that wait for a sampled step

Loss: TypeAlias = float | Tensor


class Losses:
    """``count`` is how many backward passes have begun, ``running`` how many are under way.
    ``scaler`` is the GradScaler that was used last. ``constant`` is the loss of a constant output
    at the newest step, NaN where it is not known."""

    def __init__(self) -> None:
        self.count = 0
        self.running = 0
        self.scaler: Any = None
        self.constant = math.nan
        self._constants: list[float] = []
        self._scale: Loss = 1.0
        self._pending: list[Loss] = []
        self._newest: Loss | None = None
        self._scaled: tuple[Tensor, Tensor, Any] | None = None

    def scaled(self, scaler: Any, result: Any, origin: Any) -> None:
        """A GradScaler made ``result`` of ``origin``."""
        self.scaler, factor = scaler, getattr(scaler, "_scale", None) or 1.0
        if isinstance(result, Tensor) and isinstance(origin, Tensor):
            self._scaled = result, origin, factor

    def begin(self, roots: Any, sampled: bool = False) -> None:
        """A backward pass begins at ``roots``; those that are one number are losses. On a
        ``sampled`` step the loss of a constant output is looked for as well."""
        self.count += 1
        scaled, self._scaled = self._scaled, None
        for root in roots if isinstance(roots, Sequence) else (roots,):
            if not isinstance(root, Tensor) or root.numel() != 1:
                continue
            self._scale = 1.0
            if scaled is not None and scaled[0] is root:
                _, root, self._scale = scaled
            self._constants.append(constant_loss(root) if sampled else math.nan)
            self._pending.append(root.item() if root.device.type == "cpu" else root.detach())

    def take(self, only_last: bool) -> Loss | None:
        """The loss of the step that an optimizer makes now; for a second optimizer that steps after
        the same backward pass, the same loss. An optimizer that evaluates several losses in one
        step is at the ``only_last``. None where no loss was seen."""
        pending = self._pending
        if pending:
            self._newest = pending[-1] if only_last or len(pending) == 1 else added(pending)
            constants = self._constants
            self.constant = constants[-1] if only_last else sum(constants)
            self._pending, self._constants = [], []
        return self._newest

    def factor(self) -> float:
        """The present factor of the loss scaler, 1 without one."""
        scale = float(self._scale)
        return scale if math.isfinite(scale) and scale > 0 else 1.0


def added(losses: Sequence[Loss]) -> Loss:
    if all(isinstance(loss, float) for loss in losses):
        return math.fsum(losses)
    return torch.stack([torch.as_tensor(x, dtype=torch.float64).reshape(()) for x in losses]).sum()


class StepLosses:
    """The losses of the steps of one model that were not read yet."""

    def __init__(self) -> None:
        self._waiting: list[Loss] = []

    def add(self, loss: Loss | None) -> float | None:
        """Keep a loss; if it is a number already, it is returned."""
        if loss is None:
            return None
        self._waiting.append(loss)
        if len(self._waiting) > KEPT:  # a long time between two samples: keep their mean
            mean = added(self._waiting) / len(self._waiting)
            self._waiting = [mean]
        return loss if isinstance(loss, float) else None

    def read(self) -> list[float]:
        """All that were added since the last call. Waits for the device."""
        waiting, self._waiting = self._waiting, []
        if all(isinstance(loss, float) for loss in waiting):
            return waiting  # type: ignore[return-value]
        stacked = [torch.as_tensor(w, dtype=torch.float64).reshape(()) for w in waiting]
        device = next(w.device for w in waiting if isinstance(w, Tensor))
        values: list[float] = torch.stack([s.to(device) for s in stacked]).cpu().tolist()
        return values
