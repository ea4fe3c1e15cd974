"""Ravine: plain gradient descent falls steadily and slowly along the floor of a narrow valley."""

from __future__ import annotations

from caveats.config import RunConfig
from caveats.verdicts import customary as usual
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.slow import cut_off, falls_steadily, largest_update, projected_gain
from caveats.verdicts.step_too_large import limit_of, newest_sharpness
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["RAVINE"]

PATIENCE = 0.7  # of the planned steps; until then it is a note
# Units of a layer: fewer are more often at the end of what they can tell apart, or pause for long.
FEW, OVER = 4, 0.9  # once this share of the steps is made; `TINY` until then
FAR = 0.45  # gain that the run will not reach at this pace
PLAIN = frozenset({"sgd"})


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not e.hidden or not p.old_enough or p.close:
        return None
    if not p.learnable:  # nothing says that another step would get further
        return None
    if e.config is None or e.config.optimizer.name not in PLAIN or cut_off(e):
        return None
    if not p.gain >= 0.02 or not falls_steadily(e):
        return None
    projected = projected_gain(e)
    if projected >= FAR:
        return None
    update = largest_update(e)
    few = FEW if p.late(OVER) else usual.TINY
    tiny = min(e.now("units")[: e.hidden]) < few
    severity: Severity = "warning" if p.late(PATIENCE) and not tiny else "note"
    share = newest_sharpness(e) / limit_of(e.config)
    what = (
        f"loss {e.loss:.3g} falls steadily but slowly: at this pace it ends at "
        f"{p.baseline - projected * p.span:.2g}"
    )
    if e.facts.reachable > 0:
        what += f", where the data allow {e.facts.reachable:.2g}"
    evidence = {"gain": p.gain, "projected_gain": projected, "fall": p.fall, "update_ratio": update}
    if share == share:
        evidence["share_of_limit"] = share
    why = (
        "The steepest direction limits the learning rate to 2/λ_max, and along the flattest the "
        "error then shrinks by only (κ−1)/(κ+1) a step, κ = λ_max/λ_min; momentum makes that "
        "(√κ−1)/(√κ+1) (Polyak 1964)."
    )
    return Finding(severity, what, why, (), evidence)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    data = cure.combined(c, cure.standardize(c), cure.centred_target(c))
    roll = cure.momentum(c)
    first = cure.combined(c, roll, data)
    if usual.hard_shape(c):
        first = cure.combined(c, cure.clean_start(c), cure.scaffold(c), cure.adam(c, 0.005))
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, roll, data),
            cure.combined(c, cure.clean_start(c), cure.adam(c, 0.01)),
            cure.combined(c, roll, data, cure.normalization(c)),
            cure.sound(c),
        ),
    )


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
    remedies,
)
