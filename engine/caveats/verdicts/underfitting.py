"""Underfitting: the steps are spent, the data allow far more, and no other caveat explains it."""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.sign import sign
from caveats.verdicts.verdict import Finding

__all__ = ["UNDERFITTING"]


def rule(e: Evidence) -> Finding | None:
    if not e.finite or not e.hidden or not fell_short(e) or narrow(e) or explained(e):
        return None
    p, known = e.progress, e.facts
    what = (
        f"loss {e.loss:.3g} at the end of the run, where these data allow {known.reachable:.2g} "
        f"and a constant gives {p.baseline:.3g}"
    )
    evidence = {
        "gain": p.gain,
        "reachable": known.reachable,
        "narrowest_layer": float(e.units.min()),
    }
    why = (
        "A very wide network that is trained for long acts as kernel regression does (Jacot et al. "
        "2018), so the loss of kernel regression shows what these data allow. This network went "
        f"{max(0.0, p.gain):.0%} of the way: too few units or steps, or too much dropout."
    )
    return Finding("warning", what, why, (), evidence)


@sign
def fell_short(e: Evidence) -> bool:
    """Is the run over, with far more left to learn? Its length and what the data allow must be
    known."""
    p, known, t = e.progress, e.facts, e.thresholds
    if not known.steps or not known.reachable > 0 or not p.late(t.over):
        return False
    return p.learnable and not p.close and p.gain < t.far


@sign
def narrow(e: Evidence) -> bool:
    """Does a layer have so few units that a run which got somewhere is not expected to do more?"""
    few = float(e.units.min()) < e.thresholds.few
    return few and e.progress.gain >= e.thresholds.nothing


@sign
def explained(e: Evidence) -> bool:
    """Does another caveat explain it?"""
    return e.blames(*e.findings)


UNDERFITTING = Caveat(
    "underfitting",
    "underfitting",
    "The run ends after less than 45 % of the way from a constant's loss to the loss of kernel "
    "regression on the same data, and no other caveat explains it.",
    "gain = (L_constant − L) / (L_constant − L_kernel) < 0.45",
    "Jacot et al. 2018; Goodfellow et al. 2016, Deep Learning, section 5.2",
    "Kernel regression is a yardstick, not a proof: data that it learns easily may need another "
    "network. A run that was cut short underfits too; then more steps are enough.",
    rule,
    (
        "Less dropout, wider layers, or more steps.",
        "A learning rate ten times as large.",
        "Put a normalization (nn.BatchNorm1d, nn.LayerNorm) between weights and activation.",
    ),
)
