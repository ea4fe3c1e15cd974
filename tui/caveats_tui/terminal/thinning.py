"""Leaves out of a terminal's text what changes no cell: Textual sets all colours anew for each
stretch of text, which makes more than half of its bytes, and a slow line waits for them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Thinner"]

_STYLE = re.compile(r"\x1b\[([\d;]*)m")  # SGR: colours, bold and so on
_PLACE = re.compile(r"\x1b\[\d*;?\d*H|[\r\n]")  # moves the cursor, and draws nothing
# Attributes that each "off" code ends, by the codes that began them.
_ENDS = {
    "22": {"1", "2"}, "23": {"3"}, "24": {"4", "21"}, "25": {"5"}, "27": {"7"}, "28": {"8"},
    "29": {"9"},
}  # fmt: skip
_BEGINS = frozenset("12345789") | {"21"}
_SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21"})  # lines and reverse video


class Style(NamedTuple):
    """What a terminal draws with: attributes, colour and background, as the codes that set them;
    no code for the terminal's own colour."""

    attributes: frozenset[str] = frozenset()
    ink: str = ""
    paper: str = ""


PLAIN = Style()


class Thinner:
    """Rewrites one stream of text. The terminal looks as it would with the text itself; only the
    colour of blanks, which nobody sees, may differ."""

    def __init__(self) -> None:
        self._style: Style | None = PLAIN  # of the terminal; None: not known

    def thinned(self, text: str) -> str:
        """``text`` with as few changes of style as its cells need. At its end, the terminal has
        the style that the text itself leaves."""
        written = []
        wanted = self._style
        for number, piece in enumerate(_STYLE.split(text)):
            if number % 2:
                changed = after(wanted, piece)
                if changed is None:  # a code that is not known here
                    written.append(f"{self._change(wanted)}\x1b[{piece}m")
                    self._style = None
                wanted = changed
            elif piece:
                if drawn := _PLACE.sub("", piece):
                    blank = drawn.isspace() and "\t" not in drawn
                    if not (blank and same_blanks(self._style, wanted)):
                        written.append(self._change(wanted))
                written.append(piece)
        written.append(self._change(wanted))
        return "".join(written)

    def _change(self, wanted: Style | None) -> str:
        codes = "" if wanted is None else change(self._style, wanted)
        self._style = wanted
        return codes


def same_blanks(style: Style | None, wanted: Style | None) -> bool:
    if style is None or wanted is None:
        return False
    lined = (style.attributes | wanted.attributes) & _SEEN_ON_BLANKS
    return style.paper == wanted.paper and not lined


@lru_cache(4096)
def after(style: Style | None, codes: str) -> Style | None:
    """The style after some codes; None where it is not known."""
    rest = [code.lstrip("0") or "0" for code in codes.split(";")]
    while rest:
        code = rest.pop(0)
        if code == "0":
            style = PLAIN
        elif style is None:
            return None
        elif code in _BEGINS:
            style = style._replace(attributes=style.attributes | {code})
        elif code in _ENDS:
            style = style._replace(attributes=style.attributes - _ENDS[code])
        elif code in ("38", "48"):
            taken = {"5": 2, "2": 4}.get(rest[0] if rest else "", 0)
            colour = ";".join((code, *rest[:taken]))
            if not taken or len(rest) < taken:
                return None
            style = style._replace(ink=colour) if code == "38" else style._replace(paper=colour)
            del rest[:taken]
        elif code == "39" or re.fullmatch("3[0-7]|9[0-7]", code):
            style = style._replace(ink="" if code == "39" else code)
        elif code == "49" or re.fullmatch("4[0-7]|10[0-7]", code):
            style = style._replace(paper="" if code == "49" else code)
        else:
            return None
    return style


@lru_cache(4096)
def change(style: Style | None, wanted: Style) -> str:
    """The shortest text that changes one style into another."""
    if style == wanted:
        return ""
    whole = ["0", *sorted(wanted.attributes), wanted.ink, wanted.paper]
    found = [[code for code in whole if code]]
    if style is not None and style.attributes <= wanted.attributes:
        parts = sorted(wanted.attributes - style.attributes)
        if style.ink != wanted.ink:
            parts.append(wanted.ink or "39")
        if style.paper != wanted.paper:
            parts.append(wanted.paper or "49")
        found.append(parts)
    return f"\x1b[{min((';'.join(codes) for codes in found), key=len)}m"
