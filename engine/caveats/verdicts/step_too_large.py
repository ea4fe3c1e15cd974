"""Step too large: updates overshoot the valley, so that the loss rises or bounces."""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.training.stability import LIMITS, stability_limit
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import FADED, GROWN, Evidence
from caveats.verdicts.slow import largest_update, projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["LARGE_UPDATE", "STEP_TOO_LARGE", "limit_of", "newest_sharpness", "thrown"]

# ‖ΔW‖/‖W‖ of one step: the best losses were seen near 10^-1.7, trouble above about 10^-1.3.
LARGE_UPDATE = 10**-1.3
SOON = 0.6  # gain that the run is on its way to
FAR_OFF = 3.0  # loss over the larger of the first and that of a constant
# Loss of three records over the larger of the first and that of a constant, in the first steps:
# healthy networks were seen to climb past twice that at a usual learning rate, and to come back.
CLIMB, CLIMB_IF_USUAL = 5.0, 20.0
UNBEARABLE = 20.0  # times the customary learning rate: whatever else is wrong
LASTING = 0.2  # of the planned steps
UPHEAVAL = 0.5  # a step that changes weights by half of their size


def rule(e: Evidence) -> Finding | None:
    if e.step == 0 or not e.hidden:
        return None
    p = e.progress
    update = largest_update(e)
    limit = limit_of(e.config)
    sharpness = newest_sharpness(e)
    evidence = {"update_ratio": update, "gain": p.gain}
    if math.isfinite(sharpness) and math.isfinite(limit):
        evidence |= {"sharpness": sharpness, "limit": limit}
    layers = tuple(range(e.hidden + 1))
    severity: Severity
    high = e.config is None or usual.lr_is_high(e.config)
    peak, height = thrown(e)
    # What overflowed made a step too large, unless weights that let signals fade held it up first.
    overflowed = not e.finite and height > 1 and (high or not faded_start(e))
    if unsound_start(e) and not (breaks_any(e) or overflowed or (grown_start(e) and high)):
        return None  # the weights are at fault before any step is made
    if not e.finite:
        if not peak > LARGE_UPDATE:
            return None
        what = f"one step changes weights by up to {sized(peak)}, until they overflow"
        return Finding("critical", what, why(e.config), layers, evidence)
    jumps, rise = bounce(e)
    evidence |= {"jumps": jumps, "rise": rise, "peak_update": peak}
    worse = p.gain < -0.5 and p.fall < max(0.3, 3 * p.noise)
    if not p.settled:  # the first steps may jump: only a climb of three records is a sign
        ceiling = max(float(e.losses[0]), p.baseline) * (CLIMB if high else CLIMB_IF_USUAL)
        worse = len(e.losses) > 3 and min(e.losses[-3:].tolist()) > ceiling
    bouncing = jumps >= 0.25
    large = update > LARGE_UPDATE
    if p.close or (p.improving and not p.failing and sharpness > 0.9 * limit):
        return at_the_edge(e, sharpness, limit, update)
    lasting = p.late(LASTING)  # what early steps did to it may still heal
    slow = lasting and projected_gain(e) < SOON
    if (worse and large) or (lasting and p.stuck and height >= FAR_OFF and peak > LARGE_UPDATE):
        severity = "critical" if p.settled else "warning"
    elif bouncing and large and p.settled and not p.improving:
        severity = "critical" if p.stuck else "warning"
    elif (
        slow and peak > LARGE_UPDATE and (height >= FAR_OFF or (peak >= UPHEAVAL and height >= 1.2))
    ) or (lasting and (p.stuck or p.failing) and broke(e, peak)):
        severity = "warning"
    elif bouncing and (large or sharpness > limit) and p.old_enough:
        severity = "note"
    else:
        return None
    what = f"loss {e.loss:.3g}"
    if p.gain < 0:
        what += f", {e.loss / p.baseline:.2g} times that of a constant"
    what += f"; one step changes weights by up to {sized(update)}"
    if peak > 2 * update:
        what += f", at first by {sized(peak)}"
    if sharpness > limit:
        what += f"; sharpness {sharpness:.3g} above the limit {limit:.3g}"
    return Finding(severity, what, why(e.config), layers, evidence)


def sized(ratio: float) -> str:
    """‖ΔW‖/‖W‖ in words; nobody reads a percentage of twenty digits."""
    if ratio > 1000:
        return "more than 1,000 times their size"
    return f"{ratio:.0f} times their size" if ratio > 10 else f"{ratio:.1%} of their size"


def unsound_start(e: Evidence) -> bool:
    """Whether signals faded, grew, were copies or were cut off already before the first step."""
    return e.first_delta_ratio <= FADED or grown_start(e) or e.began_symmetric


def faded_start(e: Evidence) -> bool:
    return 0 < e.first_delta_ratio <= FADED


def grown_start(e: Evidence) -> bool:
    return e.first_delta_ratio >= GROWN


def broke(e: Evidence, peak: float) -> bool:
    """Whether it is the step that holds up a loss which gets nowhere: by the learning rate, or by
    what its largest update, ``peak``, left behind."""
    if broke_sound(e) or breaks_any(e):
        return True
    return (peak >= UPHEAVAL and killed(e)) or (peak > LARGE_UPDATE and faded_since(e))


