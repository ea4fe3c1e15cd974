"""Which characters a stream can write, and text in those characters."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Any, TextIO

__all__ = ["ascii_text", "carried", "is_unicode"]

# The signs in the formulas of verdicts for which Unicode has no decomposition of its own.
_SPELLED = {
    "·": "*", "×": "x", "→": "->", "←": "<-", "⇒": "=>", "≈": "~", "≤": "<=", "≥": ">=", "≪": "<<",
    "≫": ">>", "≠": "!=", "±": "+-", "∞": "inf", "∈": "in", "∝": "~", "−": "-", "–": "-",
    "—": "-", "‖": "||", "∥": "||", "√": "sqrt ", "∘": "*", "∂": "d", "∇": "grad ",
    "Σ": "sum", "∑": "sum", "Π": "prod", "∏": "prod", "⟨": "<", "⟩": ">", "⁄": "/",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "Delta", "ε": "eps",
    "η": "eta", "κ": "kappa", "λ": "lambda", "μ": "mu", "ξ": "xi", "π": "pi", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
_RAISED = {"<super>": "^", "<sub>": "_"}


def is_unicode(stream: TextIO) -> bool:
    """Whether the stream writes a Unicode encoding."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


def ascii_text(text: str) -> str:
    """``text`` in ASCII: "δ ≤ ½·λ²" becomes "delta <= 1/2*lambda^2"; a sign without a replacement
    becomes an escape."""
    parts: list[str] = []
    before = ""
    for char in text:
        place = _RAISED.get(unicodedata.decomposition(char).partition(" ")[0], "")
        parts.append(place if place != before else "")
        before = place
        parts += (
            [_SPELLED[char]] if char in _SPELLED else map(bare, unicodedata.normalize("NFKD", char))
        )
    return "".join(parts)


def bare(char: str) -> str:
    """One character in ASCII; an accent becomes nothing."""
    if unicodedata.combining(char):
        return ""
    return _SPELLED.get(char, char.encode("ascii", "backslashreplace").decode("ascii"))


def carried(tree: Any, stream: TextIO) -> Any:
    """Nested dicts and lists, with every text in them in the characters of the stream."""
    if isinstance(tree, dict):
        return {key: carried(value, stream) for key, value in tree.items()}
    if isinstance(tree, list):
        return [carried(value, stream) for value in tree]
    return ascii_text(tree) if isinstance(tree, str) and not is_unicode(stream) else tree
