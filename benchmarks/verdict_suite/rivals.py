"""The published rules of other tools, as far as a history of layer measures can state them.

AUTOTRAINER (Zhang et al., ICSE 2021): vanishing where the ratio of the first layer's weight
gradient to the last one's is below 1e-3 and the first is below 1e-4; exploding where the ratio is
above 70 or a number is not finite; dying ReLU where at least 70 % of a layer's gradients are zero,
here its dead units; oscillating loss and slow convergence only for accuracies, left out.
Zero entries of activations, which DeepDiagnosis and torchmortem count, cannot be had from a
history of dead units: those tools are not restated here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caveats.history import History

__all__ = ["RIVALS"]


def autotrainer(history: History) -> set[str]:
    """Its gradient and dying-ReLU symptoms over a whole run."""
    snapshot = history.snapshot()
    found: set[str] = set()
    if not np.isfinite(snapshot.scalar("loss")).all():
        found.add("exploding_gradient")
    grad = snapshot.layers("grad_norm")
    if grad.shape[1] < 2:
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = grad[:, 0] / grad[:, -1]
    if np.any((ratio < 1e-3) & (grad[:, 0] < 1e-4)):
        found.add("vanishing_gradient")
    if np.any(ratio > 70):
        found.add("exploding_gradient")
    with np.errstate(invalid="ignore"):
        dead = snapshot.layers("dead") / snapshot.layers("units")
    if np.nanmax(dead[:, :-1], initial=0.0) >= 0.7:
        found.add("dying_relu")
    return found


RIVALS: dict[str, Callable[[History], set[str]]] = {"AUTOTRAINER's rules": autotrainer}
