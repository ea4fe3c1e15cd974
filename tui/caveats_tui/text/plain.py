"""Characters for terminals that have few: what an encoding lacks is drawn with ASCII, one character
for each, so that no column moves. Knows encodings, no terminal.
"""

from __future__ import annotations

import codecs

__all__ = ["ERRORS", "plain_marks"]

ERRORS = "caveats.plain"  # the name to give as `errors` to str.encode

_ALIKE = {
    "-": "─━═╌╍┄┅┈┉╴╶╸╺–—−▁▔⎯",
    "|": "‖∥│┃║╎╏┆┇┊┋╵╷╹╻▏▎▍▌▐▕▊▋▉",
    "+": "┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛├┝┠┣┤┥┨┫┬┯┰┳┴┷┸┻┼┿╂╋╔╗╚╝╠╣╦╩╬╭╮╯╰",
    "#": "█▇▆▅▄▀▃▂■▪▓▒▙▛▜▟",
    ":": "░⋮",
    "*": "●•◆★✱",
    "o": "○◦◌◇∘",
    "x": "×✖✗✘✕ξ",
    "v": "▼▾▽✓✔↓",
    "^": "▲▴△↑",
    ">": "▶▸►→⇒›❯≥≫⟩",
    "<": "◀◂◄←⇐‹❮≤≪⟨",
    "~": "≈∝",
    ".": "·…∙⋅",
    "'": "‘’′",
    '"': "“”″",
    "!": "⚠",
    # Letters of formulas. Raised digits stay question marks: 10² must not be read as 102.
    **dict(zip("abgdenklmprstfXDFPSu", "αβγδεηκλμπρστφχΔΦΠΣµ", strict=True)),
    "T": "ᵀ",
    "h": "θ",
}
_PLAIN = {ord(char): plain for plain, chars in _ALIKE.items() for char in chars}


def plain_marks(text: str) -> str:
    """A line of the screen with what separates its parts, and what says that it was cut, in ASCII:
    for terminals that take the characters, yet whose font lacks them."""
    return text.replace(" · ", " | ").replace("…", "~")


def _alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(ord(char), "?") for char in missing), error.end


codecs.register_error(ERRORS, _alike)
