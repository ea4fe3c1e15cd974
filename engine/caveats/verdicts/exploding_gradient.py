"""Exploding gradient: the error signal grows layer by layer, or a number is no longer finite."""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import GROWN, Evidence
from caveats.verdicts.slow import projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["EXPLODING_GRADIENT"]

# Batch normalization makes deltas grow by √(π/(π-1)) a ReLU layer by itself (Yang et al. 2019) and
# bears it, as it makes the loss blind to the size of the weights.
BATCH_NORM_FACTOR = math.sqrt(math.pi / (math.pi - 1))
OVERFLOWING = 1e6
SOON = 0.6  # gain that the run is on its way to
CALM = 0.3  # gain
ASTRONOMIC = 1e3  # loss over that of the constant predictor


def rule(e: Evidence) -> Finding | None:
    if not e.finite:
        return diverged(e)
    p = e.progress
    r, first = e.delta_ratio, e.first_delta_ratio
    high = e.loss / p.baseline if p.baseline > 0 else math.nan
    batch = e.config is not None and e.config.network.normalization == "batch"
    own = BATCH_NORM_FACTOR**e.hidden if batch else 1.0
    grows = first >= GROWN * own and e.hidden >= 2
    worse = p.old_enough and p.gain < -0.5 and not p.improving
    held_up = grows and (p.stalled or (p.old_enough and not p.close and projected_gain(e) < SOON))
    calmed = r < GROWN * own and p.gain > CALM  # it began so, and learned all the same
    if e.step == 0:
        severity: Severity
        if high >= ASTRONOMIC and forward_growth(e) >= GROWN:
            severity = "note" if e.adaptive else "warning"
        elif grows:
            severity = "warning" if first >= OVERFLOWING else "note"
        else:
            return None
    elif grows and not p.close and (p.stuck or worse):
        severity = "critical"
    elif held_up and not calmed:
        severity = "warning"
    elif high >= ASTRONOMIC and (forward_growth(e) >= GROWN or grows):
        severity = "critical" if p.stuck or worse else "note" if p.improving else "warning"
    elif grows and not p.finished:
        severity = "note"
    else:
        return None
    factor = first ** (1 / e.hidden) if first > 0 and e.hidden else math.nan
    evidence = {
        "delta_ratio": r,
        "delta_ratio_at_start": first,
        "factor_per_layer": factor,
        "activation_growth": forward_growth(e),
        "loss": e.loss,
    }
    if grows:
        what = (
            f"delta at {e.layer(0)} is {first:.3g} times that at the output at step 0: about "
            f"×{factor:.2g} a layer"
        )
    else:
        what = (
            f"activations grow {forward_growth(e):.2g} times over the layers: loss {e.loss:.3g}, "
            f"{high:.2g} times that of a constant"
        )
    return Finding(severity, what, why(factor, e.hidden), tuple(range(e.hidden)), evidence)


def diverged(e: Evidence) -> Finding:
    event = e.divergence
    where = event.text if event is not None else "the loss"
    step = event.step if event is not None else e.step
    first = e.first_delta_ratio
    layers = tuple(i for i, name in enumerate(e.names) if where.endswith(name))
    evidence = {"step": step, "delta_ratio_at_start": first, "activation_growth": forward_growth(e)}
    return Finding(
        "critical",
        f"no longer finite since step {step}: first in {where}",
        "Each overshooting step makes the next gradient larger, and a product over layers "
        "δˡ = φ'(zˡ)·Wᵀδˡ⁺¹ has no upper limit: the numbers overflow (Pascanu et al. 2013).",
        layers,
        evidence,
    )


def forward_growth(e: Evidence) -> float:
    """Activation size of the last hidden layer over that of the first, in the first record."""
    if e.hidden < 2:
        return 1.0
    size = np.hypot(e.first("activation_std"), e.first("activation_mean"))[: e.hidden]
    return float(size[-1] / size[0]) if size[0] > 0 and math.isfinite(size[-1]) else math.nan


def why(factor: float, layers: int) -> str:
    return (
        "Backpropagation multiplies by Wᵀ and the slope at every layer, δˡ = φ'(zˡ)·Wᵀδˡ⁺¹: "
        f"weights too large make that a factor above 1, {layers} times over, and the first layers' "
        "steps overshoot (Pascanu et al. 2013)."
    )


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    calm = None
    if set(c.network.activations) & {"exp", "softplus"}:
        calm = cure.activation(c, "relu", "ReLU grows no faster than its input")
    start = cure.combined(c, calm, cure.clean_start(c))
    value = min(c.optimizer.lr / 10, usual.bearable_lr(c))
    tenth = cure.lr(c, value, "smaller steps do not overshoot")
    if usual.lr_is_high(c):
        value = min(usual.fitting_lr(c), value)
        tenth = cure.lr(c, value, "smaller steps do not overshoot")
    # Weights that explode by themselves are cured by their variance, all else by smaller steps.
    by_itself = finding.evidence["delta_ratio_at_start"] >= GROWN and cure.matched_init(c)
    first = start if by_itself and not usual.lr_is_high(c) else cure.combined(c, start, tenth)
    if len(c.network.widths) >= usual.SIX:
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, start, tenth),
            cure.combined(c, start, tenth, cure.normalization(c)),
            cure.combined(c, start, cure.clip(c)),
            cure.sound(c),
        ),
    )


EXPLODING_GRADIENT = Caveat(
    "exploding_gradient",
    "exploding gradient",
    "The loss, a weight or a gradient is not finite; or delta grows at least a hundredfold from "
    "the output down to the first layer and training suffers.",
    "δˡ = φ'(zˡ) · (Wˡ⁺¹)ᵀ δˡ⁺¹",
    "Pascanu, Mikolov & Bengio 2013",
    "A large ratio alone is no explosion: healthy small networks reach 70 and more. Clipping "
    "keeps the numbers finite; it does not repair weights that are too large.",
    rule,
    remedies,
)
