"""What an experiment of the gallery shows, and its lesson, in lines of the lab's width."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from caveats.config import RunConfig
from caveats.experiments import Experiment, experiments
from caveats_tui.text.settings import changes_shown

__all__ = ["Story", "fitted"]

ROWS_A_LINE = 8  # of the screen: how many rows make room for one line of a lesson


class Story:
    """Remembers the experiment of the config that it was asked about last: a frame asks again and
    again."""

    def __init__(self) -> None:
        self._config: RunConfig | None = None
        self._found: Experiment | None = None

    def told(self, config: RunConfig, over: bool) -> str:
        """What the experiment with this config, or with its cure, shows; once the run is over, its
        lesson. Empty for other configs; device and seed may differ."""
        if config is not self._config:
            self._config, self._found = config, shown_by(config)
        experiment = self._found
        if experiment is None:
            return ""
        if over:
            return f"lesson: {experiment.lesson}"
        if same(config, experiment.config):
            return f"{experiment.name}: {experiment.sentence}"
        change = changes_shown(experiment.cure, experiment.config)
        return f"{experiment.name} with its cure: {change}"


def shown_by(config: RunConfig) -> Experiment | None:
    """The experiment that has this config, or whose cure leads to it."""
    found = (e for e in experiments().values() if same(config, e.config) or same(config, e.cured))
    return next(found, None)


def same(config: RunConfig, other: RunConfig) -> bool:
    training = replace(config.training, device=other.training.device, seed=other.training.seed)
    return replace(config, training=training) == other


def fitted(text: str, width: int, most: int) -> list[str]:
    """``text`` in at most ``most`` lines of ``width`` cells, each with a blank before it; where
    that is too little, the last line ends in "…"."""
    lines = textwrap.wrap(text, max(10, width - 2), break_on_hyphens=False)
    if len(lines) > most:
        last = lines[most - 1][: max(0, width - 4)]
        lines = [*lines[: most - 1], f"{last.rstrip(' ,;:')} …"]
    return [f" {line}" for line in lines]
