"""A config as the command line that trains it."""

from __future__ import annotations

import shlex
from typing import Any

import tomli_w

from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats_tui.text.settings import shown

__all__ = ["command_line"]

# A new one of these brings settings of its own: their defaults are then those that count.
NAMES = ("data.name", "data.file", "optimizer.name")


def command_line(config: RunConfig) -> str:
    """``caveats-tui run`` with a ``--set`` for each setting that is not at its default."""
    words = ["caveats-tui", "run"]
    for key, value in assignments(config).items():
        words += ["--set", f"{key}={written(key, value)}"]
    return shlex.join(words)


def assignments(config: RunConfig) -> dict[str, Any]:
    """The settings that make ``config`` of the default one."""
    flat, start = config.flat(), RunConfig()
    found = {key: flat[key] for key in NAMES if flat.get(key) not in (None, start.flat().get(key))}
    if config.data.file is not None:
        found.pop("data.name", None)
        if config.data.target is not None:
            found["data.target"] = config.data.target
    base = start.changed(found).flat()
    found |= {key: value for key, value in flat.items() if base.get(key) != value}
    init = found.pop("network.init", None)
    if isinstance(init, dict):
        own = {f"network.init.{name}": part for name, part in init.items() if name != "name"}
        found |= {"network.init": init["name"], **own}
    elif init is not None:
        found["network.init"] = init
    batch = config.training.batch_size
    if config.batch_given and batch == SETTINGS["training.batch_size"].default:
        found["training.batch_size"] = batch
    return found


def written(key: str, value: Any) -> str:
    """A value as --set reads it."""
    if key == "network.widths" and value:
        return shown(value)
    if isinstance(value, str):
        return value if plain(value) else in_toml(value)
    return in_toml(value)


def plain(text: str) -> bool:
    """Whether a word is not TOML by itself, so that it is read as it stands."""
    return text.replace("_", "").replace("-", "").isalpha() and text not in ("true", "false")


def in_toml(value: Any) -> str:
    """A value in one line of TOML."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(in_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {in_toml(part)}" for key, part in value.items()) + "}"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()
