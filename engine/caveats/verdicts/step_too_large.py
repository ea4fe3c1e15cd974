"""Step too large: updates overshoot the valley, so that the loss rises or bounces."""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.slow import largest_update, projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["STEP_TOO_LARGE", "stability_limit"]

# ‖ΔW‖/‖W‖ of one step: the best losses were seen near 10^-1.7, trouble above about 10^-1.3.
LARGE_UPDATE = 10**-1.3
CALM_GROWTH = 100.0
SOON = 0.6  # gain that the run is on its way to
FAR_OFF = 3.0  # loss over the larger of the first and that of a constant
UPHEAVAL = 0.5  # a step that changes weights by half of their size


def rule(e: Evidence) -> Finding | None:
    if e.step == 0 or not e.hidden:
        return None
    if not e.finite and e.first_delta_ratio >= CALM_GROWTH:
        return None  # the network explodes by itself
    p = e.progress
    update = largest_update(e)
    limit = stability_limit(e.config)
    sharpness = newest_sharpness(e)
    evidence = {"update_ratio": update, "gain": p.gain}
    if math.isfinite(sharpness) and math.isfinite(limit):
        evidence |= {"sharpness": sharpness, "limit": limit}
    layers = tuple(range(e.hidden + 1))
    severity: Severity
    if not e.finite:
        if not update > LARGE_UPDATE:
            return None
        what = f"one step changes weights by {update:.0%} of their size until they overflow"
        return Finding("critical", what, why(e.config), layers, evidence)
    jumps, rise = bounce(e)
    evidence |= {"jumps": jumps, "rise": rise, "peak_update": thrown(e)[0]}
    worse = p.gain < -0.5 and p.fall < max(0.3, 3 * p.noise)
    bouncing = jumps >= 0.25
    large = update > LARGE_UPDATE
    if p.finished:
        return None
    peak, height = thrown(e)
    slow = p.old_enough and projected_gain(e) < SOON
    if (worse and large) or (p.stuck and height >= FAR_OFF and peak > LARGE_UPDATE):
        severity = "critical" if p.old_enough else "warning"
    elif bouncing and large and p.old_enough and not p.improving:
        severity = "critical" if p.stuck else "warning"
    elif slow and peak > LARGE_UPDATE and (height >= FAR_OFF or peak >= UPHEAVAL):
        severity = "warning"
    elif bouncing and (large or sharpness > limit) and p.old_enough:
        severity = "note"
    else:
        return None
    what = f"loss {e.loss:.3g}"
    if p.gain < 0:
        what += f", {e.loss / p.baseline:.2g} times that of a constant"
    what += f"; one step changes weights by up to {update:.1%}"
    if peak > 2 * update:
        what += f", at first by {peak:.0%}"
    if sharpness > limit:
        what += f"; sharpness {sharpness:.3g} above the limit {limit:.3g}"
    return Finding(severity, what, why(e.config), layers, evidence)


def thrown(e: Evidence) -> tuple[float, float]:
    """The largest ‖ΔW‖/‖W‖ of any layer in the run so far, and the highest loss after step 0 over
    the larger of the first and that of the constant predictor."""
    ratios = e.snapshot.layers("update_ratio")[: e.index + 1]
    peak = float(np.nanmax(ratios)) if np.isfinite(ratios).any() else math.nan
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


def stability_limit(config: RunConfig | None) -> float:
    """The sharpness above which gradient descent on a quadratic diverges; NaN where no such form
    is known. 2/lr; heavy ball (2+2β)/lr; Nesterov (2+2β)/(lr(1+2β)); Adam, on the preconditioned
    Hessian, (2+2β₁)/((1-β₁)lr) (Cohen et al. 2021, 2022)."""
    if config is None:
        return math.nan
    name, lr, options = config.optimizer.name, config.optimizer.lr, config.optimizer.options
    if name == "sgd":
        return 2 / lr
    if name == "momentum":
        return (2 + 2 * float(options["momentum"])) / lr  # type: ignore[arg-type]
    if name == "nesterov":
        beta = float(options["momentum"])  # type: ignore[arg-type]
        return (2 + 2 * beta) / (lr * (1 + 2 * beta))
    if name in ("adam", "adamw"):
        beta = float(options["betas"][0])  # type: ignore[index]
        return (2 + 2 * beta) / ((1 - beta) * lr)
    return math.nan


def why(config: RunConfig | None) -> str:
    name = config.optimizer.name if config is not None else "sgd"
    limit = {
        "momentum": "λ > (2+2β)/lr",
        "nesterov": "λ > (2+2β)/(lr·(1+2β))",
        "adam": "λ > (2+2β₁)/((1−β₁)·lr) of the preconditioned Hessian",
        "adamw": "λ > (2+2β₁)/((1−β₁)·lr) of the preconditioned Hessian",
    }.get(name, "λ > 2/lr")
    return (
        f"Along a direction of curvature λ a step overshoots further each time once {limit}: the "
        "loss bounces or climbs in place of falling (Cohen et al. 2021)."
    )


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    customary = cure.customary_lr(c.optimizer.name)
    tenth = c.optimizer.lr / 10
    value = min(tenth, customary) if cure.lr_is_high(c) else tenth
    sharpness, limit = finding.evidence.get("sharpness"), finding.evidence.get("limit")
    reason = "smaller steps stay within the valley"
    if sharpness and limit and sharpness > limit:
        reason = f"the sharpness {sharpness:.3g} allows no more than the limit {limit:.3g}"
    slower = cure.lr(c, value, reason)
    data = cure.combined(c, cure.standardize(c), cure.centred_target(c))
    slowest = cure.lr(c, value / 10, "still smaller steps")
    return cure.ranked(
        c,
        (
            cure.combined(c, slower, data, cure.matched_init(c)),
            slower,
            cure.combined(c, slowest, data),
            cure.combined(c, slower, cure.normalization(c), data),
            cure.sound(c),
        ),
    )


STEP_TOO_LARGE = Caveat(
    "step_too_large",
    "step too large",
    "The loss is worse than that of a constant and does not fall, or bounces without getting "
    "better, while one step changes the weights by more than 5 % of their size.",
    "stable while λ_max < 2/lr",
    "LeCun et al. 1998; Cohen et al. 2021",
    "At the edge of stability the loss is not monotone and still falls: that is a note. Clipping "
    "bounds a step, it does not choose the right one.",
    rule,
    remedies,
)
