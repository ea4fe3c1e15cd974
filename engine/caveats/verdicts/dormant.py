"""Dormant units: not dead, but with outputs near zero compared with the rest of their layer."""

from __future__ import annotations

import numpy as np

from caveats.documents import counted
from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.soundness import cut_off
from caveats.verdicts.verdict import Finding

__all__ = ["DORMANT"]


def rule(e: Evidence) -> Finding | None:
    if not e.hidden or not e.finite or not e.progress.old_enough:
        return None
    dormant = np.nan_to_num(e.now("dormant")[: e.hidden])
    dead = np.nan_to_num(e.now("dead")[: e.hidden])
    if np.any(dead >= e.units):
        return None
    # Dead units: see dying ReLU.
    share = np.nan_to_num((dormant - np.minimum(dead, dormant)) / e.units)
    worst = int(share.argmax())
    most = e.thresholds.most
    if share[worst] < most:
        return None
    held_up = e.progress.stalled and not cut_off(e)
    count = int(e.units[worst])
    units = counted(count, "unit")
    what = f"{e.layer(worst)}: {int(dormant[worst])} of {units} dormant {e.during()}"
    if dormant[worst] >= count:  # there is no mean that they could be a share of
        what = f"{e.layer(worst)}: the outputs of all {units} are 0 {e.during()}"
    evidence = {"dormant": float(dormant[worst]), "dead": float(dead[worst]), "units": count}
    why = (
        "A unit is dormant when E|h_i| is at most 0.025 of its layer's mean E|h_k|: it adds "
        "next to nothing to the layer's output, but a gradient may revive it (Sokar et al. 2023)."
    )
    layers = tuple(map(int, np.flatnonzero(share >= most)))
    return Finding("warning" if held_up else "note", what, why, layers, evidence)


DORMANT = Caveat(
    "dormant",
    "dormant units",
    "Half of a layer's units have a mean |h| of at most 0.025 of the layer's.",
    "s_i = E|h_i| / mean_k E|h_k| ≤ 0.025",
    "Sokar et al. 2023, The Dormant Neuron Phenomenon",
    "ELU networks have no dormant units and still lose their ability to learn new tasks.",
    rule,
    (
        "A tenth of the learning rate keeps units in use.",
        NORMALIZE,
        "nn.ELU passes means below zero and has no dormant units.",
    ),
)
