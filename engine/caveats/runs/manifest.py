"""run.toml: what a run is and how it stands; rewritten every few seconds while it trains."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from caveats.errors import ConfigError, visible
from caveats.facts import DataFacts, LayerFacts, LossFacts, OptimizerFacts
from caveats.runs.facts_table import facts_from_toml, facts_to_toml
from caveats.runs.files import read_whole, replace_file
from caveats.runs.loss_table import losses_from_toml, losses_to_toml
from caveats.runs.section import Section
from caveats.status import STATES, State

if TYPE_CHECKING:
    from caveats.config import RunConfig

__all__ = [
    "COMMAND_FILES",
    "FORMAT",
    "MANIFEST",
    "SILENT_AFTER",
    "Command",
    "Manifest",
    "Standing",
    "curve",
    "rooted",
]

FORMAT = 1
MANIFEST = "run.toml"
LARGEST = 2**20  # bytes: a config of 1,000 layers has 40,000
MOST_ARGUMENTS = 1000
# In the folder of a watched command, besides the run: who has it, its output, further models.
COMMAND_FILES = frozenset({".first", "output.txt", "parts"})
CURVE = 32  # losses in the small curve of a list of runs

SILENT_AFTER = 10.0  # after so many seconds without a sign of life something may be wrong


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands. ``beat`` counts how often this was written, ``time`` is the last time.

    ``verdicts`` are pairs (caveat, severity), known when a run is over or has stopped; ``curve`` is
    the loss from first record to last, in a few numbers.
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
class Command:
    """The command whose training was watched; ``exit_code`` is None until it has ended, and
    negative for the signal that ended it."""

    argv: tuple[str, ...]
    cwd: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of run.toml. ``layers`` and ``units`` have one entry for each layer, the output layer
    last; ``starts`` counts how often the run was started or resumed; ``kind`` is "run", "lab" or
    "watch".

    ``config`` is None for a user's own network, which no config describes (kind "watch"); ``steps``
    is then the planned number of steps, 0 if unknown. ``layer_facts`` (one for each layer, or none
    at all), ``optimizer``, ``data`` and ``losses`` were observed.
    """

    config: RunConfig | None
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
    steps: int = 0
    layer_facts: tuple[LayerFacts, ...] = ()
    optimizer: OptimizerFacts | None = None
    data: DataFacts = field(default_factory=DataFacts)
    losses: tuple[LossFacts, ...] = ()
    command: Command | None = None

    def configured(self) -> RunConfig:
        """The config that the run was trained from; raises ConfigError if there is none."""
        if self.config is None:
            raise ConfigError("this is a training that was watched: it has no config")
        return self.config

    def planned(self) -> int:
        """The planned number of steps, 0 if unknown."""
        return self.steps if self.config is None else self.config.training.steps

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
        tree: dict[str, Any] = {}
        if self.config is None:
            tree["steps"] = self.steps
        else:
            tree["config"] = self.config.to_dict()
        facts = facts_to_toml(self.layer_facts, self.optimizer, self.data)
        facts |= losses_to_toml(self.losses)
        if facts:
            tree["facts"] = facts
        if self.command is not None:
            tree["command"] = command_to_toml(self.command)
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
                **tree,
            }
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the file in ``folder``.

        Raises:
            ConfigError: one sentence, if the folder is not a run, comes from a newer version, or
                holds an impossible value.
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
        """Read the text of a file that errors call ``where``; raises ConfigError."""
        try:
            tree = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{where} is not valid TOML: {visible(error)[:200]}") from None
        top = Section(tree, where)
        version = top.whole("format", low=1)
        if version > FORMAT:
            raise ConfigError(
                f"{where}: format = {version} is of a newer caveats-tui: this one reads up to "
                f"format {FORMAT}"
            )
        # Only those who read a folder need the table of all settings: a watched training does not.
        from caveats.config.checking import MAX_LAYERS, MAX_WIDTH

        kind = top.text("kind")
        layers = top.texts("layers", MAX_LAYERS + 1)
        units = top.wholes("units", MAX_LAYERS + 1, MAX_WIDTH)
        if not layers or len(layers) != len(units):
            raise ConfigError(f"{where}: layers and units should be lists of one length")
        config = None if kind == "watch" and "config" not in tree else read_config(top)
        if config is not None and config.network.widths != units[:-1]:
            raise ConfigError(
                f"{where}: config.network.widths = {list(config.network.widths)!r:.60} and "
                f"units = {list(units)!r:.60} are of different networks"
            )
        process = top.section("process")
        versions = top.section("versions")
        facts = top.section("facts") if "facts" in top.tree else Section({}, where)
        layer_facts, optimizer, data_facts = facts_from_toml(facts)
        if len(layer_facts) not in (0, len(layers)):
            raise ConfigError(f"{where}: facts: layers should be as many as layers")
        return cls(
            config=config,
            layers=layers,
            units=units,
            kind=kind,
            steps=top.whole("steps") if "steps" in top.tree else 0,
            layer_facts=layer_facts,
            optimizer=optimizer,
            data=data_facts,
            losses=losses_from_toml(facts),
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
            command=read_command(top) if "command" in top.tree else None,
        )


def command_to_toml(command: Command) -> dict[str, Any]:
    tree: dict[str, Any] = {"argv": list(command.argv), "cwd": command.cwd}
    return tree if command.exit_code is None else {**tree, "exit_code": command.exit_code}


def read_command(top: Section) -> Command:
    command = top.section("command")
    code = command.tree.get("exit_code")
    return Command(
        command.texts("argv", MOST_ARGUMENTS),
        command.text("cwd"),
        code if type(code) is int else None,
    )


def read_config(top: Section) -> RunConfig:
    from caveats.config import RunConfig

    try:
        return RunConfig.from_dict(top.section("config").tree, top.where)
    except (TypeError, OverflowError) as error:
        raise ConfigError(f"{top.where}: [config] cannot be read: {visible(error)}") from None


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


def rooted(config: RunConfig) -> RunConfig:
    """The config with an absolute path to its data file: a run may be resumed from anywhere."""
    if config.data.file is None:
        return config
    file = str(Path(config.data.file).absolute())
    return replace(config, data=replace(config.data, file=file))


def curve(losses: list[float], points: int = CURVE) -> tuple[float, ...]:
    """At most ``points`` of the finite losses in order, with the first and the last."""
    finite = [float(f"{loss:.5g}") for loss in losses if math.isfinite(loss)]
    if len(finite) <= points:
        return tuple(finite)
    last = len(finite) - 1
    return tuple(finite[round(i * last / (points - 1))] for i in range(points))
