"""Characters for terminals that have few: each character that an encoding lacks is replaced by one
ASCII character, so that columns stay aligned."""

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
    # Letters of formulas. Raised digits become question marks, since 10² must not be read as 102.
    **dict(zip("abgdenklmprstfXDFPSu", "αβγδεηκλμπρστφχΔΦΠΣµ", strict=True)),
    "T": "ᵀ",
    "h": "θ",
}
_PLAIN = {ord(char): plain for plain, chars in _ALIKE.items() for char in chars}


def plain_marks(text: str) -> str:
    """A line of the screen with its separators and its "…" in ASCII, for terminals that accept the
    characters but whose font lacks them."""
    return text.replace(" · ", " | ").replace("…", "~")


def _alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(ord(char), "?") for char in missing), error.end


codecs.register_error(ERRORS, _alike)
