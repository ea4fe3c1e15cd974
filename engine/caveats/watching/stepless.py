"""A training whose optimizers never step at all: it is found by its backward passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from caveats.watching.unowned import zeroed
from caveats.watching.untrained import AFTER, leaves

__all__ = ["Stepless"]

SUMMED = 10 * AFTER  # backward passes whose gradients may be meant for one step


class Stepless:
    """Counts the backward passes before the first step of any optimizer: those since which
    gradients were set to zero are no accumulation for a later step."""

    def __init__(self) -> None:
        self._passes = self._zeroed = 0

    def begins(self, root: Any, parameters: Sequence[Tensor]) -> bool:
        """Call before each backward pass, with the ``parameters`` of all optimizers. Returns
        whether it is plain by now that nothing steps, though it should."""
        self._passes += 1
        self._zeroed += self._passes > 1 and zeroed(parameters)
        if self._zeroed < AFTER and self._passes < SUMMED:
            return False
        found = leaves(root)
        own = {id(p) for p in parameters}
        trains = any(id(p) in own for p in found)
        # An attack, or a picture of what a network sees, is after the gradient of its inputs.
        if trains and all(isinstance(leaf, nn.Parameter) for leaf in found):
            return True
        self._passes = self._zeroed = 0
        return False