def broke_sound(e: Evidence) -> bool:
    """Whether the learning rate is far above the customary, and the start was sound."""
    return e.config is not None and usual.lr_is_far_above(e.config) and not unsound_start(e)


def breaks_any(e: Evidence) -> bool:
    """A learning rate so large that a sound network would not bear it either."""
    if e.config is None:
        return False
    return e.config.optimizer.lr >= UNBEARABLE * usual.customary_lr(e.config.optimizer.name)


def faded_since(e: Evidence) -> bool:
    """Whether deltas faded, after a sound start, through layers that normalize: what early steps
    threw off has a normal size there, and looks sound but for that (Xiong et al. 2020)."""
    normalized = e.config is not None and e.config.network.normalization != "none"
    return bool(normalized and e.first_delta_ratio > 10 * FADED and e.delta_ratio <= FADED)


def killed(e: Evidence) -> bool:
    """Whether most units of some layer died after step 0."""
    died = e.now("dead")[: e.hidden] - e.now("born_dead")[: e.hidden]
    return bool(np.any(died >= 0.5 * e.now("units")[: e.hidden]))


def at_the_edge(e: Evidence, sharpness: float, limit: float, update: float) -> Finding | None:
    """Sharpness at the limit while the loss falls: no harm, and worth knowing."""
    if not 0.9 * limit <= sharpness <= 1.5 * limit:
        return None
    what = (
        f"edge of stability: sharpness {sharpness:.3g} at the limit {limit:.3g}; the loss falls, "
        "not at every step"
    )
    words = (
        "Gradient descent sharpens the valley until λ_max reaches 2/lr and then stays there: the "
        "step is as large as it can be, not too large (Cohen et al. 2021)."
    )
    evidence = {"sharpness": sharpness, "limit": limit, "update_ratio": update}
    return Finding("note", what, words, (), evidence)


def thrown(e: Evidence) -> tuple[float, float]:
    """The largest ‖ΔW‖/‖W‖ of any layer in the run so far, and the highest loss after step 0 over
    the larger of the first and that of the constant predictor."""
    ratios = e.snapshot.layers("update_ratio")[: e.index + 1]
    ratios = ratios[np.isfinite(ratios)]  # of weights that were all 0 it is infinite
    peak = float(ratios.max()) if len(ratios) else math.nan
    losses = e.losses[1:][np.isfinite(e.losses[1:])]
    height = float(losses.max() / max(e.losses[0], e.progress.baseline)) if len(losses) else 0.0
    return peak, height


def newest_sharpness(e: Evidence) -> float:
    column = e.snapshot.scalar("sharpness")[: e.index + 1]
    taken = np.flatnonzero(np.isfinite(column))
    return float(column[taken[-1]]) if len(taken) else math.nan


def bounce(e: Evidence) -> tuple[float, float]:
    """Of the newest 12 records, the share in which the loss jumped up by a tenth of the constant
    predictor's; and the rise over the first record as a share of it."""
    losses = e.losses[-13:]
    losses = losses[np.isfinite(losses)]
    scale = e.progress.baseline
    if len(losses) < 2 or not scale > 0:
        return 0.0, 0.0
    jumps = float(np.mean(np.diff(losses) > 0.1 * scale))
    return jumps, float((losses[-1] - e.losses[0]) / scale)


def limit_of(config: RunConfig | None) -> float:
    """The optimizer's stability limit under this config; NaN where none is known."""
    if config is None:
        return math.nan
    o = config.optimizer
    return stability_limit(o.name, o.lr, o.options)


def why(config: RunConfig | None) -> str:
    limit = LIMITS.get(config.optimizer.name if config is not None else "sgd", LIMITS["sgd"])
    return (
        f"Along a direction of curvature λ a step overshoots further each time once {limit}: the "
        "loss bounces or climbs in place of falling (Cohen et al. 2021)."
    )


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    value = min(c.optimizer.lr / 10, usual.bearable_lr(c))
    if usual.lr_is_high(c):
        value = min(value, usual.fitting_lr(c))
    sharpness, limit = finding.evidence.get("sharpness"), finding.evidence.get("limit")
    reason = "smaller steps stay within the valley"
    if sharpness and limit and sharpness > limit:
        reason = f"the sharpness {sharpness:.3g} allows no more than the limit {limit:.3g}"
    slower = cure.lr(c, value, reason)
    start = cure.clean_start(c)
    sluggish = set(c.network.activations) & usual.SLUGGISH
    hard = len(c.network.widths) >= usual.DEEP or sluggish
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if hard else cure.combined(c, start, slower),
            slower,
            cure.combined(c, start, slower, cure.scaffold(c) or cure.normalization(c)),
            cure.combined(c, start, cure.lr(c, value / 10, "still smaller steps")),
            cure.sound(c),
        ),
    )


STEP_TOO_LARGE = Caveat(
    "step_too_large",
    "step too large",
    "The loss is worse than that of a constant and does not fall, or bounces without getting "
    "better, while one step changes the weights by more than 5 % of their size; or it stays at a "
    "constant's once such a step has killed most of a layer, or let deltas fade behind layers that "
    "normalize; or at a learning rate ten times what fits the optimizer and the depth.",
    "stable while λ_max < 2/lr",
    "LeCun et al. 1998; Cohen et al. 2021",
    "At the edge of stability the loss is not monotone and still falls: that is a note. Clipping "
    "bounds a step, it does not choose the right one.",
    rule,
    remedies,
)
