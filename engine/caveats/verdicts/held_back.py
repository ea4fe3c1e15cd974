"""What keeps a network from learning though its layers and its rate are in order: it is one linear
map, or dropout or weight decay.

Each is told from what was observed: the layers, and the sizes of gradients and weights.
"""

from __future__ import annotations

import math

import numpy as np

from caveats.measuring.cadence import FIRST_STEPS
from caveats.verdicts.evidence import Evidence, length
from caveats.verdicts.learning_rates import DECOUPLED, drops_most
from caveats.verdicts.sign import sign
from caveats.verdicts.words import as_hard_as, percent

__all__ = [
    "EFFECTS",
    "as_good_as_linear",
    "bend_is_missing",
    "decayed_away",
    "decayed_from_the_start",
    "effects",
    "held_back",
    "outdone",
    "pulled",
    "reasons",
]


@sign
def as_good_as_linear(e: Evidence) -> bool:
    """Is the network one linear map, and its loss near the best that such a map reaches? Then no
    step is to blame."""
    best, p, t = e.facts.data.reachable_linear, e.progress, e.thresholds
    if not e.linear or math.isnan(best):
        return False
    span = p.baseline - best
    return span < t.nothing * p.baseline or p.baseline - p.level >= t.short * span


@sign
def bend_is_missing(e: Evidence) -> bool:
    """Is the network one linear map, and does the best such map get less than half as far as the
    data allow?"""
    data, p = e.facts.data, e.progress
    if not e.linear or math.isnan(data.reachable_linear):
        return False
    return p.baseline - data.reachable_linear < e.thresholds.most * p.span


@sign
def decayed_away(e: Evidence) -> bool:
    """Does weight decay pull at the weights with half the force of the loss's gradient or more, now
    or from the start, and has it pulled them to half of their length at the start? In a run that
    learned little that is what keeps them there. (Where the gradient has vanished any decay is
    stronger than it.)"""
    return shrunk(e) and (pulled(e) >= e.thresholds.most or decayed_from_the_start(e))


@sign
def decayed_from_the_start(e: Evidence) -> bool:
    """Did the decay pull with half the force of the loss's gradient or more in the first steps, and
    are the weights half as long since? At the end of any run with a weight decay the two are about
    equal; at its start a decay that only keeps weights small is far weaker."""
    return shrunk(e) and pulled_first(e) >= e.thresholds.most


def shrunk(e: Evidence) -> bool:
    return newest(e, "weight_norm") <= e.thresholds.most * e.first_weight


def pulled(e: Evidence) -> float:
    """The force of the weight decay λ over that of the loss: λ·‖W‖/‖dL/dW‖ where λ·W is added to
    the gradient (at the minimum of L + λ·‖W‖²/2 it is 1), lr·λ/(‖ΔW‖/‖W‖) where it is not; NaN if
    unknown."""
    return force(e, newest(e, "weight_norm"), newest(e, "grad_norm"), e.largest_update)


def pulled_first(e: Evidence) -> float:
    """The same in the first steps, the median of up to ten records."""
    layers, rows = e.snapshot.layers, range(min(FIRST_STEPS, e.index + 1))
    named = ("weight_norm", "grad_norm", "update_ratio")
    weights, gradients, updates = (layers(name)[: len(rows)] for name in named)
    forces = [
        force(e, length(weights[i]), length(gradients[i]), float(np.nanmax(updates[i], initial=0)))
        for i in rows
    ]
    known = sorted(f for f in forces if not math.isnan(f))
    return known[len(known) // 2] if known else math.nan


def newest(e: Evidence, measure: str) -> float:
    """The length of all layers together in the newest record that shows it: some records of a
    watched training hold its loss alone."""
    rows = e.snapshot.layers(measure)[: e.index + 1]
    seen = np.flatnonzero(np.isfinite(rows).any(axis=1))
    return length(rows[seen[-1]]) if len(seen) else math.nan


def force(e: Evidence, weight: float, gradient: float, update: float) -> float:
    o = e.optimizer
    if o is None or not o.weight_decay > 0:
        return math.nan
    if o.kind in DECOUPLED:
        return o.lr * o.weight_decay / update if update > 0 else math.nan
    return o.weight_decay * weight / gradient if gradient > 0 else math.nan


# What else a run shows whose weights are pulled to 0, or whose layers are mostly switched off.
EFFECTS = frozenset({
    "dying_relu", "vanishing_gradient", "saturation", "rank_loss", "plateau", "dormant",
    "memory_through_time",
})  # fmt: skip
STEPS = frozenset({"step_too_large", "step_too_small", "ravine"})


def effects(e: Evidence) -> frozenset[str]:
    """What follows from what holds the network back. Weights that a strong decay has made small
    are changed by a large part of themselves in each step."""
    if not outdone(e):
        return frozenset()
    return EFFECTS | STEPS if decayed_from_the_start(e) else EFFECTS


@sign
def outdone(e: Evidence) -> bool:
    """Does dropout take nearly all of a layer away, or does weight decay outdo the loss? Units that
    died and deltas that faded are effects of that."""
    return e.dropout >= e.thresholds.nearly_all or decayed_away(e)


@sign
def held_back(e: Evidence) -> bool:
    """Is the network linear, or does dropout or weight decay keep it from learning?"""
    return as_good_as_linear(e) or drops_most(e) or decayed_away(e)


def reasons(e: Evidence) -> list[str]:
    """What holds the network back, each as half a sentence."""
    found = []
    if e.linear:
        found.append(
            "no activation stands between its layers, so all of them together are one linear map"
            if e.hidden
            else "without a hidden layer the network can only draw a straight line"
        )
    if drops_most(e):
        found.append(f"dropout takes {percent(e.dropout)} of a layer away in every step")
    if decayed_away(e):
        found.append(f"weight decay pulls at the weights {as_hard_as(pulled(e))} the loss does")
    return found
