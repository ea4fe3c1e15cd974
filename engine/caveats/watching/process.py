"""The instruments in a process that `caveats-tui watch` started: they write each model that trains
to a part of the run's folder."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from caveats.runs.manifest import Command
from caveats.runs.writer import Writer
from caveats.watching.folder import claim, settings, tell
from caveats.watching.instruments import Instruments
from caveats.watching.training import WatchedTraining

__all__ = ["start"]


def start() -> None:
    """Put the instruments in; the settings come by the environment."""
    asked = settings()
    keeper = PartKeeper(Path(asked["folder"]), Command(tuple(asked["argv"]), asked["cwd"]))
    instruments = Instruments(asked["every"], asked["share"], keeper.keep)
    keeper.instruments = instruments
    instruments.install()
    atexit.register(keeper.close)
    tell("trains")


class Kept:
    """A training whose history has begun, as `caveats.runs.writer` wants it."""

    def __init__(self, training: WatchedTraining) -> None:
        assert training.history is not None
        self.history = training.history
        self.units, self.device = training.units, training.device
        self._training = training

    @property
    def step(self) -> int:
        return self._training.step

    @property
    def seconds(self) -> float:
        return self._training.seconds

    @property
    def speed(self) -> float:
        return self._training.speed


class PartKeeper:
    """Writes every model of this process to a folder of its own. Nothing here raises: the script
    goes on, and the notes say what went wrong."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.instruments: Instruments | None = None
        self._folder, self._command = folder, command
        self._writers: list[tuple[WatchedTraining, Any]] = []
        self._pid = os.getpid()

    def keep(self, training: WatchedTraining) -> None:
        try:
            folder = claim(self._folder, training.model.name)
            writer = Writer(Kept(training), folder, state="running", command=self._command)
            self._writers.append((training, writer))
        except Exception as error:
            tell("problem", f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """At the end of the process: write what is left."""
        if os.getpid() != self._pid or self.instruments is None:
            return  # a fork, whose parent writes
        if self.instruments.problem:
            tell("problem", self.instruments.problem)
        self.instruments.remove()
        for training in self.instruments.trainings:
            if training.problem:
                tell("problem", training.problem)
        for training, writer in self._writers:
            writer.tell("diverged" if training.diverged else "finished")
            writer.close()
        for _, writer in self._writers:
            writer.join(5)
