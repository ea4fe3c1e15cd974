"""What is wrong with a run's settings, as its records show it, and the one change that mends each.

A setting is at fault only where the run shows harm of its kind: raw inputs of the usual size stay
raw, and weights whose first signals pass well stay as they were drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caveats.config import RunConfig
from caveats.remedies import changes, customary
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import bend_is_missing
from caveats.verdicts.learning_rates import kept_by_clipping, leads_nowhere
from caveats.verdicts.saturation import high_start
from caveats.verdicts.soundness import began_symmetric, faded_start, grown_start
from caveats.verdicts.unscaled_data import inputs_off, out_of_reach, target_off
from caveats.verdicts.verdict import Remedy

__all__ = ["faults", "unscaled"]

Fault = Callable[[RunConfig, Evidence], Remedy | None]


def faults(c: RunConfig, e: Evidence) -> tuple[Remedy, ...]:
    """The changes that mend what is at fault, the most fundamental first.

    A learning rate that is high for raw data is not for scaled data, so a change that scales them
    leaves it as it is.
    """
    found = {fault: remedy for fault in FAULTS if (remedy := fault(c, e)) is not None}
    if bend in found:
        found.pop(weights, None)  # weights are drawn for the new activation
    if unscaled(c, e) and customary.lr_is_high(c):
        found.pop(rate, None)
    if target in found and c.optimizer.lr > customary.CATAPULT * customary.stable_lr(c):
        found[rate] = changes.stable(c)
    # Normalization makes up for the size of the weights, but not for copies or flat activations.
    drawn = found.get(weights)
    scaled = drawn is not None and set(drawn.change) == {"network.init"} and not began_symmetric(e)
    if depth in found and scaled:
        found.pop(weights)
    deep = len(c.network.widths) >= customary.DEEP
    if deep and (narrow in found or len(found) > 1):
        return overhauled(c, found)
    return tuple(found.values())


def overhauled(c: RunConfig, found: dict[Fault, Remedy]) -> tuple[Remedy, ...]:
    """Many layers with more than one fault train only if everything suits them."""
    data = (found[fault] for fault in (output, target) if fault in found)
    whole = changes.overhaul(c)
    return (*data, *((whole,) if whole is not None else ()))


def unscaled(c: RunConfig, e: Evidence) -> tuple[Remedy, ...]:
    """The changes that scale what is not: the target, the inputs, or both."""
    return tuple(r for r in (target(c, e), inputs(c, e)) if r is not None)


def target(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.scaled_target(c) if target_off(e) else None


def output(c: RunConfig, e: Evidence) -> Remedy | None:
    """An activation behind the output that keeps it from its targets, or a softmax before the one
    in cross entropy."""
    classes = bool(e.facts.data.class_shares)
    twice = classes and c.training.loss in ("auto", "cross_entropy")
    return changes.plain_output(c) if out_of_reach(e) or twice else None


def inputs(c: RunConfig, e: Evidence) -> Remedy | None:
    mean = float(e.first("mean_fraction")[0]) > e.thresholds.mean_of_data
    slow = e.blames("step_too_small", "ravine", "underfitting")  # larger inputs do not slow it
    odd = inputs_off(e) or mean or (customary.is_unusual(e.facts.data) and not slow)
    return changes.standardize(c) if odd else None


def bend(c: RunConfig, e: Evidence) -> Remedy | None:
    """No activation between the layers, though these data ask for more than a linear map."""
    return changes.nonlinear(c) if bend_is_missing(e) else None


def biases(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.bias_zero(c) if abs(c.network.bias) >= customary.LARGE_BIAS else None


def weights(c: RunConfig, e: Evidence) -> Remedy | None:
    """Weights with which signals fade or grow, units are copies, dead or saturated before the first
    step; another activation where no weights suit the present one."""
    if customary.sinks(c) and not began_symmetric(e):
        return changes.steeper(c)
    if set(c.network.activations) & {"exp"}:
        return changes.activation(c, "relu", "ReLU grows no faster than its input")
    if began_symmetric(e):
        return changes.matched_init(c)
    if unscaled(c, e):  # then the first signals tell of the data
        return None if customary.ordinary(c) else changes.matched_init(c)
    off = faded_start(e) or grown_start(e) or high_start(e) or born_flat(e)
    return changes.matched_init(c) if off or not customary.ordinary(c) else None


def born_flat(e: Evidence) -> bool:
    """Whether most units of a layer were dead or saturated before the first step."""
    flat = np.fmax(e.first("dead"), e.first("saturated"))[: e.hidden]
    return bool(np.any(flat >= e.thresholds.most * e.first("units")[: e.hidden]))


def rate(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.usual_lr(c)


def options(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.usual_options(c)


def narrow(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.wider(c, customary.TINY if len(c.network.widths) < customary.SIX else None)


def depth(c: RunConfig, e: Evidence) -> Remedy | None:
    """So many layers that signals do not pass all of them without normalization."""
    deep = len(c.network.widths) >= customary.DEEP
    lost = faded_start(e) or grown_start(e) or e.blames("vanishing_gradient", "dying_relu")
    return changes.normalization(c) if deep and lost else None


def dropout(c: RunConfig, e: Evidence) -> Remedy | None:
    return changes.no_dropout(c) if customary.drops_most(c) else None


def length(c: RunConfig, e: Evidence) -> Remedy | None:
    """Too few steps for any network, or for one of this shape at a learning rate that is usual."""
    few = 0 < e.facts.steps < customary.FEW_STEPS
    clipped = kept_by_clipping(e) < 1  # clipping is another fault
    nowhere = leads_nowhere(e) and not clipped and not customary.lr_is_low(c)
    return changes.longer(c) if few or nowhere else None


FAULTS: tuple[Fault, ...] = (
    output, target, inputs, bend, weights, biases, rate, options, narrow, depth, dropout, length,
)  # fmt: skip
