"""What the program must know about a terminal before it draws, found from the environment and the
streams.

Draws nothing and changes nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from caveats.errors import ConfigError, nearest, visible

if TYPE_CHECKING:  # imports numpy, which a refusal need not wait for
    from caveats_tui.charts.spec import Charset

__all__ = [
    "CHARSETS",
    "LEAST_COLUMNS",
    "LEAST_ROWS",
    "WIDE",
    "Charsets",
    "Colours",
    "Streams",
    "charset",
    "check",
    "colours",
    "inside",
    "streams",
    "too_small",
]

LEAST_COLUMNS, LEAST_ROWS = 60, 16  # on a smaller terminal the lab shows only a sentence
WIDE = (104, 26)  # columns and rows: from this size on the lab shows all four charts

CHARSETS: tuple[str, ...] = ("auto", "braille", "block", "ascii")
Depth: TypeAlias = Literal["truecolor", "256", "16", "none"]

_NO_SCREEN = "`caveats-tui run` trains without a screen"
_DUMB = ("dumb", "unknown")
# The kernel's own font has the lines of CP437, but neither braille nor quadrants.
_PLAIN_FONTS = ("linux", "vt52", "vt100", "vt102", "vt220", "vt320", "cons25")


class Streams(NamedTuple):
    """What the standard streams are; ``size`` is columns and rows, None without a terminal."""

    stdin_tty: bool
    stdout_tty: bool
    encoding: str
    size: tuple[int, int] | None


class Charsets(NamedTuple):
    """The characters that charts are drawn with, and why."""

    name: Charset
    why: str


class Colours(NamedTuple):
    """How many colours the terminal is said to have, and why."""

    depth: Depth
    why: str


def streams() -> Streams:
    """What the process's own standard streams are."""

    def is_tty(stream: IO[str] | None) -> bool:
        return stream is not None and not stream.closed and stream.isatty()

    size = None
    for stream in (sys.__stdout__, sys.__stdin__, sys.__stderr__):
        if stream is not None and is_tty(stream):
            columns, rows = os.get_terminal_size(stream.fileno())
            size = columns, rows
            break
    return Streams(
        is_tty(sys.__stdin__),
        is_tty(sys.__stdout__),
        (sys.__stdout__.encoding if sys.__stdout__ else None) or "ascii",
        size,
    )


def check(streams: Streams, environ: Mapping[str, str], *, platform: str | None = None) -> None:
    """Raises ConfigError, saying what to do instead, where the lab cannot be drawn: there is no
    terminal, or one that cannot move its cursor. ``platform`` is `sys.platform`."""
    if (platform or sys.platform) == "win32":
        raise ConfigError(
            f"the lab needs the terminal of Linux, macOS or WSL, and this is Windows; {_NO_SCREEN}"
        )
    for name, is_tty in (("stdin", streams.stdin_tty), ("stdout", streams.stdout_tty)):
        if not is_tty:
            raise ConfigError(
                f"{name} is not a terminal (a pipe or a file), and the lab needs one: start it "
                f"without redirection (over SSH: `ssh -t`), while {_NO_SCREEN}"
            )
    term = environ.get("TERM", "")
    if not term or term.lower() in _DUMB:
        said = f"TERM is {visible(repr(term))}" if term else "TERM is not set"
        raise ConfigError(
            f"{said}, a terminal that cannot move its cursor: if yours can, start the lab as "
            f"`TERM=xterm-256color caveats-tui`, while {_NO_SCREEN}"
        )


def too_small(columns: int, rows: int) -> str | None:
    """The sentence to show in place of the lab, None if there is room for the lab."""
    if columns >= LEAST_COLUMNS and rows >= LEAST_ROWS:
        return None
    return (
        f"The lab needs {LEAST_COLUMNS}×{LEAST_ROWS} characters, "
        f"and this terminal has {columns}×{rows}."
    )


def _not_utf8(environ: Mapping[str, str], encoding: str) -> str | None:
    """Why the terminal is taken not to be UTF-8; None where it is taken to be. Without any locale
    it counts as UTF-8: so it is in most containers and over SSH, where Python writes UTF-8 too (PEP
    538, PEP 540)."""
    if re.sub("[-_]", "", encoding).lower() != "utf8":
        return f"output is encoded as {visible(encoding)}"
    if environ.get("PYTHONUTF8") == "1":
        return None
    # in the order of POSIX; an empty one counts as not set
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environ.get(name)
        if not locale:
            continue
        codeset = re.search(r"\.([^@]+)", locale)
        if codeset and re.sub("[-_]", "", codeset[1]).lower() != "utf8":
            return f"{name} is {visible(locale)}"
        if name == "LC_ALL" and locale in ("C", "POSIX"):
            return f"{name} is {locale}"
        return None
    return None


def charset(wanted: str, environ: Mapping[str, str], encoding: str) -> Charsets:
    """The charset for ``--charset``. A charset that the user names is taken as it is; "auto" looks
    at the locale, at ``encoding`` (that of stdout) and at TERM. Raises ConfigError for an unknown
    name."""
    if wanted not in CHARSETS:
        raise ConfigError(
            f"--charset {visible(repr(wanted))} is unknown: {nearest(wanted, CHARSETS)}"
        )
    if wanted != "auto":
        return Charsets(cast("Charset", wanted), "as asked for")
    trouble = _not_utf8(environ, encoding)
    if trouble is not None:
        return Charsets("ascii", trouble)
    term = environ.get("TERM", "").lower()
    if term in _PLAIN_FONTS:
        return Charsets("ascii", f"TERM is {term}, whose font has no braille")
    return Charsets("braille", "the terminal takes UTF-8")


def colours(environ: Mapping[str, str]) -> Colours:
    """How many colours the lab will use, by the rule of Rich and Textual, and why."""
    if "NO_COLOR" in environ:
        return Colours("none", "NO_COLOR is set")
    colorterm = environ.get("COLORTERM", "").strip().lower()
    if colorterm in ("truecolor", "24bit"):
        return Colours("truecolor", f"COLORTERM is {colorterm}")
    said = f"COLORTERM is {visible(colorterm)}" if colorterm else "COLORTERM is not set"
    term = environ.get("TERM", "").strip().lower()
    if term.rpartition("-")[2] in ("256color", "kitty"):
        return Colours("256", f"{said}, TERM is {visible(term)}")
    return Colours("16", f"{said}, TERM is {visible(term)}" if term else f"{said}, nor is TERM")


def inside(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The programs between this one and the user's terminal: tmux, screen, SSH."""
    names = (("TMUX", "tmux"), ("STY", "GNU screen"))
    between = [name for variable, name in names if environ.get(variable)]
    if any(environ.get(v) for v in ("SSH_TTY", "SSH_CONNECTION", "SSH_CLIENT")):
        between.append("SSH")
    return tuple(between)
