"""One network that cannot train in a stack, with what a race asks of a stack."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.history import History
from caveats.run import Run

__all__ = ["Alone"]


class Alone:
    """A single run of ``config`` that is measured only when its scores are asked for.

    For configs of which `caveats.stacks.shape.unstackable` names a setting, as another loss or rows
    that are held out: they race too, only not as fast.
    """

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        self._run = Run(config, dataset, every=config.training.steps)
        self._left = False

    @property
    def histories(self) -> list[History]:
        return [self._run.history]

    def fork(self, config: RunConfig, state: Mapping[str, Any]) -> None:
        """Go on from the ``state`` (`Trainer.state`) of a run of ``config`` with this run's own
        settings, which differ in live keys."""
        trainer, own = self._run.trainer, self._run.config
        trainer.change(config)
        trainer.load(dict(state))
        trainer.change(own)

    def advance(self) -> None:
        if not self._left and not self._run.finished:
            self._run.advance()

    def probe_scores(self) -> list[tuple[float, float]]:
        """The present loss and accuracy on the probe rows; NaN for a run that diverged, the
        accuracy also where there are no classes."""
        if self._run.divergence is not None:
            return [(math.nan, math.nan)]
        self._run.record()
        snapshot = self._run.history.snapshot()
        return [(float(snapshot.scalar("loss")[-1]), float(snapshot.scalar("accuracy")[-1]))]

    def keep(self, members: Collection[int]) -> None:
        """Stop unless the index 0 is among ``members``."""
        self._left = 0 not in members
