"""The error that bad input raises, and the search for the valid name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ConfigError", "nearest", "sentence", "typing_errors", "visible"]

SHORTEST, LONG = 3, 8  # letters of a word that a guess is made for, and of one with two slips


class ConfigError(ValueError):
    """Bad input. The message is one sentence: the file, the key, the value and what is valid."""


def visible(text: object) -> str:
    """Text of unknown origin with every control character shown as an escape, so that it cannot
    move a cursor: ``"a\\x1b[2J"`` becomes ``"a\\\\x1b[2J"``."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )


def nearest(wrong: str, valid: Iterable[str], aliases: Iterable[str] = ()) -> str:
    """The end of a sentence about an unknown name: the valid name, or the alias of one, that was
    meant, or all ``valid`` names.

    A name was meant if ``wrong`` is its beginning, or if both begin alike and a slip of the keys
    lies between them (one in a word of three to seven letters, two in a longer one). Where two
    names fit equally well, or none does, a guess would mislead.
    """
    valid = list(valid)
    names = [*valid, *aliases]
    said = wrong.lower()
    begun = [name for name in names if len(said) >= SHORTEST and name.lower().startswith(said)]
    if begun and all(name.startswith(min(begun, key=len)) for name in begun):
        return f"did you mean {min(begun, key=len)!r}?"
    slips = sorted(
        (typing_errors(said, name.lower()), name) for name in names if name[:1].lower() == said[:1]
    )
    few = 0 if len(said) < SHORTEST else 1 if len(said) < LONG else 2
    if slips and slips[0][0] <= few and (len(slips) == 1 or slips[1][0] > slips[0][0]):
        return f"did you mean {slips[0][1]!r}?"
    return f"valid are {', '.join(valid)}"


def typing_errors(written: str, meant: str) -> int:
    """The fewest slips that turn one word into the other: a letter too many, too few or wrong, or
    two neighbours exchanged (Damerau 1964). Words whose lengths differ by more than two count as
    that far apart, which is all that `nearest` needs to know."""
    apart = abs(len(written) - len(meant))
    if apart > 2:
        return apart
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(written, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(meant, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and written[i - 2] == other:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def sentence(error: Exception) -> str:
    """The first line of an error, with its kind, safe to show."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    if isinstance(error, MemoryError) or "out of memory" in first or "can't allocate" in first:
        return f"out of memory: make widths or batch_size smaller ({visible(first)[:200]})"
    return f"{type(error).__name__}: {visible(first)[:200]}"
