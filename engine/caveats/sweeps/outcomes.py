"""What is kept of a cell: a few numbers of its history, and what the judge says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from caveats.documents import finite
from caveats.history import History
from caveats.verdicts import Verdict, judge
from caveats.verdicts.evidence import Evidence

if TYPE_CHECKING:
    from caveats.measuring.divergence import Divergence

__all__ = ["NUMBERS", "Outcome", "outcome_of", "refused"]

# The numbers of an outcome, by the words that a screen shows.
NUMBERS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "dead": "dead share",
    "gradient": "gradient ratio",
    "learned": "steps to learn",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one cell ended.

    ``loss`` and ``accuracy`` are those of the last record, ``dead`` the largest share of dead units
    in any hidden layer, ``gradient`` ‖delta‖ of the first layer over that of the output at step 0,
    ``learned`` the first recorded step at which the network was near what the data allow; NaN where
    there is none. ``caveat`` is the worst verdict's ("" for none) with its ``severity`` and
    ``what``, ``caveats`` all that are more than notes. ``diverged`` says where it broke.
    ``problem`` is the sentence with which the config was refused; then nothing else is known.
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

    def document(self) -> dict[str, Any]:
        """Plain values; numbers that are not finite are None."""
        found: dict[str, Any] = finite({**asdict(self), "caveats": list(self.caveats)})
        return found

    @classmethod
    def of(cls, document: dict[str, Any]) -> Outcome:
        """The outcome that `document` describes; raises TypeError or ValueError for another."""
        values: dict[str, Any] = {k: math.nan if v is None else v for k, v in document.items()}
        values["caveats"] = tuple(values.get("caveats", ()))
        return cls(**values)


def refused(sentence: str) -> Outcome:
    return Outcome(problem=sentence)


def outcome_of(history: History, divergence: Divergence | None) -> Outcome:
    """The outcome of a run that is over."""
    snapshot = history.snapshot()
    last = Evidence(snapshot, len(snapshot) - 1, history.layers, history.facts)
    first = Evidence(snapshot, 0, history.layers, history.facts)
    told = [verdict for verdict in judge(history) if verdict.severity != "note"]
    worst: Verdict | None = told[0] if told else None
    with np.errstate(all="ignore"):
        dead = float(np.nanmax(last.dead_share)) if np.isfinite(last.dead_share).any() else math.nan
    return Outcome(
        float(snapshot.scalar("loss")[-1]),
        float(snapshot.scalar("accuracy")[-1]),
        dead,
        first.delta_ratio,
        learned(history),
        int(snapshot.steps[-1]),
        "" if worst is None else worst.caveat,
        "" if worst is None else worst.severity,
        "" if worst is None else worst.what,
        tuple(verdict.caveat for verdict in told),
        "" if divergence is None else divergence.where,
    )


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
