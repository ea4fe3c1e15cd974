"""Exploding gradient: the error signal grows layer by layer, or a number is no longer finite."""

from __future__ import annotations

import math

import numpy as np

from caveats.documents import short
from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import times_constant

__all__ = ["EXPLODING_GRADIENT"]

THROUGH_TIME = (
    "nn.init.orthogonal_(rnn.weight_hh_l0), whose steps keep lengths: products of larger weights "
    "grow with each step of the sequence.",
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before each step.",
    "nn.LSTM or nn.GRU in place of nn.RNN, or shorter sequences.",
)

# Batch normalization alone makes deltas grow by √(π/(π-1)) a ReLU layer (Yang et al. 2019). This
# does no harm, because the loss then does not depend on the size of the weights.
BATCH_NORM_FACTOR = math.sqrt(math.pi / (math.pi - 1))


def rule(e: Evidence) -> Finding | None:
    if not e.finite:
        return diverged(e)
    severity = severity_at_start(e) if e.step == 0 else severity_since(e)
    if severity is None:
        return None
    first = e.first_delta_ratio
    factor = first ** (1 / e.hidden) if first > 0 and e.hidden else math.nan
    evidence = {
        "delta_ratio": e.delta_ratio,
        "delta_ratio_at_start": first,
        "factor_per_layer": factor,
        "activation_growth": forward_growth(e),
        "loss": e.loss,
    }
    if grows(e):
        what = (
            f"delta at {e.layer(0)} is {first:.3g} times that at the output at step 0: about "
            f"×{factor:.2g} a layer"
        )
    else:
        what = (
            f"activations grow {short(forward_growth(e))} times over the layers: loss "
            f"{e.loss:.3g}, {times_constant(e.loss, e.facts.baseline)}"
        )
    return Finding(severity, what, why(e.hidden), tuple(range(e.hidden)), evidence)


def severity_at_start(e: Evidence) -> Severity | None:
    if astronomic(e) and grows_forward(e):
        return "note" if e.optimizer is not None and e.optimizer.adaptive else "warning"
    if not grows(e):
        return None
    return "warning" if e.first_delta_ratio >= e.thresholds.overflowing else "note"


def severity_since(e: Evidence) -> Severity | None:
    p = e.progress
    if grows(e) and not p.close and p.stuck:
        return "critical"
    if held_up(e):
        return "warning"
    if astronomic(e) and (grows_forward(e) or grows(e)):
        return "critical" if p.stuck else "note" if p.improving else "warning"
    return "note" if grows(e) and not p.finished else None


def own_growth(e: Evidence) -> float:
    """The ratio of deltas above which they grow by more than normalization explains."""
    return e.thresholds.grown * BATCH_NORM_FACTOR ** e.normalized("batch")


@sign
def grows(e: Evidence) -> bool:
    """Did deltas grow over the layers at step 0, by more than batch normalization explains?"""
    return e.hidden >= 2 and e.first_delta_ratio >= own_growth(e)


@sign
def grows_forward(e: Evidence) -> bool:
    """Did activations grow over the layers at step 0?"""
    return forward_growth(e) >= e.thresholds.grown


@sign
def astronomic(e: Evidence) -> bool:
    """Is the loss a thousand times that of a constant?"""
    baseline = e.progress.baseline
    return baseline > 0 and e.loss / baseline >= e.thresholds.astronomic


@sign
def held_up(e: Evidence) -> bool:
    """Does a run whose deltas grew stand still, or make too little progress?"""
    p = e.progress
    return grows(e) and (p.stalled or (p.old_enough and not p.close and too_slow(e)))


def diverged(e: Evidence) -> Finding:
    event = e.divergence
    where = event.text if event is not None else "the loss"
    step = event.step if event is not None else e.step
    layers = tuple(i for i, name in enumerate(e.names) if where.endswith(name))
    evidence = {
        "step": step,
        "delta_ratio_at_start": e.first_delta_ratio,
        "activation_growth": forward_growth(e),
    }
    through = growth_through_time(e)
    advice: tuple[str, ...] = ()
    what = f"no longer finite since step {step}: first in {where}"
    if through is not None:
        layer, factor, length = through
        times = float(np.float64(factor) ** length)
        grown = short(times) if math.isfinite(times) else "more than 1e+308"
        evidence["factor_through_time"] = factor
        what += (
            f"; before, a gradient grew {factor:.3g} times at each step back in time in "
            f"{e.layer(layer)}, {grown} times over {length:.0f} steps"
        )
        layers, advice = layers or (layer,), THROUGH_TIME
    elif grows(e):
        what += f"; at step 0 delta grew {short(e.first_delta_ratio)} times over the layers"
    return Finding(
        "critical",
        what,
        "Each overshooting step makes the next gradient larger, and a product over layers "
        "δˡ = φ'(zˡ)·Wᵀδˡ⁺¹ has no upper limit: the numbers overflow (Pascanu et al. 2013).",
        layers,
        evidence,
        advice,
    )


def growth_through_time(e: Evidence) -> tuple[int, float, float] | None:
    """The recurrent layer in which a gradient grew most over the sequence, a hundredfold or more,
    in the newest record that shows any: the layer, the factor a step, and the steps."""
    factors = e.snapshot.layers("memory")[: e.index + 1]
    seen = np.flatnonzero(np.isfinite(factors).any(axis=1))
    if not len(seen):
        return None
    factor, lengths = factors[seen[-1]], e.snapshot.layers("sequence")[seen[-1]]
    grown = np.nan_to_num(lengths * np.log(factor), nan=0.0)
    layer = int(grown.argmax())
    far = grown[layer] >= math.log(e.thresholds.grown)
    return (layer, float(factor[layer]), float(lengths[layer])) if far else None


def forward_growth(e: Evidence) -> float:
    """Activation size of the last hidden layer over that of the first, in the first record."""
    if e.hidden < 2:
        return 1.0
    size = np.hypot(e.first("activation_std"), e.first("activation_mean"))[: e.hidden]
    return float(size[-1] / size[0]) if size[0] > 0 and math.isfinite(size[-1]) else math.nan


def why(layers: int) -> str:
    return (
        "Backpropagation multiplies by Wᵀ and the slope at every layer, δˡ = φ'(zˡ)·Wᵀδˡ⁺¹: "
        f"with weights too large this is a factor above 1, {layers} times in a row, and the steps "
        "of the first layers overshoot (Pascanu et al. 2013)."
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
    (
        "Draw smaller weights: nn.init.kaiming_normal_ for ReLU, nn.init.xavier_normal_ for tanh.",
        "A learning rate of a tenth.",
        NORMALIZE,
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before each step.",
    ),
)
