"""Reads axes such as ``optimizer.lr=1e-4..1@32log`` or ``network.activation=relu,tanh``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caveats.config import RunConfig, parse_assignment
from caveats.config.checking import MAX_LAYERS
from caveats.config.settings import SETTINGS
from caveats.errors import ConfigError, typing_errors, visible

__all__ = ["DEPTH", "MOST_CELLS", "WIDTH", "Axis", "count", "parse_axis", "with_changes"]

MOST_CELLS = 1_000_000
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?:@(\d+)(log)?)?")
EXAMPLES = "such as 1e-4..1@32log, 0..4@9 or relu,tanh"

# Keys that only an axis has: the number of hidden layers, and the units of all of them.
DEPTH, WIDTH = "network.depth", "network.width"


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting and the values it takes, in order. ``log`` says whether they were spaced by
    ratios."""

    key: str
    values: tuple[Any, ...]
    log: bool = False


def parse_axis(text: str, base: RunConfig) -> Axis:
    """Read KEY=RANGE. RANGE is LOW..HIGH@N (N evenly spaced values), LOW..HIGH@Nlog (spaced by
    ratios), LOW..HIGH of whole numbers, or values with commas between them.

    Every value is tried on ``base``, one at a time.

    Raises:
        ConfigError: one sentence that names the axis and the nearest valid one.
    """
    shown = visible(text)
    key, equals, written = text.partition("=")
    key, written = key.strip(), written.strip()
    if not equals or not key:
        raise ConfigError(f"{shown} should be KEY=RANGE, {EXAMPLES}")
    if not written:
        raise ConfigError(f"{shown} is empty: give a range, {EXAMPLES}")
    refuse_slip(shown, key)
    found = RANGE.fullmatch(written)
    if found is None and ".." in written:
        raise ConfigError(f"{shown} is no range: write LOW..HIGH@N, {EXAMPLES}")
    if found is not None:
        values, log = numbers(shown, key, found, base), found[4] is not None
    else:
        values, log = listed(shown, key, written), False
    for value in values:
        with_changes(base, {key: value}, shown)
    return Axis(key, values, log)


def refuse_slip(shown: str, key: str) -> None:
    """Refuse a misspelt key of those that only an axis has: the config cannot name them."""
    section, _, name = key.rpartition(".")
    if key in (DEPTH, WIDTH) or section not in ("", "network"):
        return
    if any(setting.name == name for setting in SETTINGS.values()):
        return
    for meant in (DEPTH, WIDTH):
        if typing_errors(name, meant.partition(".")[2]) <= 1:
            raise ConfigError(f"{shown}: {visible(key)} is no setting: did you mean {meant!r}?")


def numbers(shown: str, key: str, found: re.Match[str], base: RunConfig) -> tuple[Any, ...]:
    low, high, log = float(found[1]), float(found[2]), found[4] is not None
    whole = key in (DEPTH, WIDTH) or isinstance(base.flat().get(key), int)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{shown} has an end that is not finite")
    if low > high:
        rest = f"@{found[3]}{found[4] or ''}" if found[3] else ""
        raise ConfigError(f"{shown} is reversed: write {key}={found[2]}..{found[1]}{rest}")
    if found[3] is None and not whole:
        with_changes(base, {key: low}, shown)  # a key that is no setting is what is wrong here
        raise ConfigError(f"{shown} does not say how many values: write {found[0]}@9")
    many = int(found[3]) if found[3] else int(high) - int(low) + 1
    if many < 1:
        raise ConfigError(f"{shown} is empty: @{many} asks for no value")
    if many > MOST_CELLS:
        raise ConfigError(f"{shown} asks for {many:,} values: at most {MOST_CELLS:,} make sense")
    if log and low <= 0:
        raise ConfigError(f"{shown} starts at {found[1]}: values spaced by ratios are above 0")
    if many == 1:
        spaced = [low]
    elif log:
        spaced = [low * (high / low) ** (i / (many - 1)) for i in range(many)]
    else:
        spaced = [low + (high - low) * i / (many - 1) for i in range(many)]
    # Short decimals, so that a cell's config reads well and is the same on every machine.
    short: list[Any] = [round(v) if whole else float(f"{v:.6g}") for v in spaced]
    return tuple(dict.fromkeys(short))


def listed(shown: str, key: str, written: str) -> tuple[Any, ...]:
    words = [word.strip() for word in written.split(",")]
    if not all(words):
        raise ConfigError(f"{shown} has an empty value between two commas")
    values = [parse_assignment(f"{key}={word}")[1] for word in words]
    for place, value in enumerate(values):
        if value in values[:place]:
            raise ConfigError(f"{shown} names {visible(words[place])} twice")
    return tuple(values)


def with_changes(base: RunConfig, changes: Mapping[str, Any], source: str) -> RunConfig:
    """``base`` with these settings, `DEPTH` and `WIDTH` among them.

    Raises:
        ConfigError: as `caveats.RunConfig.changed`.
    """
    own = {key: value for key, value in changes.items() if key not in (DEPTH, WIDTH)}
    if len(own) < len(changes):
        widths = list(own.get("network.widths", base.network.widths)) or [64]
        for name in (DEPTH, WIDTH):
            value = changes.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(
                    f"{source}: {name} = {visible(repr(value))} should be a whole number from 1"
                )
        # One layer more than allowed is refused as well as a million are.
        depth = min(changes.get(DEPTH, len(widths)), MAX_LAYERS + 1)
        own["network.widths"] = [changes.get(WIDTH, widths[0])] * depth
    return base.changed(own, source)


def count(axes: Sequence[Axis]) -> int:
    """The number of cells of these axes.

    Raises:
        ConfigError: for more than `MOST_CELLS`, or for a key that is on two axes.
    """
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{key} is on two axes: keep one")
    cells = math.prod(len(axis.values) for axis in axes)
    if cells > MOST_CELLS:
        raise ConfigError(
            f"{' × '.join(f'{len(axis.values):,}' for axis in axes)} = {cells:,} cells are too "
            f"many: at most {MOST_CELLS:,} make sense, so give the axes fewer values"
        )
    return cells
