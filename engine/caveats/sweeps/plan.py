"""A sweep's plan: a base config and axes, the cells that they make, and the tasks that train them.

The plan is written before anything is trained and never changes. A cell's id is a hash of its
config, so equal configs have equal ids in every sweep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError, visible
from caveats.runs.files import read_whole, replace_file
from caveats.sweeps.ranges import DEPTH, WIDTH, Axis, count, with_changes

__all__ = ["PLAN", "Cell", "Plan", "cell_id"]

PLAN = "plan.json"
VERSION = 1
LARGEST = 64 * 2**20  # bytes of a plan
MOST_IN_A_TASK = 256
LEAST_IN_A_TASK = 4
SMALL = 32  # cells
TASKS = 16  # or more, where there are cells enough, so that several workers have some
SEED = "training.seed"

# Keys whose values networks of one stack may differ in; all others split tasks.
WITHIN_A_STACK = (
    "network.activation", "network.init", "network.bias", "network.dropout", "optimizer.lr",
    "optimizer.clip_norm", "optimizer.schedule", "data.standardize", "data.shift", "data.noise",
    SEED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of a sweep: its ``place`` on each axis, and the ``values`` there by key."""

    index: int
    place: tuple[int, ...]
    values: dict[str, Any]


def cell_id(config: RunConfig) -> str:
    """Twelve hexadecimal digits that depend on every setting of the config."""
    text = json.dumps(config.to_dict(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Plan:
    """What a sweep trains: every combination of the axes' values, once for each of ``seeds``."""

    base: RunConfig
    axes: tuple[Axis, ...]
    seeds: int = 1

    @classmethod
    def of(cls, base: RunConfig, axes: Sequence[Axis], seeds: int = 1) -> Plan:
        """A plan, checked.

        Raises:
            ConfigError: for no axis, too many cells, or one key on two axes.
        """
        plan = cls(base, tuple(axes), seeds)
        if not axes and seeds == 1:
            raise ConfigError("a sweep needs at least one KEY=RANGE, or --seeds above 1")
        if seeds < 1:
            raise ConfigError(f"--seeds {seeds} should be 1 or more")
        count(plan.every_axis)
        return plan

    @cached_property
    def every_axis(self) -> tuple[Axis, ...]:
        """The axes, and that of the seeds where there are several."""
        if self.seeds == 1:
            return self.axes
        first = self.base.training.seed
        return (*self.axes, Axis(SEED, tuple(range(first, first + self.seeds))))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.values) for axis in self.every_axis)

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, in the order of the axes, the last one fastest."""
        keys = [axis.key for axis in self.every_axis]
        values = [axis.values for axis in self.every_axis]
        places = product(*(range(n) for n in self.shape))
        return [
            Cell(index, place, dict(zip(keys, chosen, strict=True)))
            for index, (place, chosen) in enumerate(zip(places, product(*values), strict=True))
        ]

    def config(self, cell: Cell) -> RunConfig:
        """The config of a cell; raises ConfigError for a combination that it refuses."""
        return with_changes(self.base, cell.values, "cell")

    @cached_property
    def tasks(self) -> list[list[Cell]]:
        """The cells in parts that are trained together: of one shape as far as the keys tell, and
        every eighth cell first, then every fourth and so on, so that a map is seen early."""
        outer = [axis.key for axis in self.every_axis if splits(axis.key)]
        parts: dict[tuple[int, str], list[Cell]] = {}
        for cell in self.cells:
            shape = repr([cell.values[key] for key in outer])
            parts.setdefault((-self.stride(cell), shape), []).append(cell)
        most = max(LEAST_IN_A_TASK, min(MOST_IN_A_TASK, len(self.cells) // TASKS))
        return [
            parts[key][first : first + most]
            for key in sorted(parts, key=lambda key: key[0])
            for first in range(0, len(parts[key]), most)
        ]

    def stride(self, cell: Cell) -> int:
        """The coarsest grid (8, 4, 2 or 1) that the cell belongs to, on all axes but the seeds. A
        small sweep has one grid: to cut it up would only make more tasks."""
        if len(self.cells) < SMALL:
            return 1
        places = cell.place[: len(self.axes)]
        return next(s for s in (8, 4, 2, 1) if all(place % s == 0 for place in places))

    def own_folder(self, place: Path) -> Path:
        """Where a sweep without a folder of its own is kept, in ``place``: equal plans have equal
        folders, so that what was trained is found again."""
        text = json.dumps(self.document(), sort_keys=True)
        return place / hashlib.sha256(text.encode()).hexdigest()[:12]

    def write(self, folder: Path) -> None:
        """Write the plan; raises OSError."""
        replace_file(folder / PLAN, (json.dumps(self.document(), indent=1) + "\n").encode())

    def document(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "config": self.base.to_dict(),
            "axes": [
                {"key": axis.key, "values": list(axis.values), "log": axis.log}
                for axis in self.axes
            ],
            "seeds": self.seeds,
        }

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """The plan of a sweep's folder.

        Raises:
            ConfigError: if there is none, or if it is damaged.
        """
        path = folder / PLAN
        shown = visible(path)
        try:
            tree = json.loads(read_whole(path, LARGEST))
            if tree["version"] != VERSION:
                raise ConfigError(
                    f"{shown} is of version {visible(tree['version'])}, not {VERSION}"
                )
            axes = [Axis(str(a["key"]), tuple(a["values"]), bool(a["log"])) for a in tree["axes"]]
            base = RunConfig.from_dict(tree["config"], shown)
            return cls.of(base, axes, int(tree["seeds"]))
        except FileNotFoundError:
            raise ConfigError(f"{visible(folder)} holds no sweep: there is no {PLAN}") from None
        except ConfigError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
            raise ConfigError(f"{shown} is damaged: it is no plan of a sweep") from None


def splits(key: str) -> bool:
    """Whether cells that differ in ``key`` differ in shape."""
    if key in (DEPTH, WIDTH, "optimizer.name"):
        return True
    own_number = key.startswith(("optimizer.", "network.init."))
    return key not in WITHIN_A_STACK and not own_number
