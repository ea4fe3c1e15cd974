"""Dying ReLU: units whose slope is 0 on every row, so that no gradient ever reaches them again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caveats.documents import counted
from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import faded_start
from caveats.verdicts.verdict import Finding, Severity

__all__ = ["DYING_RELU"]

STEP = "A tenth of the learning rate, where units died in training."
WEIGHTS = "Weights of nn.init.kaiming_normal_ and biases of 0, where units were born dead."
LEAKY = "nn.LeakyReLU or nn.ELU, whose slope on the left is above 0."
WIDER = "Wider layers: a layer of N units is silent for a row with probability 2⁻ᴺ."


def rule(e: Evidence) -> Finding | None:
    if not e.finite or not e.hidden or not worth_saying(e):
        return None
    share = dead(e)
    gone = np.flatnonzero(cutting(e))
    # Layers above a wholly dead one have constant inputs (they are starved), layers below it get
    # no gradient. So blame the first dead layer.
    culprit = int(gone[0]) if len(gone) else int(share.argmax())
    count = int(e.units[culprit])
    flat = round(float(share[culprit] * count))
    born = int(np.nan_to_num(e.now("born_dead")[culprit]))
    most = e.thresholds.most
    what = f"{e.layer(culprit)}: {flat} of {counted(count, 'unit')} dead{history(e, flat, born)}"
    others = int(np.count_nonzero(share >= most)) - 1
    if others > 0:
        what += f"; {counted(others, 'more layer')} at least half dead"
    before = np.where(e.adding[:culprit], e.units[:culprit], np.inf)
    if len(before) and before.min() < min(e.thresholds.few, count):
        narrow = int(before.argmin())
        what += f"; {e.layer(narrow)} below has only {counted(int(before[narrow]), 'unit')}"
    worst = float(share.max())
    layers = np.flatnonzero(share >= (most if worst >= most else worst))
    evidence = {
        "dead": flat,
        "units": count,
        "born_dead": born,
        "died": max(0, flat - born),
        "starved": int(e.units[gone[gone > culprit]].sum()) if len(gone) else 0,
        "dead_of_network": float((share * e.units).sum() / e.units.sum()),
    }
    words = why(born, flat, len(gone) > 0)
    found = advice(e, born, flat)
    return Finding(severity(e), what, words, tuple(map(int, layers)), evidence, found)


def advice(e: Evidence, born: int, flat: int) -> tuple[str, ...]:
    """What fits units of which ``born`` were dead at step 0 and ``flat`` are now."""
    if born >= flat:
        found = [WEIGHTS]
    elif not born:
        found = [STEP]
    else:
        found = [STEP, WEIGHTS] if flat > 2 * born else [WEIGHTS, STEP]
    found.append(LEAKY)
    if e.narrowest < e.thresholds.few:
        found.append(WIDER)
    if not e.normalized():
        found.append(NORMALIZE)
    return tuple(found)


def severity(e: Evidence) -> Severity:
    p = e.progress
    if cuts(e) or (half_dead(e) and p.stuck and p.settled):
        # If signals faded at step 0, the deaths are a consequence.
        return "warning" if e.step and faded_start(e) and e.first_delta_ratio > 0 else "critical"
    stands = (p.stalled and p.settled) or p.failing
    if half_dead(e) and (stands or born_in_bulk(e) or cripples(e)):
        return "warning"
    return "note"


def dead(e: Evidence) -> NDArray[np.float64]:
    """The share of dead units of each hidden layer, (hidden,). It is 0 for a layer whose dead units
    are saturated and whose activation cannot die: that is saturation, another caveat."""
    share = np.nan_to_num(e.dead_share)
    saturated = np.nan_to_num(e.now("saturated")[: e.hidden]) >= share * e.units
    return np.where(saturated & ~e.dies, 0, share)


def cutting(e: Evidence) -> NDArray[np.bool_]:
    """Which layers, (hidden,), are wholly dead and have no shortcut around them."""
    return (dead(e) >= 1) & ~e.residual


@sign
def worth_saying(e: Evidence) -> bool:
    """Is a quarter of some layer dead?"""
    return float(dead(e).max()) >= e.thresholds.worth_saying


@sign
def cuts(e: Evidence) -> bool:
    """Is a whole layer dead, with no shortcut around it? Then the output is one constant."""
    return bool(cutting(e).any())


@sign
def half_dead(e: Evidence) -> bool:
    """Is half of some layer dead?"""
    return float(dead(e).max()) >= e.thresholds.most


@sign
def born_in_bulk(e: Evidence) -> bool:
    """Is nearly all of a layer dead at step 0, a layer too wide for that to happen by chance?"""
    bulk = (dead(e) >= e.thresholds.nearly_all) & (e.units >= e.thresholds.wide)
    return e.step == 0 and bool(bulk.any())


@sign
def cripples(e: Evidence) -> bool:
    """Did half of a wide layer die, and is the pace too low to make up for it?"""
    p, t = e.progress, e.thresholds
    wide = bool(np.any((dead(e) >= t.most) & (e.units >= t.wide / 2)))
    return wide and p.settled and not p.close and too_slow(e)


def history(e: Evidence, flat: int, born: int) -> str:
    """The end of the sentence, which says when the dead units died."""
    if not e.step:
        return " at step 0"
    if born and flat > born:
        return f", {born} of them born dead, {flat - born} died since"
    if born:
        return ", all of them at birth"
    return ", all alive at step 0"


def why(born: int, flat: int, cut: bool) -> str:
    how = (
        "they started below zero on every row"
        if born >= flat / 2
        else "since then they have come to lie below zero on every row"
    )
    tail = "; behind a wholly dead layer the output is one constant" if cut else ""
    return (
        f"ReLU's slope is 0 for z ≤ 0, and dL/dW = Σ δ·φ'(z)·x: {how}, so their weights get no "
        f"gradient{tail} (Lu et al. 2019)."
    )


DYING_RELU = Caveat(
    "dying_relu",
    "dying ReLU",
    "A unit is dead when its slope is exactly 0 on every row of the probe set, not when it is "
    "silent on some: half of the outputs of a healthy ReLU layer are 0. A unit that is dead at "
    "step 0 is born dead; a layer above a wholly dead one is starved.",
    "φ'(z) = 0 for z ≤ 0, so dL/dw = 0",
    "Lu et al. 2019, Dying ReLU and Initialization",
    "Leaky ReLU cures neither a learning rate that is too large nor a bias of −3 within the same "
    "number of steps; narrow layers (at most 5 units) are often half dead and still learn.",
    rule,
    (STEP, WEIGHTS, LEAKY, WIDER, NORMALIZE),
)
