"""The order in which to try remedies once they have raced."""

from __future__ import annotations

from collections.abc import Sequence

from caveats.config import RunConfig
from caveats.trials.race import Result, winner
from caveats.verdicts import Remedy

__all__ = ["UNTOLD", "Changed", "changed_by", "ordered"]

UNTOLD = frozenset({"overfitting"})  # its remedies help on rows held out, where no race looks
Changed = tuple[tuple[str, str], ...]


def ordered(
    config: RunConfig, proposed: Sequence[Remedy], results: Sequence[Result]
) -> tuple[Remedy, ...]:
    """``proposed`` for a run of ``config`` in the order of the race: first what is certain, then
    the winner, even if it was not proposed, then the others as they are placed in ``results``.
    Without a winner the order stays."""
    best = winner(results) if results else None
    if best is None:
        return tuple(proposed)
    own = {changed_by(config, remedy): remedy for remedy in proposed}
    certain = [change for change, remedy in own.items() if remedy.certain]
    placed = [changed_by(config, result.remedy) for result in results]
    first = changed_by(config, best.remedy)
    order = dict.fromkeys((*certain, first, *(c for c in placed if c in own), *own))
    return tuple(own.get(change, best.remedy) for change in order)


def changed_by(config: RunConfig, remedy: Remedy) -> Changed:
    """What a remedy changes in ``config``: remedies of which it is the same make the same run."""
    present = config.flat()
    changed = {key: value for key, value in remedy.change.items() if present.get(key) != value}
    return tuple(sorted((key, repr(value)) for key, value in changed.items()))
