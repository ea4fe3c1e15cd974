"""Reads a run's folder into a history, once or while another process writes it.

It loads no weights, so it needs no torch. The folder may come from anywhere: memory is bounded,
control characters in texts become visible, and each fault is one sentence in ``problems``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caveats.config import RunConfig
from caveats.config.declared import declared_layers, declared_optimizer
from caveats.errors import ConfigError, visible
from caveats.facts import RunFacts
from caveats.history import CAPACITY, Event, History, States
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.remedies import Remedies
from caveats.runs.files import opened
from caveats.runs.lines import BadLineError, Record, is_event, parse
from caveats.runs.log import LOG, Tail
from caveats.runs.manifest import MANIFEST, SILENT_AFTER, Manifest
from caveats.status import LIVE, Status

__all__ = ["Follower", "Reader", "records"]

MOST_EVENTS = 10_000
MOST_PROBLEMS = 5
TABLES = 64 * 2**20  # bytes of records in memory: the full 2,000 for up to 220 layers
# Of a longer log only every k-th record is read, except at its end: 1,400 records of 20 layers take
# 0.3 s to read, and a history would drop the others anyway.
READ_WHOLE = 6 * 2**20
READ_END = 2**20


class Reader:
    """One run's folder. `refresh` reads what is new. ``history`` grows, but is replaced if the run
    was resumed from an earlier step.

    Raises:
        ConfigError: one sentence, if ``folder`` holds no run that this program can read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self.problems: tuple[str, ...] = ()
        self.history = self._empty()
        self._tail = Tail(folder, self._begin)
        self._index = 0
        self._every = 1
        self._end = 0
        self._states: States = ()
        self._skipped = self._skipped_states = b""  # lines since the last one that was read
        self._beat_seen = time.monotonic() - self._age()
        self._manifest_seen: tuple[int, int, int] | None = None
        self.refresh()

    @property
    def config(self) -> RunConfig:
        """The run's config; raises ConfigError for a watched training, which has none."""
        return self.manifest.configured()

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life of a run that is not over; otherwise 0."""
        if self.manifest.standing.state not in LIVE:
            return 0.0
        return max(0.0, time.monotonic() - self._beat_seen)

    @property
    def status(self) -> Status:
        """The status of the run, as `caveats.session` would give it; its problem says so if the
        run's process has been silent for too long."""
        now = self.manifest.standing
        problem = now.problem
        if self.silent >= SILENT_AFTER:
            problem = f"no news for {self.silent:.0f} s: the process that trains it may be gone"
        speed = 0.0 if self.silent >= SILENT_AFTER else now.speed
        newest = max(now.step, self.history.version[0])
        return Status(now.state, newest, speed, self.manifest.starts, self.manifest.device, problem)

    def refresh(self) -> bool:
        """Read what was written since the last look; returns whether there was anything.

        Raises:
            ConfigError: if the folder is gone or no longer a run.
        """
        told = self._refresh_manifest()
        grew = self._tail.look(self._take)
        if self._skipped:  # the newest record is never left out
            line, self._skipped = self._skipped, b""
            self._read(line)
        if self._tail.overlong:
            self._complain(f"{LOG} has a line of more than 4 MB: it was left out")
        if self._tail.torn and self.manifest.standing.state not in LIVE:
            self._complain(f"the last line of {LOG} is incomplete: it was left out")
        return told or grew

    def _refresh_manifest(self) -> bool:
        try:
            with opened(self.folder / MANIFEST) as descriptor:
                found = os.fstat(descriptor)
        except FileNotFoundError:
            raise ConfigError(f"{visible(self.folder)} is gone") from None
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen == self._manifest_seen:
            return False
        first, self._manifest_seen = self._manifest_seen is None, seen
        before, manifest = self.manifest, Manifest.read(self.folder)
        if (manifest.layers, manifest.units) != (before.layers, before.units):
            raise ConfigError(f"{visible(self.folder)} holds another run than before")
        self.manifest = manifest
        self.history.facts = self._facts()
        beat, old = manifest.standing.beat, before.standing.beat
        if not first and (beat, manifest.starts) != (old, before.starts):
            self._beat_seen = time.monotonic()
        return True

    def _age(self) -> float:
        return max(0.0, (datetime.now(UTC) - self.manifest.standing.time).total_seconds())

    def _facts(self) -> RunFacts:
        manifest = self.manifest
        config, layers, optimizer = manifest.config, manifest.layer_facts, manifest.optimizer
        if config is not None:  # older folders hold no observed facts
            layers = layers or declared_layers(config, 0, manifest.units[-1])
            optimizer = optimizer or declared_optimizer(config)
        return RunFacts(
            manifest.baseline,
            manifest.planned(),
            manifest.reachable,
            manifest.reachable_accuracy,
            layers,
            optimizer,
            None if config is None else Remedies(config),
            manifest.data,
            manifest.losses,
        )

    def _empty(self) -> History:
        row = 8 * (len(SCALARS) + len(LAYER_MEASURES) * len(self.manifest.layers))
        return History(
            self.manifest.layers, max(8, min(CAPACITY, TABLES // (2 * row))), self._facts()
        )

    def _begin(self, size: int) -> None:
        if len(self.history):
            self.history = self._empty()
        self._index, self._states = 0, ()
        self._skipped = self._skipped_states = b""
        self._every = max(1, -(-size // READ_WHOLE))
        self._end = size - READ_END

    def _take(self, line: bytes) -> None:
        if self._every > 1 and not is_event(line):
            self._index += 1
            if (self._index - 1) % self._every and self._tail.offset < self._end:
                if b'"states":' in line:
                    self._skipped_states = line
                self._skipped = line
                return
        self._read(line)

    def _read(self, line: bytes) -> None:
        try:
            content = parse(line, self.manifest.units)
            if isinstance(content, Event):
                self._note(content)
            else:
                self._append(content)
        except BadLineError as error:
            self._complain(f"a line of {LOG} {error}: it was left out")

    def _append(self, record: Record) -> None:
        states = record.states
        if states is None and self._skipped_states:
            last = parse(self._skipped_states, self.manifest.units)
            states = last.states if isinstance(last, Record) else None
        self._skipped = self._skipped_states = b""
        if states is not None:
            self._states = states
        layers = counted(record.layers, self.manifest.units)
        self.history.append(record.step, record.scalars, layers, self._states)

    def _note(self, event: Event) -> None:
        if self.history.version[1] < MOST_EVENTS:
            self.history.note(event)
        else:
            self._complain(f"{LOG} has more than {MOST_EVENTS:,} events: the others were left out")

    def _complain(self, sentence: str) -> None:
        if sentence not in self.problems and len(self.problems) < MOST_PROBLEMS:
            self.problems = (*self.problems, sentence)


def counted(
    layers: Mapping[str, NDArray[np.float64]], units: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    """A record's measures, each (layers,), for rules that count: a count that is no number of a
    layer's units becomes NaN, which says that it was not observed."""
    sound = dict(layers)
    for name, values in layers.items():
        if LAYER_MEASURES[name].counts:
            sound[name] = np.where((values >= 0) & (values <= units), values, np.nan)
    sound["units"] = np.array(units, float)
    return sound


def records(folder: Path, manifest: Manifest) -> Iterator[Record | Event]:
    """Every record and event of a log in order, one at a time; other lines are left out. Raises
    ConfigError as `Reader` does."""
    lines: list[bytes] = []
    tail = Tail(folder, lambda size: None)
    tail.look(lines.append)
    lines.reverse()
    while lines:
        try:
            yield parse(lines.pop(), manifest.units)
        except BadLineError:
            continue


class Follower:
    """Refreshes a `Reader` four times a second, in a thread of its own. Read ``reader.history`` and
    ``reader.status`` like those of a session; ``problem`` says why it stopped."""

    PAUSE = 0.25  # seconds

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.problem = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="caveats-following", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _work(self) -> None:
        while not self._stopped.wait(self.PAUSE):
            try:
                self.reader.refresh()
            except ConfigError as error:
                self.problem = str(error)
                return
