"""Trains one task of a sweep: its cells as stacks, and their outcomes written at once."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

from caveats.config import RunConfig
from caveats.data import Dataset, load
from caveats.errors import ConfigError
from caveats.stacks.packing import train
from caveats.sweeps.folder import Sweep
from caveats.sweeps.outcomes import Outcome, outcome_of, refused
from caveats.sweeps.plan import Cell, Plan, cell_id
from caveats.training.trainer import check_fit

__all__ = ["CancelledError", "outcomes_of", "work"]

LOOK = 1.0  # seconds between two looks for a cancel


class CancelledError(Exception):
    """The sweep was cancelled while a task was being trained."""


class Cancel:
    """Looks now and then whether the sweep was cancelled."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0.0

    def __call__(self, stack: object) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK
            if self._path.exists():
                raise CancelledError


def work(folder: str, task: int) -> str:
    """Train task ``task`` of the sweep in ``folder``, unless it has results; returns "done",
    "cancelled" or, if it failed, the last line of why."""
    sweep = Sweep(Path(folder))
    if sweep.is_done(task):
        return "done"
    try:
        cells = sweep.plan.tasks[task]
        outcomes, ids = outcomes_of(sweep.plan, cells, Cancel(sweep.cancel_file))
        sweep.keep(task, outcomes, ids)
        return "done"
    except CancelledError:
        return "cancelled"
    except Exception as error:  # shown with its last lines by status
        words = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) and error.filename is None:
            return words  # the disk is full: there is no room for the words either
        sweep.fail(task, traceback.format_exc())
        return words.splitlines()[0]


def outcomes_of(
    plan: Plan, cells: list[Cell], watch: Cancel | None = None
) -> tuple[dict[int, Outcome], dict[int, str]]:
    """The outcome and the id of each cell, by its index. A config that is refused is an outcome."""
    found: dict[int, Outcome] = {}
    ids: dict[int, str] = {}
    configs: dict[int, RunConfig] = {}
    loaded: dict[str, Dataset] = {}
    for cell in cells:
        try:
            config = plan.config(cell)
            key = repr(config.data.settings())
            if key not in loaded:
                loaded[key] = load(config.data.settings())
            check_fit(config.fitted(loaded[key].rows), loaded[key])
        except ConfigError as error:
            found[cell.index], ids[cell.index] = refused(str(error)), ""
            continue
        configs[cell.index], ids[cell.index] = config, cell_id(config)
    places = list(configs)
    for trained in train(list(configs.values()), watch=watch):
        found[places[trained.index]] = outcome_of(trained.history, trained.divergence)
    return found, ids
