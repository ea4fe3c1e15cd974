"""Reads values from a table of a TOML file and refuses those that are not of the expected kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from caveats.errors import ConfigError, visible

__all__ = ["Section"]

T = TypeVar("T")


class Section:
    """A table of the file. Each method returns a value of one kind, or raises ConfigError with one
    sentence."""

    def __init__(self, tree: Mapping[str, Any], where: str) -> None:
        self.tree, self.where = tree, where

    def section(self, key: str) -> Section:
        value = self.tree.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, f"a section, as [{key}]")
        return Section(value, f"{self.where}: {key}")

    def sections(self, key: str, most: int) -> tuple[Section, ...]:
        trees = self._list(key, most, dict, "tables")
        return tuple(Section(t, f"{self.where}: {key} {i}") for i, t in enumerate(trees, 1))

    def one_of(self, key: str, valid: Sequence[T]) -> T:
        """One of the ``valid`` texts."""
        value = self.tree.get(key)
        for known in valid:
            if known == value:
                return known
        raise self._wrong(key, f"one of {', '.join(map(str, valid))}")

    def truth(self, key: str) -> bool:
        value = self.tree.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

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
