"""Step too small: every update is a tiny share of the weights, and the loss hardly moves."""

from __future__ import annotations

import math

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import FADED, GROWN, Evidence
from caveats.verdicts.not_zero_centred import holds_up
from caveats.verdicts.slow import cut_off, largest_update, projected_gain, step_is_small
from caveats.verdicts.step_too_large import LARGE_UPDATE, limit_of, newest_sharpness, thrown
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["STEP_TOO_SMALL"]

PATIENCE = 0.6  # of the planned steps, where the learning rate is within the usual
CRAWLING = 1e-3  # ‖ΔW‖/‖W‖ of one step in the fastest layer
ROOM = 0.03  # sharpness over the stability limit: steps thirty times as long would be stable
TIGHT = 0.1  # sharpness over the stability limit that leaves a usual step little to gain
BAD = 0.4  # gain; a network further on than that may be at its own limit
FEW = 3  # hidden layers
WORSE = -0.1  # projected gain
STEEP = 0.1  # share of the loss that half a run took away
SOON = 0.45  # gain that the run is on its way to; beyond it a network may be at its own limit


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not e.hidden or not p.old_enough or p.close:
        return None
    if not p.learnable:  # nothing says that another step would get further
        return None
    if hindered(e):
        return None
    projected = projected_gain(e)
    # Longer steps are all that is missing.
    crawling = crawls(e)
    longer = crawling or far_to_go(e, projected) or sits_on_saddle(e) or holds_back(e)
    if cut_off(e) and not longer:
        return None
    if e.config is not None and usual.drops_most(e.config) and not crawling:
        return None
    room = newest_sharpness(e) / limit_of(e.config)
    tiny = step_is_small(e) and (e.config is None or usual.lr_is_low(e.config) or not room > TIGHT)
    if projected > SOON or not (tiny or longer or (room < ROOM and p.gain < BAD)):
        return None
    update = largest_update(e)
    severity: Severity = "critical" if p.stuck else "warning"
    plainly = update <= CRAWLING and (e.config is None or usual.lr_is_low(e.config))
    if not p.late(PATIENCE) and not plainly:
        severity = "note"
    what = f"a step changes no layer by more than {update:.1e} of its weights; loss {e.loss:.3g}"
    if math.isfinite(room):
        what += f", and the curvature would bear steps {1 / max(room, 1e-12):.3g} times as long"
    evidence = {"update_ratio": update, "gain": p.gain, "projected_gain": projected}
    if math.isfinite(room):
        evidence["share_of_limit"] = room
    why = (
        "Where lr·λ ≪ 2, the error along an eigenvector shrinks by only 1 − lr·λ a step: a "
        "learning rate ten times as large gets there in a tenth of the steps (LeCun et al. 1998)."
    )
    return Finding(severity, what, why, tuple(range(e.hidden + 1)), evidence)


def hindered(e: Evidence) -> bool:
    """Whether the weights hold up a usual step, or any step of plain SGD, which fades as its deltas
    do: no learning rate makes up for a power of the depth."""
    if e.config is None:
        return False
    if e.blames("symmetry", "exploding_gradient") and not usual.lr_is_low(e.config):
        return True
    return e.config.optimizer.name == "sgd" and e.blames("vanishing_gradient")


def far_to_go(e: Evidence, projected: float) -> bool:
    """A loss that falls well and steps that stay small, yet at its pace a constant will still be
    better at the end."""
    peak, _ = thrown(e)
    grown = e.first_delta_ratio >= GROWN  # then the weights put it so high
    return projected < WORSE and e.progress.fall > STEEP and peak <= LARGE_UPDATE and not grown


def sits_on_saddle(e: Evidence) -> bool:
    """Weak weights in few layers: they grow by 1 + lr·|λ| a step, so that at the customary learning
    rate or less it takes most of the run (Saxe et al. 2014). In more layers it takes for ever."""
    c = e.config
    if c is None or c.optimizer.lr > usual.customary_lr(c.optimizer.name):
        return False
    weak = e.first_delta_ratio <= FADED and e.hidden <= FEW
    gone = e.symmetric or np.any(np.nan_to_num(e.dead_share) >= 0.5)
    return bool(weak and not gone and e.progress.failing)


def holds_back(e: Evidence) -> bool:
    """A sound network that gets nowhere though its optimizer makes every gradient the same size."""
    c = e.config
    if c is None or not e.adaptive or cut_off(e) or holds_up(e):
        return False
    sound = FADED < e.first_delta_ratio < GROWN and not e.symmetric
    usual_step = c.optimizer.lr <= 1.5 * usual.customary_lr(c.optimizer.name)
    return bool(sound and usual_step and e.progress.failing)


def crawls(e: Evidence) -> bool:
    """Steps so small and so few that they would hold up a sound network too."""
    c = e.config
    if c is None or not usual.leads_nowhere(c):
        return False
    # No step revives what is dead, and a hundredth of the customary one trains nothing at all.
    return not e.mostly_dead or usual.lr_is_far_below(c)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    low = usual.lr_is_low(c)
    value = usual.customary_lr(c.optimizer.name) if low else c.optimizer.lr * 10
    value = min(value, max(usual.bearable_lr(c), 2 * c.optimizer.lr))
    faster = cure.lr(c, value, "larger steps: weights move by about a thousandth of their size")
    quick = cure.adam(c) or faster
    start = cure.clean_start(c)
    swap = None
    if set(c.network.activations) & usual.SLUGGISH:
        swap = cure.activation(c, "relu", "its slope of 1 in place of at most 1/4 is a step longer")
    first = cure.combined(c, start, swap, faster)
    if usual.hard_shape(c) or not low:
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            faster,
            cure.combined(c, start, quick),
            cure.combined(c, start, faster, cure.normalization(c)),
            cure.sound(c),
        ),
    )


STEP_TOO_SMALL = Caveat(
    "step_too_small",
    "step too small",
    "At a learning rate far below the customary a step changes no layer by more than 0.3 % of its "
    "weights, and at that pace the run ends with its loss still high; or all its steps together "
    "would carry no network of that shape far; or weak weights of a few layers have not left their "
    "saddle by half of the run, though momentum or Adam drives them.",
    "‖ΔW‖/‖W‖ < 10^−2.5",
    "LeCun et al. 1998; Karpathy's rule of 10⁻³",
    "10⁻³ is a guide from below, not a target. Where the gradient itself is gone (vanishing, dead, "
    "symmetric layers) a larger learning rate does not bring it back.",
    rule,
    remedies,
)
