"""Overfitting: the loss on rows held out rises while the training loss falls."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import percent

__all__ = ["OVERFITTING"]


def rule(e: Evidence) -> Finding | None:
    if not e.finite or not ((rises(e) and still_falls(e)) or by_heart(e)):
        return None
    held = held_out(e)
    best = int(np.nanargmin(held))
    step, lowest, now = int(e.steps[best]), float(held[best]), float(held[-1])
    what = (
        f"the loss on rows held out was lowest at step {step} ({lowest:.3g}) and is {now:.3g}; on "
        f"the training rows it fell from {e.losses[best]:.3g} to {e.loss:.3g}"
    )
    evidence = {"best_step": step, "lowest_held_out_loss": lowest, "held_out_loss": now}
    if gained(e) > 0:
        evidence["share_given_back"] = given_back(e)
    why = (
        "What is true of the training rows alone is learnt last, and does not hold for others: "
        f"{lost(e)} (Goodfellow et al. 2016, Deep Learning, section 7.8)."
    )
    return Finding(severity(e), what, why, (), evidence)


def severity(e: Evidence) -> Severity:
    return "warning" if loses_much(e) or (by_heart(e) and fails_on_new_rows(e)) else "note"


def held_out(e: Evidence) -> NDArray[np.float64]:
    """The loss on rows held out, (spaced records,); NaN where there are none."""
    column: NDArray[np.float64] = e.snapshot.scalar("validation_loss")[e.rows]
    return column


def given_back(e: Evidence) -> float:
    """How far the held-out loss rose above its lowest, as a share of how far that was below the
    loss of a constant."""
    held = held_out(e)
    rise = float(held[-1] - np.nanmin(held))
    return rise / gained(e) if gained(e) > 0 else 0.0


def gained(e: Evidence) -> float:
    """How far the held-out loss was below that of a constant, at its lowest."""
    return e.progress.baseline - float(np.nanmin(held_out(e)))


def lost(e: Evidence) -> str:
    if gained(e) <= 0:
        return "on rows held out the loss was never below that of a constant"
    share = given_back(e)
    part = "more than all" if share > 1 else percent(share)
    return f"{part} of what had been gained on rows held out is lost again"


@sign
def rises(e: Evidence) -> bool:
    """Is the held-out loss above its lowest by more than it scatters, in three records in a row?"""
    held = held_out(e)
    if len(held) < 6 or not np.isfinite(held[-3:]).all() or not np.isfinite(held).any():
        return False
    best = int(np.nanargmin(held))
    scatter = float(np.nanmedian(np.abs(np.diff(held[best:])))) if best < len(held) - 3 else np.inf
    above = held[-3:].min() - held[best]
    return bool(above > scatter and given_back(e) >= e.thresholds.jump)


@sign
def still_falls(e: Evidence) -> bool:
    """Has the training loss fallen since then?"""
    best = int(np.nanargmin(held_out(e)))
    return bool(e.loss < e.losses[best])


@sign
def by_heart(e: Evidence) -> bool:
    """Are the training rows fitted twice as well as kernel regression predicts rows that it has not
    seen, and are the rows held out predicted clearly worse than it does?"""
    reachable, t = e.facts.reachable, e.thresholds
    if not reachable > 0 or not e.progress.late(t.half_way):
        return False
    worse = held_out(e)[-1] > reachable + t.jump * e.progress.baseline
    return bool(worse and e.loss < t.most * reachable)


@sign
def fails_on_new_rows(e: Evidence) -> bool:
    """Is what it learnt of the rows held out less than three quarters of what the data allow, by
    their loss and by their accuracy?"""
    p, t = e.progress, e.thresholds
    by_loss = (p.baseline - float(held_out(e)[-1])) / p.span if p.span > 0 else 1.0
    right = e.scalar("validation_accuracy")
    by_accuracy = (right - p.chance) / p.allowed if p.accuracy_tells else math.nan
    return not (by_loss >= t.short or by_accuracy >= t.short)


@sign
def loses_much(e: Evidence) -> bool:
    """Has it given back a quarter of what it had gained?"""
    return given_back(e) >= e.thresholds.worth_saying


OVERFITTING = Caveat(
    "overfitting",
    "overfitting",
    "The loss on rows held out has risen above its lowest by a tenth of what it had gained below a "
    "constant's loss, while the training loss fell. It is a warning from a quarter on, or if the "
    "training loss is below half of what kernel regression reaches on rows that it has not seen, "
    "the loss on rows held out a tenth of a constant's above it, and less than three quarters of "
    "what the data allow were learnt of them, by loss and accuracy.",
    "L_held out(t) − min L_held out > 0.1 (L_constant − min L_held out)",
    "Prechelt 1998, Early Stopping; Goodfellow et al. 2016, Deep Learning, section 7.8",
    "It needs rows held out: data.validation = 0.2. A loss may rise while the accuracy on these "
    "rows still grows: the network is then surer of its mistakes.",
    rule,
    (
        "Stop where the loss on rows held out is lowest.",
        "weight_decay=0.01 with torch.optim.Adam or SGD, nearer 1 with AdamW; or nn.Dropout(0.5) "
        "behind each hidden layer.",
        "Fewer units, or more rows.",
    ),
)
