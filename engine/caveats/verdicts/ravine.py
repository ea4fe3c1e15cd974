"""Ravine: plain gradient descent falls steadily and slowly along the floor of a narrow valley."""

from __future__ import annotations

from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import held_back
from caveats.verdicts.learning_rates import limit
from caveats.verdicts.pace import falls_steadily, projected_gain
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import cut_off
from caveats.verdicts.trial import other_step_helps, proof
from caveats.verdicts.verdict import Finding

__all__ = ["RAVINE"]


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not p.old_enough or p.close or not p.learnable:
        return None
    if not plain_descent(e) or cut_off(e) or held_back(e) or not crawls_down(e):
        return None
    projected = projected_gain(e)
    unproved = e.trial is not None and not other_step_helps(e)
    warns = p.late(e.thresholds.short) and not tiny(e) and not unproved
    ends = end(e.loss, p.baseline - projected * p.span, e.facts.reachable)
    what = f"loss {e.loss:.3g} falls steadily but slowly: at this pace it ends at {ends:.3g}"
    if 0 < e.facts.steps <= e.step:
        what = f"loss {e.loss:.3g} fell steadily but slowly until the end"
    if e.facts.reachable > 0:
        what += f", where the data allow {e.facts.reachable:.2g}"
    what += proof(e, "other", "larger")
    evidence = {
        "gain": p.gain,
        "projected_gain": projected,
        "fall": p.fall,
        "update_ratio": e.largest_update,
    }
    share = e.newest("sharpness") / limit(e.optimizer)
    if share == share:
        evidence["share_of_limit"] = share
    why = (
        "The steepest direction limits the learning rate to 2/λ_max, so along the flattest the "
        "error shrinks only by (κ−1)/(κ+1) a step, κ = λ_max/λ_min; with momentum by "
        "(√κ−1)/(√κ+1) (Polyak 1964)."
    )
    return Finding("warning" if warns else "note", what, why, (), evidence)


def end(loss: float, projected: float, reachable: float) -> float:
    """Where the loss is expected to end: not below what the data allow, and not above the present
    one."""
    return min(loss, max(projected, reachable))


@sign
def plain_descent(e: Evidence) -> bool:
    """Is the optimizer SGD without momentum?"""
    return e.optimizer is not None and e.optimizer.kind == "sgd"


@sign
def crawls_down(e: Evidence) -> bool:
    """Does the loss fall steadily below that of a constant, and too slowly to get anywhere?"""
    t = e.thresholds
    learns = e.progress.gain >= t.nothing / 2
    return learns and falls_steadily(e) and projected_gain(e) < t.far


@sign
def tiny(e: Evidence) -> bool:
    """Has a layer so few units that the network may not be able to learn more?"""
    return e.narrowest < e.thresholds.few


RAVINE = Caveat(
    "ravine",
    "vanilla SGD in a ravine",
    "Plain SGD on a sound network whose loss falls steadily, yet too slowly to get anywhere within "
    "the planned steps.",
    "rate (κ−1)/(κ+1) a step; with momentum (√κ−1)/(√κ+1)",
    "Polyak 1964; Sutskever et al. 2013",
    "A larger learning rate helps only until lr = 2/λ_max. The sign of successive minibatch "
    "gradients says nothing: they are opposed in healthy runs too.",
    rule,
    (
        "torch.optim.SGD with momentum=0.9.",
        "torch.optim.Adam.",
        NORMALIZE,
    ),
)
