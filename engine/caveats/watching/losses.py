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

from caveats.watching.births import birth
from caveats.watching.fitting import Fit, fits
from caveats.watching.shown import Scale, constant_loss, target_of

__all__ = ["Loss", "Losses", "StepLosses"]

KEPT = 4096  # losses on a device that wait for a sampled step

Loss: TypeAlias = float | Tensor


class Losses:
    """``count`` is how many backward passes have begun, ``running`` whether one is under way.
    ``scaler`` is the GradScaler that was used last. ``constant`` is the loss of a constant output
    at the newest step, NaN where it is not known; ``targets`` the scale of its targets, None where
    it is not; ``fits`` the functions that its losses add up. ``born`` says of the first loss
    that was not finite what made it so, "" where that is not known."""

    def __init__(self) -> None:
        self.count = 0
        self.running = False
        self.scaler: Any = None
        self.constant = math.nan
        self.targets: Scale | None = None
        self.born: str | None = None
        self.fits: list[Fit] = []
        self._fits: list[Fit] = []
        self._constants: list[float] = []
        self._targets: list[Scale | None] = []
        self._scale: Loss = 1.0
        self.pending: list[Loss] = []  # since the newest step
        self.newest: Loss | None = None  # that a step was given
        self._scaled: tuple[Tensor, Tensor, Any] | None = None

    def scaled(self, scaler: Any, result: Any, origin: Any) -> None:
        """A GradScaler made ``result`` of ``origin``."""
        self.scaler, factor = scaler, getattr(scaler, "_scale", None) or 1.0
        if isinstance(result, Tensor) and isinstance(origin, Tensor):
            self._scaled = result, origin, factor

    def plain(self, root: Any) -> bool:
        """What `begin` does, where it is the simple case: a finite number on the CPU, without a
        loss scaler. False, and nothing has been noted, where it is not."""
        if type(root) is not Tensor or not root.is_cpu or self._scaled or root.dim():
            return False
        loss = root.item()
        if not math.isfinite(loss):
            return False
        self.count += 1
        self._scale = 1.0
        self.pending.append(loss)
        return True

    def begin(self, roots: Any, sampled: bool = False) -> bool:
        """A backward pass begins at ``roots``; those that are one number are losses. On a
        ``sampled`` step the loss of a constant output is looked for as well. Returns whether all of
        them that are known at once are finite."""
        self.count += 1
        if isinstance(roots, Tensor):
            finite = self._note(roots, sampled)
        else:
            many = roots if isinstance(roots, Sequence) else ()
            each = [self._note(r, sampled) for r in many if isinstance(r, Tensor)]
            finite = all(each)
        self._scaled = None
        return finite

    def _note(self, root: Tensor, sampled: bool) -> bool:
        if root.numel() != 1:
            return True
        self._scale = 1.0
        if self._scaled is not None and self._scaled[0] is root:
            _, root, self._scale = self._scaled
        if sampled:
            self._constants.append(constant_loss(root))
            self._targets.append(target_of(root))
            self._fits += fits(root)
        if root.is_cpu:
            loss = root.item()
            self.pending.append(loss)
            finite = math.isfinite(loss)
            if not finite and self.born is None:
                self.born = birth(root)
            return finite
        self.pending.append(root.detach())
        return True

    def take(self, only_last: bool) -> Loss | None:
        """The loss of the step that an optimizer makes now; for a second optimizer that steps after
        the same backward pass, the same loss. An optimizer that evaluates several losses in one
        step is at the ``only_last``. None where no loss was seen."""
        pending, constants = self.pending, self._constants
        if pending:
            self.constant = math.nan
            self.targets = self._targets[0] if len(self._targets) == len(pending) == 1 else None
            self._targets.clear()
            self.fits, self._fits = self._fits, []
            if len(constants) == len(pending):
                self.constant = constants[-1] if only_last else sum(constants)
            if len(pending) == 1:
                self.newest = pending.pop()
            else:
                self.newest = pending[-1] if only_last else added(pending)
                pending.clear()
            constants.clear()
        return self.newest

    def drop(self, newest: Loss | None) -> None:
        """Forget the losses up to ``newest``, that very object: they are those of earlier steps,
        which nobody followed. All stay where it is none of them."""
        at = next((i for i, loss in enumerate(self.pending) if loss is newest), -1) + 1
        for kept in (self._constants, self._targets) if at else ():
            del kept[: at if len(kept) == len(self.pending) else None]
        del self.pending[:at]

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

    def add_all(self, losses: Sequence[Loss | None]) -> list[float]:
        """Keep the losses of several steps; NaN stands for those that are no numbers yet."""
        known = [loss for loss in losses if isinstance(loss, float)]
        if len(known) == len(losses) <= KEPT - len(self._waiting):
            self._waiting.extend(known)
            return known
        return [math.nan if (loss := self.add(one)) is None else loss for one in losses]

    def read(self) -> list[float]:
        """All that were added since the last call. Waits for the device."""
        waiting, self._waiting = self._waiting, []
        if all(isinstance(loss, float) for loss in waiting):
            return waiting  # type: ignore[return-value]
        stacked = [torch.as_tensor(w, dtype=torch.float64).reshape(()) for w in waiting]
        device = next(w.device for w in waiting if isinstance(w, Tensor))
        values: list[float] = torch.stack([s.to(device) for s in stacked]).cpu().tolist()
        return values
