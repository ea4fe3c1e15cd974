"""Trains configs on data of a suite's own and keeps every result on disk, for the suites
`benchmarks.reports` and `benchmarks.real_tables`.

A result is kept under the config, the data and the code that made it: after a change of the engine
what depends on it is trained again, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import caveats
from caveats.config import RunConfig
from caveats.curing import curable
from caveats.data import Dataset
from caveats.remedies.candidates import candidates
from caveats.remedies.ranking import MOST
from caveats.run import Run
from caveats.trials import UNTOLD, Start, ordered, race
from caveats.verdicts import Remedy, Verdict, judge

__all__ = ["Array", "Measure", "Trials", "Tried", "after_race"]

Array = npt.NDArray[Any]
Measure = Callable[[Run], float]

FLAGGED = ("warning", "critical")
TRAINING = ("config", "data", "models", "training")  # the rooms that decide how a network trains


@dataclass(frozen=True)
class Tried:
    """A config that was trained. ``gain`` is the share of the way from the constant predictor (0)
    to perfection (1), minus infinity where the run diverged. ``flags`` are the caveats at warning
    or worse, the worst first; ``remedies`` the changes that the program offers first."""

    gain: float
    flags: tuple[str, ...] = ()
    remedies: tuple[dict[str, Any], ...] = field(default=())
    loss: float = math.nan
    constant: float = math.nan


class Trials:
    """Trained configs in a folder. ``measure`` names another gain than that of the loss."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "trials.jsonl"
        self._kept: dict[str, dict[str, Any]] = {}
        if self._log.exists():
            for line in self._log.read_text().splitlines():
                key, found = json.loads(line)
                self._kept[key] = found

    def file(self, name: str, x: Array, y: Array) -> str:
        """The path of an npz file with these rows; its name says what it holds."""
        digest = hashlib.sha256(x.tobytes() + y.tobytes() + str(y.dtype).encode()).hexdigest()[:10]
        path = self.folder / f"{name}-{digest}.npz"
        if not path.exists():
            np.savez(path, x=x, y=y)
        return str(path)

    def judged(
        self,
        config: RunConfig,
        measure: Measure | None = None,
        kind: str = "",
        raced: Callable[[Tried], bool] | None = None,
    ) -> Tried:
        """Train and judge as the program does; ``kind`` tells measures apart. Of results for which
        ``raced`` answers yes the remedies come in the order of their race, as in the lab."""

        def train() -> Tried:
            run = Run(config)
            finish(run)
            verdicts = [v for v in judge(run.history) if v.severity in FLAGGED]
            worst = curable(config, verdicts)
            result = tried(run, measure, tuple(v.caveat for v in verdicts))
            if worst is None:
                return result
            races = raced is not None and raced(result)
            proposed = after_race(run.config, run.dataset, worst) if races else worst.next
            return replace(result, remedies=tuple(dict(r.change) for r in proposed if r.change))

        about = "judged" if raced is None else "raced"
        return self._once(config, f"{about} {kind} {version()}", train)

    def trained(self, config: RunConfig, measure: Measure | None = None, kind: str = "") -> Tried:
        """Train without judging."""

        def train() -> Tried:
            run = Run(config, every=config.training.steps)
            finish(run)
            return tried(run, measure)

        return self._once(config, f"trained {kind} {version(*TRAINING)}", train)

    def _once(self, config: RunConfig, about: str, train: Callable[[], Tried]) -> Tried:
        text = config.to_toml()
        if config.data.file is not None:  # the folder may move: the name tells the rows
            text = text.replace(config.data.file, Path(config.data.file).name)
        key = hashlib.sha256(f"{text}\n{about}".encode()).hexdigest()[:24]
        if key not in self._kept:
            self._kept[key] = asdict(train())
            with self._log.open("a") as log:
                log.write(json.dumps([key, self._kept[key]]) + "\n")
        found = self._kept[key]
        return Tried(**{**found, "flags": tuple(found["flags"]),
                        "remedies": tuple(found["remedies"])})  # fmt: skip


def finish(run: Run) -> None:
    while not run.finished:
        run.advance()


def after_race(config: RunConfig, dataset: Dataset, verdict: Verdict) -> tuple[Remedy, ...]:
    """At most `MOST` remedies of a verdict on a run of ``config``, in the order of their race."""
    if verdict.caveat in UNTOLD:
        return verdict.next
    found = race(Start(config, dataset), candidates(config, verdict.next))
    return ordered(config, verdict.next, found)[:MOST]


def tried(run: Run, measure: Measure | None, flags: tuple[str, ...] = ()) -> Tried:
    snapshot = run.history.snapshot()
    loss = float(snapshot.scalar("loss")[-1])
    if run.divergence is not None or not math.isfinite(loss):
        return Tried(-math.inf, flags, (), math.inf, run.baseline)
    gain = (run.baseline - loss) / run.baseline if measure is None else measure(run)
    return Tried(gain, flags, (), loss, run.baseline)


@cache
def version(*rooms: str) -> str:
    """A digest of the engine's code, or of some of its rooms."""
    root = Path(caveats.__file__).parent
    files = [f for room in rooms or ("",) for f in sorted((root / room).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]
