"""A demo's script: scenes of captions, keys and conditions, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError, nearest, visible
from caveats.experiments import find
from caveats.verdicts import CAVEATS

__all__ = ["Scene", "Script", "Wait", "find_script", "parse_script", "scripts"]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a scene waits for: ``kind`` is "step" with its number, "verdict" with a caveat (as
    warning or critical), "finished", "outcome" (the end of a cure), or "map" (all cells of the
    atlas are trained)."""

    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """Shows ``caption``, presses ``keys`` one by one, waits, then stays for ``hold`` seconds.
    ``pace`` is the steps of training a second from here on, None for no change."""

    caption: str
    keys: tuple[str, ...]
    wait: Wait | None
    hold: float
    pace: float | None


@dataclass(frozen=True, slots=True)
class Script:
    """A demo. ``every`` is the number of steps between two records, fixed so that the numbers are
    the same each time."""

    name: str
    title: str
    config: RunConfig
    every: int
    pace: float
    scenes: tuple[Scene, ...]


_TOP: dict[str, Any] = {
    "title": str, "experiment": str, "config": dict, "set": dict, "every": int,
    "pace": (int, float), "scene": list,
}  # fmt: skip
_SCENE: dict[str, Any] = {
    "caption": str, "keys": list, "type": str, "wait": str, "hold": (int, float),
    "pace": (int, float),
}  # fmt: skip
_BARE = ("finished", "outcome", "map")
LONGEST_HOLD = 600.0  # seconds of a hold
FASTEST_PACE = 100_000.0  # steps a second


@cache
def scripts() -> Mapping[str, Script]:
    """The demos that come with the program, by name; `tour` last."""
    found = {}
    for entry in files("caveats_tui.demos").joinpath("scripts").iterdir():
        if entry.name.endswith(".toml"):
            name = entry.name.removesuffix(".toml")
            found[name] = parse_script(name, entry.read_text(encoding="utf-8"), entry.name)
    order = sorted(found, key=lambda name: (name == "tour", name))
    return MappingProxyType({name: found[name] for name in order})


def find_script(name: str) -> Script:
    """The demo of that name, or the script in that file.

    Raises:
        ConfigError: where there is neither, or the script is not valid.
    """
    if name in scripts():
        return scripts()[name]
    if not name.endswith(".toml"):
        raise ConfigError(f"{visible(name)!r} is no demo: {nearest(name, scripts())}")
    shown = visible(name)
    try:
        text = Path(name).read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{shown}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown} is no script: it is not UTF-8") from None
    return parse_script(Path(name).stem, text, shown)


def parse_script(name: str, text: str, source: str) -> Script:
    """Read a script. ``source`` names the file in error messages.

    Raises:
        ConfigError: one sentence naming the file, the key and the value.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {visible(error)}") from None
    check(tree, _TOP, source)
    if "experiment" in tree:
        config = find(tree["experiment"]).config
    else:
        config = RunConfig.from_dict(tree.get("config", {}), source)
    scenes = tuple(
        parse_scene(scene, f"{source}, scene {number}")
        for number, scene in enumerate(tree.get("scene", []), 1)
    )
    if not scenes:
        raise ConfigError(f"{source} has no [[scene]]")
    return Script(
        name,
        visible(tree.get("title", name)),
        # The CPU everywhere, so that the numbers are the same everywhere.
        config.changed({**tree.get("set", {}), "training.device": "cpu"}, source),
        int(bounded(tree.get("every", 5), 1, 100_000, f"{source}: every")),
        bounded(tree.get("pace", 50.0), 0.1, FASTEST_PACE, f"{source}: pace"),
        scenes,
    )


def parse_scene(tree: object, source: str) -> Scene:
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} should be a table")
    check(tree, _SCENE, source)
    keys = tree.get("keys", [])
    for key in keys:
        if not isinstance(key, str) or not key or not key.isprintable():
            raise ConfigError(f"{source}: keys holds {visible(repr(key))}, which names no key")
    pace = tree.get("pace")
    return Scene(
        visible(tree.get("caption", "")),
        (*keys, *tree.get("type", "")),
        parse_wait(tree["wait"], source) if "wait" in tree else None,
        bounded(tree.get("hold", 0.0), 0.0, LONGEST_HOLD, f"{source}: hold"),
        None if pace is None else bounded(pace, 0.1, FASTEST_PACE, f"{source}: pace"),
    )


def parse_wait(text: str, source: str) -> Wait:
    kind, _, value = text.strip().partition(" ")
    value = value.strip()
    if kind in _BARE and not value:
        return Wait(kind)
    if kind == "step" and value.isdecimal():
        return Wait(kind, value)
    if kind == "verdict":
        if value not in CAVEATS:
            raise ConfigError(
                f"{source}: wait = {visible(repr(text))}: {visible(value)!r} is no caveat: "
                f"{nearest(value, CAVEATS)}"
            )
        return Wait(kind, value)
    raise ConfigError(
        f"{source}: wait = {visible(repr(text))} should be 'step N', 'verdict NAME', 'finished', "
        "'outcome' or 'map'"
    )


def check(tree: Mapping[str, Any], known: Mapping[str, Any], source: str) -> None:
    for key, value in tree.items():
        if key not in known:
            raise ConfigError(f"{source}: {visible(repr(key))} is no key: {nearest(key, known)}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ConfigError(f"{source}: {key} = {visible(repr(value))} is of the wrong kind")


def bounded(value: float, low: float, high: float, where: str) -> float:
    if not low <= value <= high:
        raise ConfigError(f"{where} = {value:g} should be from {low:g} to {high:g}")
    return value
