"""A sweep's folder: the plan, one file of results for each task, and the last words of failures.

Any number of processes may work in one folder without locks: a task's results are written whole, by
a rename, and a task that two processes train gives the same results twice. What is missing is
whatever has no file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from caveats.errors import ConfigError, visible
from caveats.runs.files import read_whole, remove, replace_file
from caveats.sweeps.outcomes import Outcome
from caveats.sweeps.plan import PLAN, Plan

__all__ = ["Progress", "Sweep"]

LARGEST = 64 * 2**20  # bytes of one task's results
LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is: cells and tasks that are done, of how many; ``failed`` has the last lines
    of each task that failed and has no results."""

    cells: int
    done: int
    tasks: int
    tasks_done: int
    failed: Mapping[int, str]
    cancelled: bool

    @property
    def finished(self) -> bool:
        return self.tasks_done == self.tasks


def publish(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one piece; raises OSError. Several processes may do so at once,
    also on several machines: each writes to a name of its own first."""
    own = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        replace_file(own, data)
        os.replace(own, path)
    except OSError:
        remove(own)
        raise


class Sweep:
    """The sweep in ``folder``.

    Raises:
        ConfigError: if there is none, or if its plan is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = Plan.read(folder)
        self._known: dict[int, dict[int, Outcome]] = {}

    @classmethod
    def create(cls, folder: Path, plan: Plan) -> Sweep:
        """A new sweep in ``folder``, which may hold the same plan already.

        Raises:
            ConfigError: if the folder holds another plan or other files, or cannot be written.
        """
        shown = visible(folder)
        try:
            if (folder / PLAN).exists():
                if Plan.read(folder).document() != json.loads(json.dumps(plan.document())):
                    raise ConfigError(
                        f"{shown} holds another sweep: choose a new folder, or go on with it by "
                        f"caveats-tui sweep resume {shown}"
                    )
                return cls(folder)
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigError(f"{shown} is not empty: a sweep wants a folder of its own")
            for name in ("results", "failed"):
                (folder / name).mkdir()
            plan.write(folder)
        except OSError as error:
            raise ConfigError(f"{shown} cannot be written: {error.strerror}") from None
        return cls(folder)

    def result_file(self, task: int) -> Path:
        return self.folder / "results" / f"{task:06}.json"

    def failure_file(self, task: int) -> Path:
        return self.folder / "failed" / f"{task:06}.txt"

    @property
    def cancel_file(self) -> Path:
        return self.folder / "cancelled"

    def is_done(self, task: int) -> bool:
        return self.result_file(task).exists()

    def missing(self) -> list[int]:
        """The tasks without results."""
        have = {path.stem for path in (self.folder / "results").glob("*.json")}
        return [task for task in range(len(self.plan.tasks)) if f"{task:06}" not in have]

    def keep(self, task: int, outcomes: Mapping[int, Outcome], ids: Mapping[int, str]) -> None:
        """Write a task's results, by the index of the cell; raises OSError."""
        cells = [
            {"cell": index, "id": ids[index], **outcome.document()}
            for index, outcome in sorted(outcomes.items())
        ]
        publish(self.result_file(task), json.dumps({"cells": cells}).encode())
        remove(self.failure_file(task))

    def fail(self, task: int, text: str) -> None:
        lines = text.strip().splitlines()[-LAST_LINES:]
        publish(self.failure_file(task), "\n".join(lines).encode())

    def results(self) -> Iterator[tuple[int, Outcome, str]]:
        """The cells that are done, each once: index, outcome, id.

        Raises:
            ConfigError: for a file of results that is damaged.
        """
        for task in range(len(self.plan.tasks)):
            if self.is_done(task):
                yield from self._read(task)

    def fresh(self) -> dict[int, Outcome]:
        """The outcomes of tasks that this object has not given yet, by the index of the cell."""
        found: dict[int, Outcome] = {}
        for path in (self.folder / "results").glob("*.json"):
            task = int(path.stem) if path.stem.isdecimal() else -1
            if task not in self._known and 0 <= task < len(self.plan.tasks):
                self._known[task] = {index: outcome for index, outcome, _ in self._read(task)}
                found |= self._known[task]
        return found

    def _read(self, task: int) -> list[tuple[int, Outcome, str]]:
        path = self.result_file(task)
        try:
            tree = json.loads(read_whole(path, LARGEST))
            own = {cell.index for cell in self.plan.tasks[task]}
            rows: list[dict[str, Any]] = tree["cells"]
            found = [(int(r.pop("cell")), str(r.pop("id")), Outcome.of(r)) for r in rows]
            if {index for index, _, _ in found} != own or len(found) != len(own):
                raise ValueError
            return [(index, outcome, name) for index, name, outcome in found]
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError, FileNotFoundError):
            raise ConfigError(
                f"{visible(path)} is damaged: remove it, and resume trains its cells again"
            ) from None

    def progress(self) -> Progress:
        missing = set(self.missing())
        tasks = self.plan.tasks
        failed = {}
        for task in sorted(missing):
            try:
                failed[task] = read_whole(self.failure_file(task), LARGEST).decode(errors="replace")
            except FileNotFoundError:
                continue
        left = sum(len(tasks[task]) for task in missing)
        cells = len(self.plan.cells)
        return Progress(
            cells,
            cells - left,
            len(tasks),
            len(tasks) - len(missing),
            failed,
            self.cancel_file.exists(),
        )

    def cancel(self) -> None:
        """Ask all workers to stop; they look every second."""
        publish(self.cancel_file, b"")

    def go_on(self) -> None:
        """Take back a `cancel`, and forget failures, so that their tasks are tried again.

        Raises:
            ConfigError: if the folder cannot be written.
        """
        try:
            self.cancel_file.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{visible(self.folder)} cannot be written: {error.strerror}"
            ) from None
        for path in (self.folder / "failed").glob("*.txt"):
            remove(path)
