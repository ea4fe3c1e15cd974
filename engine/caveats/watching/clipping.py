"""Sees how torch clips gradients: their length before, and the bound. The gradients that an
optimizer's step shows are those after."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import utils

from caveats.watching.numbers import middle
from caveats.watching.patching import Patches

__all__ = ["Clipping", "Kept"]

compiling = torch.compiler.is_dynamo_compiling
NEWEST = 9  # sampled steps whose shares are looked at together


class Clipping:
    """The newest call for each list of parameters, by the id of its first: the bound, and the total
    norm before, which stays on its device."""

    def __init__(self) -> None:
        self._newest: dict[int, tuple[Any, Any]] = {}

    def install(self, patches: Patches) -> None:
        """`clip_grad_norm_`, from wherever a script has it, ends in the function that this
        replaces."""
        name = "_clip_grads_with_norm_"
        for owner, called in ((utils.clip_grad, name), (utils, name[1:])):
            if hasattr(owner, called):
                patches.replace(owner, called, self._around(getattr(owner, called)))

    def _around(self, before: Callable[..., None]) -> Callable[..., None]:
        newest = self._newest

        def watched(parameters: Any, max_norm: Any, total_norm: Any, foreach: Any = None) -> None:
            if type(parameters) is list and parameters and not compiling():
                newest[id(parameters[0])] = max_norm, total_norm
            before(parameters, max_norm, total_norm, foreach)

        return watched

    def take(self, parameters: Iterable[int]) -> tuple[float, float] | None:
        """The bound and the share of the gradient's length that it left, of the newest call with
        the parameters of these ids; of several calls, that which left least. Waits for the
        device."""
        found = [self._newest.pop(key) for key in parameters if key in self._newest]
        calls = [(float(bound), float(norm)) for bound, norm in found]
        shares = [
            (bound, min(1.0, bound / norm)) for bound, norm in calls
            if norm > 0 and math.isfinite(norm)
        ]  # fmt: skip
        return min(shares, key=lambda share: share[1], default=None)


class Kept:
    """What clipping left of the gradients of one training at its newest sampled steps."""

    def __init__(self) -> None:
        self.bound = math.nan
        self._shares: deque[float] = deque(maxlen=NEWEST)

    def add(self, taken: tuple[float, float] | None) -> None:
        if taken is not None:
            self.bound, share = taken
            self._shares.append(share)

    @property
    def share(self) -> float:
        """NaN if nothing was seen."""
        return middle(self._shares)
