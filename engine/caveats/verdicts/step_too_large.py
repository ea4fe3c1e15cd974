"""Step too large: updates overshoot the valley, so that the loss rises or bounces."""

from __future__ import annotations

import math

import numpy as np

from caveats.training.stability import LIMITS
from caveats.verdicts.advice import NORMALIZE, SUITED
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.learning_rates import limit, lr_is_far_above, lr_is_high, lr_is_unbearable
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import faded, faded_start, grown_start, unsound_start
from caveats.verdicts.trial import contradicted, proof, proved
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import TINY, percent, times_constant

__all__ = ["STEP_TOO_LARGE"]


def rule(e: Evidence) -> Finding | None:
    if e.step == 0 or (weights_to_blame(e) and not proved(e, "smaller")):
        return None
    if not e.finite:
        return overflow(e)
    if e.progress.close or thrives_at_the_edge(e):
        return at_the_edge(e)
    severity = severity_of(e)
    if proved(e, "smaller"):
        severity = "critical" if e.progress.stuck else "warning"
    elif severity is None or contradicted(e, "smaller"):
        return None
    sharpness, most = e.newest("sharpness"), limit(e.optimizer)
    what = f"loss {e.loss:.3g}"
    if compared := times_constant(e.loss, e.facts.baseline):
        what += f", {compared}"
    if e.largest_update < TINY < e.peak_update:
        what += f"; the first steps changed weights by {sized(e.peak_update)}, the newest do not"
    else:
        what += f"; one step changes weights by up to {sized(e.largest_update)}"
        if e.peak_update > 2 * e.largest_update:
            what += f", at first by {sized(e.peak_update)}"
    if sharpness > most:
        what += f"; sharpness {sharpness:.3g} above the limit {most:.3g}"
    what += proof(e, "smaller")
    jumps, rise = bounce(e)
    evidence = measured(e) | {"jumps": jumps, "rise": rise, "peak_update": e.peak_update}
    return Finding(severity, what, why(e), tuple(range(e.hidden + 1)), evidence)


def severity_of(e: Evidence) -> Severity | None:
    p = e.progress
    if climbs(e) and large(e):
        return "critical" if p.settled else "warning"
    if bounces(e) and large(e) and p.settled and not p.improving:
        return "critical" if p.stuck else "warning"
    if pays_for_early_steps(e) or (lasting(e) and (p.stuck or p.failing) and broke(e)):
        return "warning"
    above = e.newest("sharpness") > limit(e.optimizer)
    return "note" if bounces(e) and (large(e) or above) and p.old_enough else None


# Faults that were there before any step.


@sign
def weights_to_blame(e: Evidence) -> bool:
    """Were the weights at fault before any step, and is the step not at fault too?"""
    by_size = lr_is_unbearable(e) or (grown_start(e) and lr_is_high(e))
    return unsound_start(e) and not by_size and not overflowed(e)


@sign
def overflowed(e: Evidence) -> bool:
    """Did the loss rise and overflow? Blame the step for an overflow, unless the gradients had
    vanished at step 0."""
    held = faded_start(e) and e.first_delta_ratio > 0 and not lr_is_high(e)
    return not e.finite and e.height > 1 and not held


def overflow(e: Evidence) -> Finding | None:
    if not (e.peak_update > e.thresholds.large_update or proved(e, "smaller")):
        return None
    if contradicted(e, "smaller") and e.blames(*e.findings):
        return None
    if e.undefined is not None and not e.height > e.thresholds.climb:
        return None  # no weight overflowed
    what = f"one step changes weights by {sized(e.peak_update)}, until they overflow"
    what += proof(e, "smaller")
    return Finding("critical", what, why(e), tuple(range(e.hidden + 1)), measured(e))


# How the loss behaves.


@sign
def large(e: Evidence) -> bool:
    """Does a step change some layer by more than a twentieth of its weights?"""
    return e.largest_update > e.thresholds.large_update


@sign
def was_large(e: Evidence) -> bool:
    """Did a step ever?"""
    return e.peak_update > e.thresholds.large_update


@sign
def yardstick(e: Evidence) -> bool:
    """Is a constant's loss known? Else the first loss stands for it, which says nothing of a loss
    that is a reward or whose targets grow."""
    return math.isfinite(e.facts.baseline)


@sign
def climbs(e: Evidence) -> bool:
    """Is the loss far above that of a constant, and not coming down? In the first steps, which may
    jump, only a climb of three records far above the first counts; where a constant's loss is not
    known (a reward, a sum of several), only one far above all first losses, once they are over."""
    p, t = e.progress, e.thresholds
    if not yardstick(e):
        first = np.abs(e.losses[e.steps <= t.first_steps]).max()
        return p.settled and min(e.losses[-3:].tolist()) > t.climb_at_usual * first
    if p.settled:
        return p.gain < -t.worse and p.fall < max(t.little, 3 * p.noise)
    times = t.climb if lr_is_high(e) else t.climb_at_usual
    ceiling = max(float(e.losses[0]), p.baseline) * times
    return len(e.losses) > 3 and min(e.losses[-3:].tolist()) > ceiling


@sign
def bounces(e: Evidence) -> bool:
    """Did the loss jump up in a quarter of the newest records, measured by a constant's loss?"""
    return yardstick(e) and bounce(e)[0] >= e.thresholds.bouncing


@sign
def lasting(e: Evidence) -> bool:
    """Is a fifth of the run over, so that damage by early steps would have healed?"""
    return e.progress.late(e.thresholds.lasting)


