"""What came of a remedy: whether a run that was trained with it is cured, better, or no better.

A run is cured when no verdict above a note is left and it has learnt at least half of what can be
learnt above a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from caveats.experiments import experiments
from caveats.remedies.winning import CLEARLY, ENOUGH
from caveats.verdicts import Remedy, Verdict, learnt

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.experiments import Experiment
    from caveats.history import History

__all__ = ["Attempt", "Outcome", "advised", "curable", "outcome"]

Outcome = Literal["cured", "better", "no better"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy that was tried. ``loss`` and ``accuracy`` are those of the last record: the loss
    is NaN where the run diverged, the accuracy is NaN also where there are no classes. ``learnt``
    is what `caveats.verdicts.learnt` gives. ``verdicts`` are those of the new run."""

    change: Mapping[str, Any]
    reason: str
    loss: float
    accuracy: float
    learnt: float
    verdicts: tuple[Verdict, ...]
    outcome: Outcome

    @property
    def cured(self) -> bool:
        return self.outcome == "cured"


def outcome(failed: History, treated: History, verdicts: Iterable[Verdict]) -> Outcome:
    """What came of a remedy; ``verdicts`` are those of the ``treated`` run."""
    before, after = learnt(failed), learnt(treated)
    if after >= ENOUGH and all(verdict.severity == "note" for verdict in verdicts):
        return "cured"
    return "better" if after >= max(before, 0.0) + CLEARLY else "no better"


def advised(config: RunConfig, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """``verdicts``; if ``config`` is that of an experiment (device and seed may differ), the
    experiment's cure becomes the first remedy of the caveat that it shows."""
    found = []
    for verdict in verdicts:
        for experiment in experiments().values():
            if experiment.caveat == verdict.caveat and same_but_for_chance(config, experiment):
                own = Remedy(experiment.cure, f"the cure of {experiment.name}", certain=True)
                others = tuple(r for r in verdict.next if r.change != own.change)
                verdict = replace(verdict, next=(own, *others) if own.change else others)
        found.append(verdict)
    return tuple(found)


def curable(config: RunConfig, verdicts: Iterable[Verdict]) -> Verdict | None:
    """The first of ``verdicts`` (worst first) that has a remedy after `advised`; None if none
    has one."""
    return next((verdict for verdict in advised(config, verdicts) if verdict.next), None)


def same_but_for_chance(config: RunConfig, experiment: Experiment) -> bool:
    own = experiment.config.training
    training = replace(config.training, device=own.device, seed=own.seed)
    return replace(config, training=training) == experiment.config
