"""Dormant units: alive by their slope, yet next to silent beside the others of their layer."""

from __future__ import annotations

import numpy as np

from caveats.config import RunConfig
from caveats.verdicts import remedies as cure
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.slow import cut_off
from caveats.verdicts.verdict import Caveat, Finding, Remedy, Severity

__all__ = ["DORMANT"]

HALF = 0.5


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite or not e.progress.old_enough:
        return None
    units = e.now("units")[: e.hidden]
    dormant = np.nan_to_num(e.now("dormant")[: e.hidden])
    dead = np.nan_to_num(e.now("dead")[: e.hidden])
    if np.any(dead >= units):
        return None
    share = (dormant - np.minimum(dead, dormant)) / units  # dying ReLU tells of the dead
    worst = int(share.argmax())
    if share[worst] < HALF:
        return None
    p = e.progress
    severity: Severity = "warning" if p.stalled and not cut_off(e) else "note"
    count = int(units[worst])
    what = f"{e.layer(worst)}: {int(dormant[worst])} of {count} units dormant {e.during()}"
    evidence = {"dormant": float(dormant[worst]), "dead": float(dead[worst]), "units": count}
    why = (
        "A unit is dormant when E|h_i| is at most 0.025 of its layer's mean E|h_k|: it takes part "
        "in nothing that the layer says, though a gradient may still wake it (Sokar et al. 2023)."
    )
    return Finding(severity, what, why, tuple(map(int, np.flatnonzero(share >= HALF))), evidence)


def remedies(e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps keep units in use")
    return cure.ranked(
        c,
        (
            cure.combined(c, slower, cure.matched_init(c)),
            cure.combined(c, slower, cure.normalization(c)),
            cure.activation(c, "elu", "ELU has no dormant units, as it passes means below zero"),
            cure.sound(c),
        ),
    )


DORMANT = Caveat(
    "dormant",
    "dormant units",
    "Half of a layer's units have a mean |h| of at most 0.025 of the layer's.",
    "s_i = E|h_i| / mean_k E|h_k| ≤ 0.025",
    "Sokar et al. 2023, The Dormant Neuron Phenomenon",
    "ELU networks have no dormant units and still lose their ability to learn new tasks.",
    rule,
    remedies,
)