@sign
def pays_for_early_steps(e: Evidence) -> bool:
    """Is a run too slow after large steps pushed its loss far up, or after a step replaced the
    weights?"""
    t = e.thresholds
    anew = e.peak_update >= t.upheaval and e.height > 1
    waited = lasting(e) or hot(e)
    thrown = yardstick(e) and e.height >= t.thrown
    return waited and too_slow(e) and was_large(e) and (thrown or anew)


@sign
def hot(e: Evidence) -> bool:
    """Is a run of unknown length flat at a learning rate that no sound network bears? It need not
    be waited for."""
    some = not e.facts.steps and e.step >= e.thresholds.hot_steps
    return some and e.progress.stalled and lr_is_unbearable(e)


# Damage that a step did.


@sign
def broke(e: Evidence) -> bool:
    """Does the loss get nowhere because of the step: because of its learning rate, or because of
    the damage that the largest step did?"""
    return broke_sound(e) or lr_is_unbearable(e) or killed(e) or faded_since(e)


@sign
def broke_sound(e: Evidence) -> bool:
    """Is the learning rate far above what fits, and was the start sound?"""
    return lr_is_far_above(e) and not unsound_start(e)


@sign
def killed(e: Evidence) -> bool:
    """Did most units of some layer die after a step that replaced the weights?"""
    died = e.now("dead")[: e.hidden] - e.now("born_dead")[: e.hidden]
    most = bool(np.any(died >= e.thresholds.most * e.units))
    return e.peak_update >= e.thresholds.upheaval and most


@sign
def faded_since(e: Evidence) -> bool:
    """Did deltas fade in layers that normalize, after a sound start and a large step? Normalization
    keeps the activations' size normal, so faded deltas are the only trace of the damage (Xiong et
    al. 2020).
    """
    sound = e.first_delta_ratio > e.thresholds.faded
    return was_large(e) and e.normalized() > 0 and sound and faded(e)


# The edge of stability.


@sign
def thrives_at_the_edge(e: Evidence) -> bool:
    """Does the loss fall although the sharpness is at its limit?"""
    p = e.progress
    near = e.newest("sharpness") > e.thresholds.edge * limit(e.optimizer)
    return near and p.improving and not p.failing


def at_the_edge(e: Evidence) -> Finding | None:
    """Sharpness at the limit while the loss falls: harmless, but worth knowing."""
    sharpness, most = e.newest("sharpness"), limit(e.optimizer)
    if not e.thresholds.edge * most <= sharpness <= (1 + e.thresholds.upheaval) * most:
        return None
    what = (
        f"edge of stability: sharpness {sharpness:.3g} at the limit {most:.3g}; the loss falls, "
        "not at every step"
    )
    words = (
        "Gradient descent sharpens the valley until λ_max reaches 2/lr and then stays there: the "
        "step is as large as it can be, not too large (Cohen et al. 2021)."
    )
    evidence = {"sharpness": sharpness, "limit": most, "update_ratio": e.largest_update}
    return Finding("note", what, words, (), evidence)


# Numbers and texts.


def bounce(e: Evidence) -> tuple[float, float]:
    """Two numbers about the newest 12 records: the share in which the loss jumped up by a tenth of
    the constant predictor's loss, and the rise since the first record as a share of it."""
    losses = e.losses[-13:]
    losses = losses[np.isfinite(losses)]
    scale = e.progress.baseline
    if len(losses) < 2 or not scale > 0:
        return 0.0, 0.0
    jumps = float(np.mean(np.diff(losses) > e.thresholds.jump * scale))
    return jumps, float((losses[-1] - e.losses[0]) / scale)


def measured(e: Evidence) -> dict[str, float]:
    found = {"update_ratio": e.largest_update, "gain": e.progress.gain}
    sharpness, most = e.newest("sharpness"), limit(e.optimizer)
    if math.isfinite(sharpness) and math.isfinite(most):
        found |= {"sharpness": sharpness, "limit": most}
    return found


def sized(ratio: float) -> str:
    """‖ΔW‖/‖W‖ in words: a percentage of twenty digits would not be readable."""
    if ratio > 1000:
        return "more than 1,000 times their size"
    return f"{ratio:.0f} times their size" if ratio > 10 else f"{percent(ratio)} of their size"


def why(e: Evidence) -> str:
    kind = e.optimizer.kind if e.optimizer is not None else "sgd"
    return (
        "Along a direction of curvature λ a step overshoots further each time once "
        f"{LIMITS.get(kind, LIMITS['sgd'])}: the loss bounces or climbs instead of falling "
        "(Cohen et al. 2021)."
    )


STEP_TOO_LARGE = Caveat(
    "step_too_large",
    "step too large",
    "One of three: the loss is worse than that of a constant and does not fall, or bounces without "
    "getting better, while one step changes the weights by more than 5 % of their size; the loss "
    "stays at a constant's after such a step killed most of a layer or made deltas fade in layers "
    "that normalize; or it stays there at a learning rate ten times what fits optimizer and depth.",
    "stable while λ_max < 2/lr",
    "LeCun et al. 1998; Cohen et al. 2021",
    "At the edge of stability the loss does not fall at every step, but it falls: that is a note. "
    "Clipping limits a step, but does not choose the right one.",
    rule,
    (
        "A tenth of the learning rate.",
        SUITED,
        NORMALIZE,
        "A hundredth of the learning rate.",
    ),
)
