"""Dying ReLU: units whose slope is 0 on every row, so that no gradient ever reaches them again."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import FADED, Evidence
from caveats.verdicts.slow import projected_gain
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["DYING_RELU"]

WORTH_SAYING = 0.25  # of a layer
HALF = 0.5
BORN = 0.8  # of a layer wide enough that chance does not do it
WIDE = 16
SOON = 0.6  # gain that the run is on its way to


def rule(e: Evidence) -> Finding | None:
    if not e.finite or not e.hidden:
        return None
    units = e.now("units")[: e.hidden]
    share = np.nan_to_num(e.dead_share)
    saturated = np.nan_to_num(e.now("saturated")[: e.hidden]) >= share * units
    share = np.where(saturated & ~e.dies, 0, share)
    worst = float(share.max())
    if worst < WORTH_SAYING:
        return None
    gone = np.flatnonzero(share >= 1)
    cut = len(gone) > 0 and not (e.config is not None and e.config.network.residual)
    p = e.progress
    severity: Severity
    if cut or (worst >= HALF and p.stuck and p.settled):
        severity = "critical"
    elif worst >= HALF and (
        (p.stalled and p.settled)
        or (e.step == 0 and born_in_bulk(share, units))
        or cripples(e, share, units)
        or p.failing
    ):
        severity = "warning"
    else:
        severity = "note"
    if severity == "critical" and e.step and 0 < e.first_delta_ratio <= FADED:
        severity = "warning"  # where signals fade from the start, deaths follow from that
    # Every layer above one that is wholly dead has a constant input: it is starved, and one
    # below it gets no gradient. The first of them is the one to blame.
    culprit = int(gone[0]) if cut else int(share.argmax())
    dead = round(float(share[culprit] * units[culprit]))
    born = int(np.nan_to_num(e.now("born_dead")[culprit]))
    starved = int(units[gone[gone > culprit]].sum()) if cut else 0
    count = int(units[culprit])
    what = f"{e.layer(culprit)}: {dead} of {count} units dead"
    died = dead - born
    if e.step and born and died > 0:
        what += f", {born} of them born dead, {died} died since"
    elif e.step and born:
        what += ", all of them at birth"
    elif e.step:
        what += f", all alive at step 0 (seen {e.during()})"
    else:
        what += " at step 0"
    others = int(np.count_nonzero(share >= HALF)) - 1
    if others > 0:
        what += f"; {others} more layers at least half dead"
    layers = tuple(int(i) for i in np.flatnonzero(share >= (HALF if worst >= HALF else worst)))
    evidence = {
        "dead": dead,
        "units": count,
        "born_dead": born,
        "died": max(0, died),
        "starved": starved,
        "dead_of_network": float((share * units).sum() / units.sum()),
    }
    return Finding(severity, what, why(born, dead, bool(cut)), layers, evidence)


def born_in_bulk(share: np.ndarray, units: np.ndarray) -> bool:
    return bool(np.any((share >= BORN) & (units >= WIDE)))


def cripples(e: Evidence, share: np.ndarray, units: np.ndarray) -> bool:
    """Half of a wide layer died and the pace is too low to make up for it."""
    p = e.progress
    wide = bool(np.any((share >= HALF) & (units >= WIDE / 2)))
    return wide and p.settled and not p.close and projected_gain(e) < SOON


def why(born: int, dead: int, cut: bool) -> str:
    how = (
        "they started below zero on every row"
        if born >= dead / 2
        else "one step threw their weights so far that they are below zero on every row"
    )
    tail = "; behind a wholly dead layer the output is one constant" if cut else ""
    return (
        f"ReLU's slope is 0 for z ≤ 0, and dL/dW = Σ δ·φ'(z)·x: {how}, so their gradient is 0 "
        f"for ever{tail} (Lu et al. 2019)."
    )


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    born = finding.evidence["born_dead"] >= 0.5 * finding.evidence["dead"]
    slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps do not throw a layer below zero")
    if usual.lr_is_high(c):
        slower = cure.usual_lr(c)
    elif usual.lr_is_low(c) or born:
        slower = None
    start = cure.combined(c, cure.clean_start(c), cure.usual_lr(c))
    soft = cure.leaky(c, "elu")
    first = cure.overhaul(c) if usual.hard_shape(c) else start or slower
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, start, soft),
            cure.wider(c),
            cure.combined(c, start, slower, soft, cure.normalization(c)),
            cure.sound(c),
        ),
    )


DYING_RELU = Caveat(
    "dying_relu",
    "dying ReLU",
    "A unit is dead when its slope is exactly 0 on every row of the probe set, not when it is "
    "silent on some: a healthy ReLU layer is half zeros. Dead at step 0 is born dead; a layer "
    "behind a wholly dead one is starved.",
    "φ'(z) = 0 for z ≤ 0, so dL/dw = 0",
    "Lu et al. 2019, Dying ReLU and Initialization",
    "Leaky ReLU cures neither a learning rate that is too large nor a bias of −3 within the same "
    "budget; narrow layers (5 units and fewer) are often half dead and learn all the same.",
    rule,
    remedies,
)
