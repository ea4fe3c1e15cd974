"""What is kept of a cell: a few numbers of its history, and what the judge says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caveats.documents import finite
from caveats.history import History
from caveats.verdicts import judge
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.judge import findings, worst_first
from caveats.verdicts.verdict import Finding

if TYPE_CHECKING:
    from caveats.measuring.divergence import Divergence

__all__ = ["NUMBERS", "SHARES", "Outcome", "outcome_of", "refused"]

Floats = NDArray[np.float64]

# The numbers of an outcome, by the words that a screen shows.
NUMBERS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "dead": "dead share",
    "gradient": "gradient ratio",
    "learned": "steps to learn",
    "born_dead": "share born dead",
    "failed": "share that fails",
}
# Those of which a cell with several seeds shows the mean, so that it is a share; of the others it
# is the median.
SHARES = frozenset({"born_dead", "failed"})


KINDS: dict[Any, Any] = {"float": (int, float), "int": int, "str": str}  # by a field's annotation


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one cell ended.

    ``loss`` and ``accuracy`` are those of the last record, ``dead`` the largest share of dead units
    in any hidden layer, ``gradient`` ‖delta‖ of the first layer over that of the output at step 0,
    ``learned`` the first recorded step at which the network was near what the data allow; NaN where
    there is none. ``born_dead`` is 1 if a whole hidden layer was dead at step 0, so that the output
    is constant, else 0; ``failed`` is 1 with a verdict that is more than a note, else 0.

    ``caveat`` is the worst verdict's ("" for none) with its ``severity`` and ``what``, ``caveats``
    all that are more than notes. ``diverged`` says where it broke. ``problem`` is the sentence with
    which the config was refused; then nothing else is known.
    """

    loss: float = math.nan
    accuracy: float = math.nan
    dead: float = math.nan
    gradient: float = math.nan
    learned: float = math.nan
    steps: int = 0
    caveat: str = ""
    severity: str = ""
    what: str = ""
    caveats: tuple[str, ...] = ()
    diverged: str = ""
    problem: str = ""
    born_dead: float = math.nan
    failed: float = math.nan

    def document(self) -> dict[str, Any]:
        """Plain values; numbers that are not finite are None."""
        found: dict[str, Any] = finite({**asdict(self), "caveats": list(self.caveats)})
        return found

    @classmethod
    def of(cls, document: dict[str, Any]) -> Outcome:
        """The outcome that `document` describes; raises TypeError or ValueError for another."""
        values: dict[str, Any] = {k: math.nan if v is None else v for k, v in document.items()}
        caveats = values["caveats"] = tuple(values.get("caveats", ()))
        for field in fields(cls):
            kind = KINDS.get(field.type, tuple)
            if not isinstance(values.get(field.name, field.default), kind):
                raise TypeError(f"{field.name} is no {field.type}")
        if not all(isinstance(name, str) for name in caveats):
            raise TypeError("caveats are names")
        return cls(**values)


def refused(sentence: str) -> Outcome:
    return Outcome(problem=sentence)


def outcome_of(history: History, divergence: Divergence | None) -> Outcome:
    """The outcome of a run that is over."""
    snapshot = history.snapshot()
    last = Evidence(snapshot, len(snapshot) - 1, history.layers, history.facts)
    first = Evidence(snapshot, 0, history.layers, history.facts)
    told = told_at_the_end(history, last)
    caveat, worst = told[0] if told else ("", None)
    born_dead = largest(first.dead_share)
    return Outcome(
        float(snapshot.scalar("loss")[-1]),
        float(snapshot.scalar("accuracy")[-1]),
        largest(last.dead_share),
        first.delta_ratio,
        learned(history),
        int(snapshot.steps[-1]),
        caveat,
        "" if worst is None else worst.severity,
        "" if worst is None else worst.what,
        tuple(name for name, _ in told),
        "" if divergence is None else divergence.where,
        born_dead=born_dead if math.isnan(born_dead) else float(born_dead == 1),
        failed=float(worst is not None),
    )


def told_at_the_end(history: History, last: Evidence) -> list[tuple[str, Finding]]:
    """The verdicts that are more than notes, by caveat and worst first. At the last record of a run
    whose length is known, or that broke, only what is found there holds. So no other record need be
    judged, and no remedies chosen, which takes longer than all the rules."""
    if 0 < last.facts.steps <= last.step or not last.finite:
        with np.errstate(all="ignore"):  # as the judge does: NaN compares as False
            found = worst_first(findings(last))
    else:
        verdicts = judge(history)
        found = [(v.caveat, Finding(v.severity, v.what, v.why)) for v in verdicts]
    return [(name, finding) for name, finding in found if finding.severity != "note"]


def largest(shares: Floats) -> float:
    """The largest of some layers' shares; NaN where there is none."""
    return float(np.nanmax(shares)) if np.isfinite(shares).any() else math.nan


def learned(history: History) -> float:
    """The first recorded step from which on the network stays near what the data allow; NaN if it
    does not end there."""
    snapshot = history.snapshot()
    found = math.nan
    for index in range(len(snapshot) - 1, -1, -1):
        if not Evidence(snapshot, index, history.layers, history.facts).progress.close:
            break
        found = float(snapshot.steps[index])
    return found
