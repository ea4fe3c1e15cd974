"""Saturated gates: those of an LSTM or a GRU are stuck at 0 or 1, whatever the input."""

from __future__ import annotations

import numpy as np

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import READINGS, held_up
from caveats.verdicts.verdict import Finding

__all__ = ["SATURATED_GATES"]

NEARLY_ALL = 0.9  # share of the units from which it is a warning at step 0


def rule(e: Evidence) -> Finding | None:
    stuck = e.snapshot.layers("saturated_gates")[: e.index + 1]
    units = e.now("units")
    shares = stuck[np.isfinite(stuck).any(axis=1)] / units
    if not len(shares) or not e.finite:
        return None
    newest = shares[-READINGS:] if e.step else shares[-1:]
    if e.step and len(newest) < READINGS:
        return None
    found = np.all(newest >= e.thresholds.most, axis=0)
    if not found.any():
        return None
    worst = int(np.where(found, newest[-1], 0).argmax())
    share = float(newest[-1, worst])
    count = int(units[worst])
    what = (
        f"{e.layer(worst)}: one gate is stuck near 0 or 1 in {round(share * count)} of {count} "
        f"units {e.during()}"
    )
    why = (
        "σ'(z) = σ(z)(1 − σ(z)) is below .018 beyond ±4, and tanh' below .06 where |tanh| > .97: "
        "such a gate no longer depends on what it reads, and gets next to no gradient (Hochreiter "
        "& Schmidhuber 1997; Jozefowicz et al. 2015 on its bias)."
    )
    evidence = {"saturated_gates": share * count, "units": float(count)}
    harm = held_up(e) or (e.step == 0 and share >= NEARLY_ALL)
    layers = tuple(map(int, np.flatnonzero(found)))
    return Finding("warning" if harm else "note", what, why, layers, evidence)


SATURATED_GATES = Caveat(
    "saturated_gates",
    "saturated gates",
    "In three readings in a row, one gate of an LSTM or a GRU lies beyond σ(±4), or tanh beyond "
    "±.97, in at least half of the units and half of the positions. It is a warning if little is "
    "learned, or at step 0 with nine tenths of the units.",
    "|z| > 4, σ(z) > .982 or < .018",
    "Hochreiter & Schmidhuber 1997; Jozefowicz et al. 2015",
    "A forget gate that is open for good remembers, which may be right: that is a note. Packed "
    "sequences and LSTMs with a projection are not taken apart.",
    rule,
    (
        "Biases as torch draws them, U(±1/√units), and 1 for the forget gate: "
        "lstm.bias_ih_l0.data[units:2*units] = 1.0.",
        "nn.init.xavier_uniform_ for weight_ih, nn.init.orthogonal_ for weight_hh, and standardize "
        "the inputs.",
        "nn.LayerNorm before the recurrent layer, or a smaller lr.",
    ),
)
