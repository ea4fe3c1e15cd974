"""The sharpness above which an optimizer's steps overshoot, from its settings alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["LIMITS", "stability_limit"]

# The condition in words, by optimizer. For optimizers that precondition with D, λ is the largest
# eigenvalue of D^-½ H D^-½.
LIMITS: dict[str, str] = {
    "sgd": "λ > 2/lr",
    "momentum": "λ > (2+2β)/lr",
    "nesterov": "λ > (2+2β)/(lr·(1+2β))",
    "rmsprop": "λ > 2/lr, λ of the Hessian divided by √v",
    "adam": "λ > (2+2β₁)/((1−β₁)·lr), λ of the Hessian divided by √v",
    "adamw": "λ > (2+2β₁)/((1−β₁)·lr), λ of the Hessian divided by √v",
}


def stability_limit(optimizer: str, lr: float, options: Mapping[str, Any]) -> float:
    """The largest curvature at which steps on a quadratic do not diverge; NaN where no formula is
    known.

    2/lr for gradient descent, (2+2β)/lr for heavy-ball momentum, (2+2β)/(lr(1+2β)) for Nesterov
    momentum (Cohen et al. 2021, appendix B); (2+2β₁)/((1-β₁)lr) for Adam with its second moments
    held fixed (Cohen et al. 2022, section 2).
    """
    momentum = float(options.get("momentum", 0.0))
    if lr <= 0:
        return math.nan
    if optimizer == "sgd" or (optimizer == "rmsprop" and momentum == 0):
        return 2 / lr
    if optimizer == "momentum":
        return (2 + 2 * momentum) / lr
    if optimizer == "nesterov":
        return (2 + 2 * momentum) / (lr * (1 + 2 * momentum))
    if optimizer in ("adam", "adamw"):
        beta = float(options["betas"][0])
        step = (1 - beta) * lr
        return (2 + 2 * beta) / step if step > 0 else math.nan
    return math.nan
