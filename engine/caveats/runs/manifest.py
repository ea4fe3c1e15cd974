"""What a run is and how it stands, run.toml: written whole every few seconds, read by everyone.

It knows the file's format and its version, not how a run is trained or what its records hold.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

import tomli_w

from caveats.config import RunConfig
from caveats.config.reading import MAX_LAYERS, MAX_WIDTH
from caveats.errors import ConfigError, visible
from caveats.runs.files import read_whole, replace_file
from caveats.status import STATES, State

__all__ = [
    "FORMAT",
    "MANIFEST",
    "SILENT_AFTER",
    "Manifest",
    "Standing",
    "curve",
    "rooted",
]

FORMAT = 1
MANIFEST = "run.toml"
LARGEST = 2**20  # bytes: a config of 1,000 layers has 40,000
CURVE = 32  # losses in the picture that a list of runs shows

SILENT_AFTER = 10.0  # seconds without a sign of life, after which something may be wrong


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: ``beat`` counts the times that this was written, ``time`` says when last.

    ``verdicts`` are (caveat, severity), known once a run has stopped; ``curve`` is the loss in a
    few numbers from first record to last.
    """

    state: State = "loading"
    step: int = 0
    speed: float = 0.0
    seconds: float = 0.0
    loss: float = nan
    accuracy: float = nan
    problem: str = ""
    beat: int = 0
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    curve: tuple[float, ...] = ()
    verdicts: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of run.toml. ``layers`` and ``units`` hold one entry a layer, the output layer last;
    ``starts`` counts how often the run was begun or resumed; ``kind`` is "run" or "lab"."""

    config: RunConfig
    layers: tuple[str, ...]
    units: tuple[int, ...]
    kind: str = "run"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    baseline: float = nan
    reachable: float = 0.0
    reachable_accuracy: float = nan
    device: str = "cpu"
    data_crc32: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    pid: int = 0
    starts: int = 1
    standing: Standing = field(default_factory=Standing)

    def write(self, folder: Path) -> None:
        """Replace the file in ``folder``; raises OSError."""
        replace_file(folder / MANIFEST, self.to_toml().encode())

    def to_toml(self) -> str:
        now = self.standing
        status: dict[str, Any] = {
            "state": now.state,
            "step": now.step,
            "speed": now.speed,
            "seconds": now.seconds,
            "loss": now.loss,
            "accuracy": now.accuracy,
            "problem": now.problem,
            "beat": now.beat,
            "time": now.time.replace(microsecond=0),
            "curve": list(now.curve),
        }
        if now.verdicts is not None:
            status["verdicts"] = [list(verdict) for verdict in now.verdicts]
        return tomli_w.dumps(
            {
                "format": FORMAT,
                "kind": self.kind,
                "created": self.created.replace(microsecond=0),
                "device": self.device,
                "layers": list(self.layers),
                "units": list(self.units),
                "baseline": self.baseline,
                "reachable": self.reachable,
                "reachable_accuracy": self.reachable_accuracy,
                "data_crc32": self.data_crc32,
                "status": status,
                "process": {"host": self.host, "pid": self.pid, "starts": self.starts},
                "versions": dict(self.versions),
                "config": self.config.to_dict(),
            }
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the file in ``folder``.

        Raises:
            ConfigError: one sentence, for a folder that is no run, one of a newer version, and
                any value that cannot be.
        """
        try:
            data = read_whole(folder / MANIFEST, LARGEST)
        except FileNotFoundError:
            raise ConfigError(
                f"{visible(folder)} is no run: it has no {MANIFEST}"
                if folder.is_dir()
                else f"{visible(folder)} is no folder of a run"
            ) from None
        return cls.parse(data, visible(folder / MANIFEST))

    @classmethod
    def parse(cls, data: bytes, where: str) -> Manifest:
        """Read the text of a file that is called ``where`` in sentences; raises ConfigError."""
        try:
            tree = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where} is no valid TOML: {visible(error)[:200]}") from None
        top = Section(tree, where)
        version = top.whole("format", low=1)
        if version > FORMAT:
            raise ConfigError(
                f"{where}: format = {version} is of a newer caveats-tui: this one reads up to "
                f"format {FORMAT}"
            )
        layers = top.texts("layers", MAX_LAYERS + 1)
        units = top.wholes("units", MAX_LAYERS + 1, MAX_WIDTH)
        if not layers or len(layers) != len(units):
            raise ConfigError(f"{where}: layers and units should be lists of one length")
        process = top.section("process")
        versions = top.section("versions")
        config = top.section("config").tree
        try:
            read_config = RunConfig.from_dict(config, where)
        except (TypeError, OverflowError) as error:
            raise ConfigError(f"{where}: [config] cannot be read: {visible(error)}") from None
        return cls(
            config=read_config,
            layers=layers,
            units=units,
            kind=top.text("kind"),
            created=top.moment("created"),
            baseline=top.number("baseline"),
            reachable=top.number("reachable") if "reachable" in top.tree else 0.0,
            reachable_accuracy=(
                top.number("reachable_accuracy") if "reachable_accuracy" in top.tree else nan
            ),
            device=top.text("device"),
            data_crc32=top.whole("data_crc32"),
            versions={visible(key): versions.text(key) for key in list(versions.tree)[:20]},
            host=process.text("host"),
            pid=process.whole("pid"),
            starts=process.whole("starts"),
            standing=read_standing(top.section("status")),
        )


