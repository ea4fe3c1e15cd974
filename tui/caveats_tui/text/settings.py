"""Settings of a config in words: one value, a whole config in a line, a change."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from caveats.config import RunConfig
from caveats.errors import visible

__all__ = ["called", "changes_between", "changes_shown", "describe", "shown", "what_differs"]


def shown(value: Any) -> str:
    """A value as a user would write it: 64-64-64, 64×20, on, 0.1, constant (value 0.5)."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, int) for v in value):
        runs = [(width, len(list(same))) for width, same in groupby(value)]
        return "-".join(f"{w}×{n}" if n > 6 else "-".join([str(w)] * n) for w, n in runs)
    if isinstance(value, Mapping):
        own = ", ".join(f"{key} {shown(v)}" for key, v in value.items() if key != "name")
        return f"{shown(value.get('name'))} ({own})"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or "none"
    return "" if value is None else visible(value)


def data_word(config: RunConfig) -> str:
    """The data set's name, or the file's without its folder."""
    return config.data.name or visible(config.data.file or "").rpartition("/")[2]


def describe(config: RunConfig, outputs: int | None) -> str:
    """A config in one line: digits · 64-64-64-10 · relu · he_normal · sgd 0.1."""
    data = data_word(config)
    widths = [*config.network.widths, *([] if outputs is None else [outputs])]
    activation = config.network.activation
    name = activation if isinstance(activation, str) else "mixed"
    optimizer = f"{config.optimizer.name} {shown(config.optimizer.lr)}"
    init = "mixed" if config.network.inits else config.network.init.name
    return " · ".join((data, shown(widths) or "no layers", name, init, optimizer))


def changes_shown(changes: Mapping[str, Any], config: RunConfig) -> str:
    """A change of config in words: "lr 0.3 → 0.003"; settings that stay the same are left out."""
    flat = config.flat()
    return ", ".join(
        f"{called(key)} {shown(flat.get(key))} → {shown(value)}"
        for key, value in changes.items()
        if flat.get(key) != value
    )


def changes_between(old: RunConfig, new: RunConfig) -> str:
    """What differs between two configs: "lr 0.3 → 0.003"; settings that only one has are left
    out."""
    before = old.flat()
    return changes_shown({key: v for key, v in new.flat().items() if key in before}, old)


def what_differs(one: RunConfig, other: RunConfig) -> tuple[str, ...]:
    """The settings of ``one`` that ``other`` has otherwise: ("lr 0.3", "init zeros"); settings that
    only one has are left out, but not its data, which are a name in one and a file in the other."""
    others = other.flat()
    swapped = bool(one.data.file) != bool(other.data.file)
    data = (f"data {data_word(one)}",) if swapped else ()
    return data + tuple(
        f"{called(key)} {shown(value)}"
        for key, value in one.flat().items()
        if key in others and others[key] != value
    )


def called(key: str) -> str:
    """A dotted key in one word: lr, init, optimizer."""
    section, _, name = key.partition(".")
    return visible(section if name == "name" else name)
