"""The settings of [data] for a user's own file: which columns are read, and as what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caveats.choice import Option, Value
from caveats.errors import ConfigError, nearest, visible

__all__ = ["FILE_OPTIONS", "FileOption", "Reading", "check_file_options"]


@dataclass(frozen=True, slots=True)
class FileOption(Option):
    """A setting that is one of ``words`` or, if ``names``, a list of column names. A single name
    counts as a list."""

    words: tuple[str, ...] = ()
    names: bool = False

    def check(self, value: object, where: str) -> Value:
        if isinstance(value, str) and value in self.words:
            return value
        given: Any = [value] if isinstance(value, str) else value
        listed = self.names and isinstance(given, (list, tuple))
        if listed and all(isinstance(item, str) for item in given):
            return tuple(given)
        valid = ", ".join(self.words) if self.words and not self.names else ""
        end = f"valid are {valid}" if valid else "use a list of column names, as ['id', 'name']"
        raise ConfigError(f"{where} = {visible(repr(value))} cannot be used: {end}")


FILE_OPTIONS: dict[str, FileOption] = {
    option.name: option
    for option in (
        FileOption(
            "task", "auto", "whether the target is classes or numbers",
            words=("auto", "classification", "regression"),
        ),
        FileOption("columns", (), "the features to read; if empty, all columns", names=True),
        FileOption("drop", (), "columns to leave out", names=True),
        FileOption(
            "one_hot", (), "columns of words, each word of which becomes a feature of 0 and 1",
            words=("all",), names=True,
        ),
        FileOption(
            "missing", "refuse", "what happens where a value is missing",
            words=("refuse", "drop", "mean"),
        ),
    )
}  # fmt: skip


def check_file_options(given: Mapping[str, object], where: str) -> dict[str, Value]:
    """The checked settings of ``given``, without those at their default.

    Raises:
        ConfigError: for a setting that a file does not have, or a value that it cannot take.
    """
    checked = {}
    for name, value in given.items():
        if name not in FILE_OPTIONS:
            valid = ["target", "standardize", *FILE_OPTIONS]
            raise ConfigError(
                f"{where}.{visible(name)} is not a setting of a file: {nearest(name, valid)}"
            )
        taken = FILE_OPTIONS[name].check(value, f"{where}.{name}")
        if taken != FILE_OPTIONS[name].default:
            checked[name] = taken
    return checked


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file should be read: its target, the values of `FILE_OPTIONS`, and ``standardize``."""

    target: str | None = None
    standardize: bool = True
    task: str = "auto"
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    one_hot: tuple[str, ...] | str = ()
    missing: str = "refuse"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Reading:
        """From the settings of [data] without its ``file``; raises as `check_file_options`."""
        own = dict(settings)
        target, standardize = own.pop("target", None), own.pop("standardize", True)
        checked: dict[str, Any] = check_file_options(own, "data")
        return cls(target, standardize, **checked)
