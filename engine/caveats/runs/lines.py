"""One line of a log: writes a record or an event as JSON, and reads it back.

Numbers have nine digits, which is enough for every float32. NaN (not observed, or not a number) is
null; infinities are 1e999, which is strict JSON and which readers turn into infinity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caveats.errors import visible
from caveats.history import Event, Snapshot, States
from caveats.measures import LAYER_MEASURES, SCALARS, UNIT_STATES
from caveats.runs.trial_lines import BadTrialError, read_trial, trial_text

__all__ = ["BadLineError", "Record", "event_line", "is_event", "parse", "record_line"]

# A record of more units than this has no states: a neuron map of so many cells would show nothing,
# and each record would take a megabyte.
MOST_STATES = 1_000_000
LAST_STEP = 2**53
LONGEST_TEXT = 500
_ZERO = ord("0")
_ALWAYS = ("loss", "accuracy", "batch_loss", "lr", "seconds")


class BadLineError(ValueError):
    """A line is neither a record nor an event; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """A line's record of one step. ``layers[name]`` is (layers,) float64; ``states`` is None if the
    units have the same states as in the record before."""

    step: int
    scalars: Mapping[str, float]
    layers: Mapping[str, NDArray[np.float64]]
    states: States | None = field(default=None)


def number_text(value: float) -> str:
    text = f"{value:.9g}"
    return "null" if text == "nan" else text.replace("inf", "1e999")


def number_texts(values: NDArray[np.float64]) -> str:
    text = ",".join([f"{value:.9g}" for value in values.tolist()])
    return text.replace("nan", "null").replace("inf", "1e999") if "n" in text else text


def record_line(snapshot: Snapshot, row: int, before: States | None = None) -> str:
    """Record ``row`` of a snapshot. Its states are left out if they are the same object as
    ``before`` (a history shares one object between records with equal states)."""
    parts = [f'{{"step":{snapshot.steps[row]}']
    for name, value in zip(SCALARS, snapshot.table[row].tolist(), strict=True):
        if name in _ALWAYS or not isnan(value):
            parts.append(f'"{name}":{number_text(value)}')
    cube = snapshot.cube[row]
    seen = ~np.isnan(cube).all(1)
    measures = ",".join(
        f'"{name}":[{number_texts(cube[column])}]'
        for column, name in enumerate(LAYER_MEASURES)
        if seen[column]
    )
    parts.append(f'"layers":{{{measures}}}')
    states = snapshot.states[row]
    if states is not before and sum(map(len, states)) <= MOST_STATES:
        codes = ",".join(f'"{(s + _ZERO).tobytes().decode("ascii")}"' for s in states)
        parts.append(f'"states":[{codes}]')
    return ",".join(parts) + "}\n"


def event_line(event: Event) -> str:
    content: dict[str, Any] = {"event": event.kind, "step": event.step, "text": event.text}
    if event.changes:
        content["changes"] = dict(event.changes)
    line = json.dumps(content, separators=(",", ":"), default=str)
    if event.trial is not None:
        line = f'{line[:-1]},"trial":{trial_text(event.trial)}}}'
    return line + "\n"


def is_event(line: bytes) -> bool:
    """Whether a line is an event, judged by its first bytes as `event_line` writes them."""
    return line.startswith(b'{"event":')


def parse(line: bytes, units: tuple[int, ...]) -> Record | Event:
    """Read one line of a run whose layers have these ``units``. Unknown keys are ignored.

    Raises:
        BadLineError: for anything that is neither a record nor an event of such a run.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLineError("is no JSON") from None
    if not isinstance(content, dict):
        raise BadLineError("is no object")
    step = content.get("step")
    if type(step) is not int or not 0 <= step <= LAST_STEP:
        raise BadLineError(f"has no step: {cut(step)}")
    if "event" in content:
        return read_event(step, content)
    if "loss" not in content:
        raise BadLineError("has no loss")
    scalars = {name: one(content[name], name) for name in SCALARS if name in content}
    table = content.get("layers")
    if not isinstance(table, dict):
        raise BadLineError("has no layers")
    layers = {
        name: column(table[name], name, len(units)) for name in LAYER_MEASURES if name in table
    }
    states = content.get("states")
    return Record(step, scalars, layers, None if states is None else codes(states, units))


def read_event(step: int, content: Mapping[str, Any]) -> Event:
    try:
        trial = read_trial(step, content["trial"]) if "trial" in content else None
    except BadTrialError as error:
        raise BadLineError(str(error)) from None
    kind, text = cut(content["event"]), cut(content.get("text", ""))
    return Event(step, kind, text, changes(content), trial)


def cut(value: object) -> str:
    """A value as visible text of at most `LONGEST_TEXT` characters, with "…" if it was longer."""
    whole = str(value)
    text = visible(whole[:LONGEST_TEXT])  # cut first, because each character may become ten
    return text if max(len(whole), len(text)) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def one(value: object, name: str) -> float:
    if value is None:
        return nan
    if type(value) is not float and type(value) is not int:
        raise BadLineError(f"has no number as {name}: {cut(value)}")
    try:
        return float(value)
    except OverflowError:
        raise BadLineError(f"has too large a number as {name}") from None


def column(values: object, name: str, layers: int) -> NDArray[np.float64]:
    if not isinstance(values, list) or len(values) != layers:
        raise BadLineError(f"has no list of {layers} numbers as {name}")
    return np.array([one(value, name) for value in values])


def codes(texts: object, units: tuple[int, ...]) -> States:
    if not isinstance(texts, list) or len(texts) != len(units):
        raise BadLineError(f"has no list of {len(units)} texts as states")
    states = []
    for text, expected in zip(texts, units, strict=True):
        if not isinstance(text, str) or len(text) != expected or not text.isascii():
            raise BadLineError(f"has no text of {expected} digits as states of a layer")
        state = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(_ZERO)
        if len(state) and state.max() >= len(UNIT_STATES):  # below "0": wraps to above 200
            raise BadLineError("has an unknown digit in states")
        states.append(state)
    return tuple(states)


def changes(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The changes of an event, with visible texts; values nested deeper than a list become text."""
    given = content.get("changes")
    if not isinstance(given, dict):
        return {}
    return {cut(key): plain_change(value) for key, value in list(given.items())[:100]}


def plain_change(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LAST_STEP else cut(value)
    if isinstance(value, list):
        return [v if isinstance(v, int) and abs(v) <= LAST_STEP else cut(v) for v in value[:1001]]
    return cut(value)
