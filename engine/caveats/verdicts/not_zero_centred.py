"""Not zero-centred: inputs of a layer that share a sign make all its weights move together."""

from __future__ import annotations

import math

import numpy as np

from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.learning_rates import leads_nowhere, lr_is_far_above
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import faded_start, symmetric
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["NOT_ZERO_CENTRED", "data_to_blame", "means_hold_up"]

# Activations whose output for an input of 0 is not near 0. ReLU is not among them: half of its
# outputs are 0, none is negative, and ReLU networks train well, so their mean is no alarm.
OFF_CENTRE = frozenset(("sigmoid", "hard_sigmoid", "softplus", "tanh_plus_one", "exp"))


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite or e.step == 0:
        return None
    blamed = off_centre(e)
    if not blamed or not e.progress.old_enough or e.progress.close:
        return None
    rho, coherence = e.now("mean_fraction"), e.now("sign_coherence")
    worst = max(blamed, key=lambda layer: rho[layer])
    severity: Severity = "note"  # something else slows the training, whatever the mean
    if means_hold_up(e):
        severity = "critical" if 0 in blamed and e.progress.stuck else "warning"
    source = "the data" if worst == 0 else e.layer(worst - 1)
    what = f"{percent(rho[worst])} of what feeds {e.layer(worst)} (from {source}) is its mean"
    if not math.isnan(coherence[worst]):
        what += f"; the gradients of a unit agree in sign to {percent(coherence[worst])}"
    evidence = {
        "mean_fraction": float(rho[worst]),
        "sign_coherence": float(coherence[worst]),
        "gain": e.progress.gain,
    }
    why = (
        "For inputs x of one sign all of dL/dw = Σ δ·x share the sign of δ, and the Hessian "
        "E[x·xᵀ] gets one eigenvalue of n·E[x]² that limits the step for all others "
        "(LeCun et al. 1998, Efficient BackProp)."
    )
    return Finding(severity, what, why, tuple(blamed), evidence)


def off_centre(e: Evidence) -> list[int]:
    """Layers whose inputs have too large a mean. These inputs are the data for the first layer, the
    units of the layer before for the others."""
    rho, t = np.nan_to_num(e.now("mean_fraction")), e.thresholds
    feeding = (None, *e.activations)
    return [
        layer
        for layer, activation in enumerate(feeding)
        if (layer == 0 and rho[0] > t.mean_of_data and not e.facts.data.from_network)
        or (
            activation is not None
            and activation.name in OFF_CENTRE
            and rho[layer] > t.mean_of_units
        )
    ]


@sign
def means_hold_up(e: Evidence) -> bool:
    """Is training slow because inputs are off centre, and for no other reason?"""
    p = e.progress
    blamed = off_centre(e)
    if not blamed or not p.learnable or not (p.stalled or p.failing or too_slow(e)):
        return False
    return data_hold_up(e) if 0 in blamed else units_hold_up(e)


@sign
def data_to_blame(e: Evidence) -> bool:
    """Are the data off centre, and do they slow the training?"""
    return 0 in off_centre(e) and means_hold_up(e)


@sign
def data_hold_up(e: Evidence) -> bool:
    """Were weights and steps sound, so that the data are to blame? Units that died or saturated
    since step 0 do not count against it: data far from 0 cause that."""
    faded = faded_start(e) and e.first_delta_ratio >= 0
    return not faded and not symmetric(e) and not leads_nowhere(e)


@sign
def units_hold_up(e: Evidence) -> bool:
    """Do means add up over the layers, and would centred units train well with these weights and
    steps? In a few layers means do no harm, unless the activation is tanh moved by a constant."""
    own = all(a is not None and a.name == "tanh_plus_one" for a in e.activations)
    if not e.progress.late(e.thresholds.half_way) or not (e.hidden >= e.thresholds.deep or own):
        return False
    return suitable_weights(e) and not lr_is_far_above(e) and not leads_nowhere(e)


@sign
def suitable_weights(e: Evidence) -> bool:
    """Did the weights start with a variance that keeps the size of signal and gradient?"""
    norm, units = e.first("weight_norm")[1 : e.hidden], e.first("units")[1 : e.hidden]
    gain = norm**2 / units  # fan_in times the variance, as ‖W‖² = units · fan_in · variance
    return bool(np.all((gain >= e.thresholds.weak) & (gain <= e.thresholds.strong)))


NOT_ZERO_CENTRED = Caveat(
    "not_zero_centred",
    "not zero-centred",
    "More than 80 % of the square of the inputs, or 60 % of what units off centre feed to four "
    "layers and more, is the square of its mean, and learning is slow.",
    "ρ = |E x|² / E|x|²",
    "LeCun et al. 1998, Efficient BackProp",
    "ReLU networks always show gradients of one sign (about 0.86) and train well: the sign alone "
    "is no fault. Adam softens the one large eigenvalue, it does not remove it.",
    rule,
    (
        "Inputs of mean 0 and variance 1; nn.Tanh in place of nn.Sigmoid.",
        "Weights of nn.init.xavier_normal_.",
        NORMALIZE,
        "torch.optim.Adam softens the one large eigenvalue.",
    ),
)
