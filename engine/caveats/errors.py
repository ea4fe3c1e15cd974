"""The error that bad input raises, and the search for the valid name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ConfigError", "nearest", "sentence", "visible"]


class ConfigError(ValueError):
    """Bad input. The message is one sentence: the file, the key, the value and what is valid."""


def visible(text: object) -> str:
    """Text of unknown origin with every control character shown as an escape, so that it cannot
    move a cursor: ``"a\\x1b[2J"`` becomes ``"a\\\\x1b[2J"``."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )


def nearest(wrong: str, valid: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the closest valid name, or all valid names."""
    names = list(valid)
    close = difflib.get_close_matches(wrong.lower(), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid are {', '.join(names)}"


def sentence(error: Exception) -> str:
    """The first line of an error, with its kind, safe to show."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    if isinstance(error, MemoryError) or "out of memory" in first or "can't allocate" in first:
        return f"out of memory: make widths or batch_size smaller ({visible(first)[:200]})"
    return f"{type(error).__name__}: {visible(first)[:200]}"
