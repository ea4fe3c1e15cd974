"""An activation as theory needs it: value, slope, flat ends and kinks.

Value and slope come from the torch function itself, in float64, and bisection of the slope finds
the kinks, so that no activation is defined twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caveats.models.activations import ACTIVATIONS

__all__ = ["Floats", "Kink", "Response"]

Floats = NDArray[np.float64]
Kink = tuple[float, float]  # (where, by how much the slope jumps there)

_REACH = 16.0  # kinks are searched for in ±16: hard_sigmoid's at ±3, relu6's at 6
_FAR = 1e6  # a slope here counts as the slope at infinity


class Response:
    """φ and φ' of one activation, elementwise, on float64 arrays of any shape.

    ``function`` is a torch module or function that keeps shapes. ``name`` only selects a closed
    form in ``kernels``, if there is one. φ' is exactly 0 for z <= ``flat[0]`` and z >= ``flat[1]``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str = "",
        flat: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        double = getattr(function, "double", None)
        self._function = double() if callable(double) else function
        self.name = name
        self.flat = flat

    @classmethod
    @cache
    def of(cls, name: str) -> Response:
        """The activation of that name in the table of choices."""
        choice = ACTIVATIONS[name]
        return cls(choice.make(), name, choice.flat)

    @property
    def can_die(self) -> bool:
        return any(map(math.isfinite, self.flat))

    def value(self, z: Floats) -> Floats:
        """φ(z)."""
        import torch

        with torch.no_grad():
            out: Floats = self._function(torch.from_numpy(np.array(z, dtype=np.float64))).numpy()
        return out

    def slope(self, z: Floats) -> Floats:
        """φ'(z) as autograd defines it: 0 for ReLU at 0."""
        return self.both(z)[1]

    def both(self, z: Floats) -> tuple[Floats, Floats]:
        """φ(z) and φ'(z) in one pass."""
        import torch

        with torch.enable_grad():
            point = torch.from_numpy(np.array(z, dtype=np.float64)).requires_grad_()
            value = self._function(point)
            if value is point or not value.requires_grad:  # nn.Identity returns its input itself
                value = point * 1.0 if value is point else value + 0.0 * point
            (slope,) = torch.autograd.grad(value.sum(), point)
        out: Floats = value.detach().numpy()
        change: Floats = slope.numpy()
        return out, change

    @cached_property
    def kinks(self) -> tuple[Kink, ...]:
        """The points where the slope jumps, from left to right.

        Every cell of a grid is halved 40 times towards the larger change of slope. After that a
        smooth function has a change of order 1e-14 left; a kink keeps its jump.
        """
        edges = np.linspace(-_REACH, _REACH, 2048) + 1e-3 * math.sqrt(2)  # no edge on a kink
        low, high = edges[:-1].copy(), edges[1:].copy()
        at_low, at_high = self.slope(low), self.slope(high)
        for _ in range(40):
            middle = (low + high) / 2
            at_middle = self.slope(middle)
            left = np.abs(at_middle - at_low) >= np.abs(at_high - at_middle)
            high, at_high = np.where(left, middle, high), np.where(left, at_middle, at_high)
            low, at_low = np.where(left, low, middle), np.where(left, at_low, at_middle)
        jump = at_high - at_low
        found = np.abs(jump) > 1e-6 * np.maximum(1.0, np.abs(at_high))
        return tuple(
            (round(float(where), 9) + 0.0, float(by))
            for where, by in zip(high[found], jump[found], strict=True)
        )

    def kinks_seen_at(self, scale: float) -> tuple[Kink, ...]:
        """The kinks and, for inputs that spread over ``scale`` >> 1, one more at 0: at that scale
        GELU or softplus looks like a ReLU, and a smooth series would converge as slowly."""
        if scale <= 8.0:
            return self.kinks
        low, high = self.slope(np.array([-_FAR, _FAR]))
        rest = float(high - low) - sum(by for _, by in self.kinks)
        if not math.isfinite(rest) or abs(rest) < 1e-6:
            return self.kinks
        jumps = dict(self.kinks)
        jumps[0.0] = jumps.get(0.0, 0.0) + rest
        return tuple(sorted(jumps.items()))
