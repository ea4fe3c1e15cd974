"""Underfitting: the steps are spent, the data allow far more, and no other caveat explains it."""

from __future__ import annotations

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import Caveat, Finding, Remedy

__all__ = ["UNDERFITTING"]

OVER = 0.9  # of the planned steps: until then the loss may still come down
SHORT = 0.4  # gain
FEW = 3  # units of a layer, below which nobody expects more


def rule(e: Evidence) -> Finding | None:
    p, known = e.progress, e.facts
    if not known.steps or not known.reachable > 0:
        return None  # nobody said when it ends, or how far the data let one get
    if not e.finite or not e.hidden or not p.late(OVER):
        return None
    if not p.learnable or p.close or p.gain >= SHORT:
        return None
    units = float(e.now("units")[: e.hidden].min())
    if units < FEW or explained(e):
        return None
    what = (
        f"loss {e.loss:.3g} at the end of the run, where these data allow {known.reachable:.2g} "
        f"and a constant gives {p.baseline:.3g}"
    )
    evidence = {"gain": p.gain, "reachable": known.reachable, "narrowest_layer": units}
    why = (
        "A very wide network that is trained for long does what kernel regression does (Jacot et "
        "al. 2018): how far that gets says how far these data let one get. This one went "
        f"{max(0.0, p.gain):.0%} of the way: too few units or steps, or too much dropout."
    )
    return Finding("warning", what, why, (), evidence)


def explained(e: Evidence) -> bool:
    """Whether another caveat says why."""
    return e.blames(*e.findings)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    fuller = cure.combined(c, cure.no_dropout(c), cure.wider(c))
    return cure.ranked(
        c,
        (
            fuller if usual.drops_most(c) else cure.combined(c, cure.overhaul(c), fuller),
            fuller,
            cure.combined(c, fuller, cure.lr(c, c.optimizer.lr * 10, "steps ten times as long")),
            cure.combined(c, fuller, cure.normalization(c)),
            cure.sound(c),
        ),
    )


UNDERFITTING = Caveat(
    "underfitting",
    "underfitting",
    "The run ends with less than 40 % of the way made from a constant's loss to what kernel "
    "regression reaches on the same data, and no other caveat explains it.",
    "gain = (L_constant − L) / (L_constant − L_kernel) < 0.4",
    "Jacot et al. 2018; Goodfellow et al. 2016, Deep Learning, section 5.2",
    "Kernel regression is a yardstick, not a proof: data that it learns easily may need another "
    "network. A run cut short underfits too, and more steps are then the whole cure.",
    rule,
    remedies,
)
