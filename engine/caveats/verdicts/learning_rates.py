"""Customary learning rates: those that train well, by the kind of optimizer, and how far the
present rate is from them.

They are only a guide: no rule blames a step for its learning rate alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from caveats.facts import OptimizerFacts
from caveats.training.stability import stability_limit
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign

__all__ = [
    "ADAM_LIKE_LR",
    "DECOUPLED",
    "customary_lr",
    "drops_most",
    "fitting_lr",
    "kept_by_clipping",
    "leads_nowhere",
    "limit",
    "lr_is_far_above",
    "lr_is_far_below",
    "lr_is_high",
    "lr_is_low",
    "lr_is_lowish",
    "lr_is_unbearable",
    "rate_is_gone",
    "rates",
]

# Learning rates that train small networks well (development networks of `benchmarks.verdicts`).
CUSTOMARY = {
    "sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.02, "adadelta": 1.0, "muon": 0.01,
}  # fmt: skip
ADAM_LIKE_LR = 0.003
DESCENT = frozenset({"sgd", "momentum", "nesterov"})  # their steps shrink with the gradient
# Optimizers that take the decay from the weights themselves, lr·λ·W a step, and do not add λ·W to
# the gradient (Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization).
DECOUPLED = frozenset({"adamw", "muon"})


def customary_lr(kind: str) -> float:
    return CUSTOMARY.get(kind, ADAM_LIKE_LR)


def fitting_lr(kind: str, hidden: int, deep: float) -> float:
    """The customary rate, or a third of it in ``deep`` hidden layers and more."""
    return customary_lr(kind) / 3 if hidden >= deep else customary_lr(kind)


def times(e: Evidence) -> float:
    """The learning rate over the customary one; NaN where the optimizer is not known."""
    o = e.optimizer
    return math.nan if o is None else o.lr / customary_lr(o.kind)


def kept_by_clipping(e: Evidence) -> float:
    """The share of a gradient's length that clipping leaves: 1 where it leaves all, or where the
    optimizer divides each gradient by its own size anyway."""
    o = e.optimizer
    if o is None or o.kind not in DESCENT or not o.clip_norm > 0 or not e.gradient > 0:
        return 1.0
    if math.isfinite(o.clip_keeps):
        return min(1.0, o.clip_keeps)
    return min(1.0, o.clip_norm / e.gradient)


@sign
def lr_is_high(e: Evidence) -> bool:
    """Is the learning rate more than three times the customary one, or not known?"""
    return not times(e) <= e.thresholds.high


@sign
def lr_is_far_above(e: Evidence) -> bool:
    """Is the learning rate ten times what fits optimizer and depth, or more?"""
    o, t = e.optimizer, e.thresholds
    return o is not None and o.lr >= t.far_above * fitting_lr(o.kind, e.hidden, t.deep_steps)


@sign
def lr_is_unbearable(e: Evidence) -> bool:
    """Is the learning rate so large that even a sound network could not train with it?"""
    return times(e) >= e.thresholds.unbearable


@sign
def lr_is_lowish(e: Evidence) -> bool:
    """Is the learning rate, with what clipping takes away, below a third of the customary one?"""
    return times(e) * kept_by_clipping(e) < e.thresholds.lowish


@sign
def lr_is_low(e: Evidence) -> bool:
    """Is it below a tenth of the customary one?"""
    return times(e) * kept_by_clipping(e) < e.thresholds.low


@sign
def lr_is_far_below(e: Evidence) -> bool:
    """Is it below a hundredth of the customary one?"""
    return times(e) * kept_by_clipping(e) < e.thresholds.far_below


@sign
def leads_nowhere(e: Evidence) -> bool:
    """Are the steps too small and too few to train even a sound network of this shape?

    Plain descent multiplies an error by 1 − lr·λ a step, where λ, an eigenvalue of the tangent
    kernel, grows with the number of units (Jacot et al. 2018), or of inputs if there are none.
    Adam-like optimizers move no weight by more than lr a step.
    """
    o, steps = e.optimizer, e.facts.steps
    if o is None or not steps:
        return False
    if o.kind in DESCENT:
        way = o.lr * kept_by_clipping(e) * feeding(e) * steps
        return way < e.thresholds.shortest_descent * (1 - o.momentum)
    if o.kind not in CUSTOMARY:
        return o.lr * steps < e.thresholds.shortest_walk
    return lr_is_low(e)


def feeding(e: Evidence) -> float:
    """How many hidden units there are, or inputs of the output layer if there is none."""
    if e.hidden:
        return float(e.units.sum())
    return float(e.facts.layers[-1].fan_in) if e.facts.layers else 1.0


def rates(e: Evidence) -> NDArray[np.float64]:
    """The learning rate of each record until now."""
    found: NDArray[np.float64] = e.snapshot.scalar("lr")[: e.index + 1]
    return found


@sign
def rate_is_gone(e: Evidence) -> bool:
    """Has the learning rate been below a hundredth of its highest for two fifths of all steps or
    more? A schedule that ends at 0 is there only at its end, and one that falls by tenths in its
    last third."""
    known, steps = rates(e), e.snapshot.steps[: e.index + 1]
    highest = float(np.nanmax(known, initial=0.0))
    up = np.flatnonzero(
        ~(known < e.thresholds.far_below * highest)
    )  # a record without a rate is none
    if not highest > 0 or not len(up) or up[-1] == len(known) - 1:
        return False
    since = int(steps[up[-1] + 1])
    return e.step >= e.thresholds.first_steps and e.step - since >= e.thresholds.gone_for * e.step


@sign
def drops_most(e: Evidence) -> bool:
    """Does dropout switch off half of the units or more in every step? No step size makes up for
    that."""
    return e.dropout >= e.thresholds.most


def limit(o: OptimizerFacts | None) -> float:
    """The sharpness above which this optimizer's steps overshoot; NaN if no formula is known."""
    if o is None:
        return math.nan
    return stability_limit(o.kind, o.lr, {"momentum": o.momentum, "betas": o.betas or (0.9, 0.999)})
