"""Not zero-centred: inputs of a layer that share a sign make all its weights move together."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import FADED, Evidence
from caveats.verdicts.slow import projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["NOT_ZERO_CENTRED", "data_to_blame", "holds_up"]

MEAN = 0.8
MEAN_OF_UNITS = 0.6  # tanh + 1 has 0.7, a sigmoid 0.95
PATIENCE = 0.5  # of the planned steps, where the data are centred
DEEP = 4  # hidden layers
MILD = frozenset(("torch_default", "lecun_normal", "lecun_uniform"))  # tanh trains from these too
SOON = 0.6  # gain that the run is on its way to
# These are never near 0 for an input of 0. Half of a ReLU layer's outputs are 0 and none is
# negative, and ReLU networks train well: their mean is information, not an alarm.
OFF_CENTRE = frozenset(("sigmoid", "hard_sigmoid", "softplus", "tanh_plus_one", "exp"))


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite or e.step == 0:
        return None
    p = e.progress
    blamed = off_centre(e)
    if not blamed or not p.old_enough or p.close:
        return None
    rho = e.now("mean_fraction")
    coherence = e.now("sign_coherence")
    worst = max(blamed, key=lambda layer: rho[layer])
    severity: Severity = "note"  # something else holds it up, whatever the mean
    if holds_up(e):
        severity = "critical" if 0 in blamed and p.stuck else "warning"
    source = "the data" if worst == 0 else e.layer(worst - 1)
    what = (
        f"{rho[worst]:.0%} of what feeds {e.layer(worst)} (from {source}) is its mean; the "
        f"gradients of a unit agree in sign to {coherence[worst]:.0%}"
    )
    evidence = {
        "mean_fraction": float(rho[worst]),
        "sign_coherence": float(coherence[worst]),
        "gain": p.gain,
    }
    why = (
        "For inputs x of one sign all of dL/dw = Σ δ·x share the sign of δ, and the Hessian "
        "E[x·xᵀ] gets one eigenvalue of n·E[x]² that limits the step for all others "
        "(LeCun et al. 1998, Efficient BackProp)."
    )
    return Finding(severity, what, why, tuple(blamed), evidence)


def off_centre(e: Evidence) -> list[int]:
    """Layers fed with more mean than they bear: by the data for the first, else by the units of the
    layer before."""
    rho = np.nan_to_num(e.now("mean_fraction"))
    if rho.max() <= MEAN_OF_UNITS:
        return []
    names = e.config.network.activations if e.config is not None else ()
    return [
        layer
        for layer in range(len(rho))
        if (rho[layer] > MEAN if layer == 0 else rho[layer] > MEAN_OF_UNITS)
        and (layer == 0 or (names and names[layer - 1] in OFF_CENTRE))
    ]


def holds_up(e: Evidence) -> bool:
    """Whether training is slow for that reason and no other."""
    p = e.progress
    blamed = off_centre(e)
    slow = p.learnable and (p.stalled or p.failing or projected_gain(e) < SOON)
    if not blamed or not slow:
        return False
    return data_hold_up(e) if 0 in blamed else units_hold_up(e)


def data_to_blame(e: Evidence) -> bool:
    return 0 in off_centre(e) and holds_up(e)


def data_hold_up(e: Evidence) -> bool:
    """Units that died or saturated since count for it: data far from 0 do that to them."""
    sound = not 0 <= e.first_delta_ratio <= FADED and not e.symmetric
    return bool(sound and not (e.config is not None and usual.leads_nowhere(e.config)))


def units_hold_up(e: Evidence) -> bool:
    """Means compound from layer to layer, so a few layers bear them, unless the slopes are tanh's
    own and nothing else differs; and where weights or step are wrong for centred units too, those
    are the fault."""
    c = e.config
    if c is None or not e.progress.late(PATIENCE):
        return False
    if e.hidden < DEEP and set(c.network.activations) != {"tanh_plus_one"}:
        return False
    weights = cure.matched_init(c) is None or c.network.init.name in MILD
    step = not (usual.lr_is_far_above(c) or usual.leads_nowhere(c))
    return weights and step and not c.network.bias


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    data = cure.standardize(c) if finding.layers[0] == 0 else None
    own = cure.combined(c, data, cure.centred(c))
    return cure.ranked(
        c,
        (
            own,
            cure.combined(c, own, cure.matched_init(c)),
            cure.combined(c, own, cure.normalization(c)),
            cure.combined(c, own, cure.adam(c)),
            cure.sound(c),
        ),
    )


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
    remedies,
)
