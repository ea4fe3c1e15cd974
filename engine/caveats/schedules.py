"""How the learning rate moves with the step: each a pure function that knows no optimizer.

Every schedule takes the step about to be made (from 0) and the number of steps in all, and
returns the factor by which the configured learning rate is multiplied.
"""

from __future__ import annotations

import math

__all__ = ["constant", "cosine", "linear", "warmup"]


def constant(step: int, steps: int) -> float:
    return 1.0


def linear(step: int, steps: int) -> float:
    return max(0.0, 1 - step / steps)


def cosine(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def warmup(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / max(1, steps // 10))
