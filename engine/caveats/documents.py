"""Prepares numbers and nested values for a JSON document or a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["counted", "finite", "nonfinite", "plain", "short"]


def plain(tree: Any) -> Any:
    """Mappings as dicts, sequences as lists, numpy numbers as Python numbers."""
    if isinstance(tree, Mapping):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return tree.item() if isinstance(tree, np.generic) else tree


def nonfinite(tree: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of the numbers in nested dicts and lists that are infinite or NaN."""
    if isinstance(tree, float) and not math.isfinite(tree):
        yield path
    elif isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from nonfinite(value, f"{path}.{key}" if path else str(key))


def finite(tree: Any) -> Any:
    """A copy of nested dicts and lists with None for each number that is infinite or NaN."""
    if isinstance(tree, dict):
        return {key: finite(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def short(value: float) -> str:
    """Three digits that count: 424,000 or 0.0123."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 1000 <= abs(rounded) < 1e15 else f"{rounded:g}"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 layer", "1,200 layers"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
