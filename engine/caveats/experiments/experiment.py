"""Reads the experiments' TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest, visible

__all__ = ["Experiment", "experiments", "find"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config that shows ``caveat``, and the change (dotted keys) that cures it.

    If ``cure`` is empty there is nothing to cure, only to watch. ``sentence`` says what will
    happen, ``lesson`` what to learn from it, in two sentences.
    """

    name: str
    group: str
    caveat: str
    sentence: str
    lesson: str
    config: RunConfig
    cure: Mapping[str, Any]

    @property
    def cured(self) -> RunConfig:
        """The config with its cure."""
        return self.config.changed(self.cure, f"the cure of {self.name}")


# In the order of the gallery; a group that is not named here comes last.
GROUPS = (
    "dying ReLU",
    "vanishing gradient",
    "exploding gradient",
    "saturation",
    "not zero-centred",
    "hard to break symmetry",
    "vanilla SGD",
    "unscaled data",
    "class imbalance",
    "underfitting",
    "overfitting",
)


@cache
def experiments() -> Mapping[str, Experiment]:
    """All experiments by name, group by group.

    Raises:
        ConfigError: if a shipped file has a bad config, which the tests rule out.
    """
    found = [
        parsed(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))
        for entry in files("caveats.experiments").iterdir()
        if entry.name.endswith(".toml")
    ]
    found.sort(key=lambda e: (place_of(e.group), e.group, not e.cure, e.name))
    return MappingProxyType({experiment.name: experiment for experiment in found})


def place_of(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def find(name: str) -> Experiment:
    """The experiment with that name.

    Raises:
        ConfigError: naming what was asked for and the nearest name.
    """
    known = experiments()
    if name not in known:
        raise ConfigError(f"{visible(name)!r} is no experiment: {nearest(name, known)}")
    return known[name]


def parsed(name: str, text: str) -> Experiment:
    tree = tomllib.loads(text)
    return Experiment(
        name,
        tree["group"],
        tree["caveat"],
        tree["sentence"],
        tree["lesson"],
        RunConfig.from_dict(tree["config"], f"{name}.toml"),
        MappingProxyType(tree.get("cure", {})),
    )