def read_standing(status: Section) -> Standing:
    state = status.text("state")
    if state not in STATES:
        raise ConfigError(f"{status.where}: state = {state!r} is not one of {', '.join(STATES)}")
    return Standing(
        state=state,
        step=status.whole("step"),
        speed=status.number("speed"),
        seconds=status.number("seconds"),
        loss=status.number("loss"),
        accuracy=status.number("accuracy"),
        problem=status.text("problem"),
        beat=status.whole("beat"),
        time=status.moment("time"),
        curve=status.numbers("curve", CURVE),
        verdicts=status.pairs("verdicts") if "verdicts" in status.tree else None,
    )


class Section:
    """A table of the file, whose values are taken with their kind or refused in one sentence."""

    def __init__(self, tree: Mapping[str, Any], where: str) -> None:
        self.tree, self.where = tree, where

    def section(self, key: str) -> Section:
        value = self.tree.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, f"a section, as [{key}]")
        return Section(value, f"{self.where}: {key}")

    def text(self, key: str) -> str:
        value = self.tree.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return visible(value[:500])

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        return tuple(visible(v[:100]) for v in self._list(key, most, str, "texts"))

    def whole(self, key: str, low: int = 0, high: int = 2**53) -> int:
        value = self.tree.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}")
        return value

    def wholes(self, key: str, most: int, high: int) -> tuple[int, ...]:
        values = tuple(self._list(key, most, int, "whole numbers"))
        if not all(type(v) is int and 0 < v <= high for v in values):
            raise self._wrong(key, f"a list of whole numbers from 1 to {high}")
        return values

    def number(self, key: str) -> float:
        value = self.tree.get(key)
        if type(value) is int and abs(value) <= 2**53:
            return float(value)
        if type(value) is not float:
            raise self._wrong(key, "a number")
        return value

    def numbers(self, key: str, most: int) -> tuple[float, ...]:
        return tuple(self._list(key, most, float, "numbers"))

    def moment(self, key: str) -> datetime:
        value = self.tree.get(key)
        if not isinstance(value, datetime):
            raise self._wrong(key, "a date and time")
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        rows = self._list(key, 50, list, "pairs")
        if not all(len(r) == 2 and all(isinstance(t, str) for t in r) for r in rows):
            raise self._wrong(key, "a list of [caveat, severity]")
        return tuple((visible(a[:100]), visible(b[:100])) for a, b in rows)

    def _list(self, key: str, most: int, kind: type[Any], what: str) -> list[Any]:
        value = self.tree.get(key)
        if (
            not isinstance(value, list)
            or len(value) > most
            or not all(isinstance(v, kind) for v in value)
        ):
            raise self._wrong(key, f"a list of at most {most} {what}")
        return value

    def _wrong(self, key: str, expected: str) -> ConfigError:
        if key not in self.tree:
            return ConfigError(f"{self.where}: {key} is missing: it should be {expected}")
        said = visible(repr(self.tree[key]))
        said = said if len(said) <= 80 else said[:80] + "…"
        return ConfigError(f"{self.where}: {key} = {said} should be {expected}")


def rooted(config: RunConfig) -> RunConfig:
    """The same config, its data file named from the root: a run may be resumed from anywhere."""
    if config.data.file is None:
        return config
    file = str(Path(config.data.file).absolute())
    return replace(config, data=replace(config.data, file=file))


def curve(losses: list[float], points: int = CURVE) -> tuple[float, ...]:
    """At most ``points`` of the finite losses, first and last among them, in order."""
    finite = [float(f"{loss:.5g}") for loss in losses if math.isfinite(loss)]
    if len(finite) <= points:
        return tuple(finite)
    last = len(finite) - 1
    return tuple(finite[round(i * last / (points - 1))] for i in range(points))
