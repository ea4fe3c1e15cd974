"""What a recording may send to a terminal: text, colours, cursor movements and erasing.

Everything not listed here is dropped: the clipboard, titles, links, modes, pictures, and queries,
which a terminal would answer as if the user had typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Filter"]

# A control sequence whose parameters are plain: CSI, digits and separators, one final letter.
_FINALS = frozenset("ABCDEFGHJKLMPSTXZ@`abdefrsum")
_MODES = frozenset({"7", "25"})  # wrapping, the cursor
_SCREENS = frozenset({"47", "1047", "1049"})  # the alternate screen: the replay has one of its own
_ESCAPES = frozenset("78DEM")  # save and restore the cursor, index, next line, reverse index
_CONTROLS = frozenset("\b\t\n\r")
_DESIGNATIONS = frozenset("B0")  # US-ASCII and line drawing
# A larger parameter is cut to this: `CSI 999999999 b` would print for minutes.
_LARGEST_PARAMETER = 9999
_LONGEST_SEQUENCE = 256  # characters of a control sequence; Textual's longest has 40
_STRINGS = "]PX^_"  # OSC, DCS, SOS, PM, APC: all up to the string's end are dropped

# Parts that pass unchanged: printed characters, and whole sequences with small parameters. All that
# the lab itself sends is of this kind; it passes 50 times as fast as character by character.
_PASSES = re.compile(
    r"(?:[^\x00-\x1f\x7f-\x9f]+|[\b\t\n\r]"
    r"|\x1b\[(?:\d{0,4}[;:]){0,30}\d{0,4}[ABCDEFGHJKLMPSTXZ@`abdefsum])++"
)
# Controls and queries that do nothing here, in any number; escapes followed by another escape.
_VANISHES = re.compile(r"(?:[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x8f\x91-\x97\x99\x9a\x9c]"
                       r"|\x1b(?=\x1b)|\x1b\[[ -?]{0,64}[INOQRUVWYcgijknopqtvwxyz])++")  # fmt: skip
_IN_STRING = re.compile(r"[^\x07\x18\x1a\x1b\x9c]++")
_PARAMETERS = re.compile(r"[ -?]++")
_NUMBERS = re.compile(r"\d+")


class Filter:
    """Takes the recording's text piece by piece, cut anywhere; ``feed`` returns the part that may
    be sent.

    ``rows`` is the height of the recorded terminal; nothing scrolls below it. Leaving the alternate
    screen clears the picture, but only once more text follows, so that a recording's last picture
    stays.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._state = "text"  # or within an escape, csi, string, charset, charset-dropped
        self._kept = ""  # of a control sequence that has begun
        self._clearing = False

    @property
    def clear(self) -> str:
        """Reset colours, scrolling, screen and cursor to those of a new terminal."""
        return f"\x1b[0m\x1b(B\x1b[1;{self.rows}r\x1b[2J\x1b[H"

    def feed(self, text: str) -> str:
        return "".join(self._pieces(text))

    def _pieces(self, text: str) -> Iterator[str]:
        """Takes plain parts whole, and only the begin and end of sequences character by character:
        a hostile line of 10 MB must not take seconds."""
        at = 0
        while at < len(text):
            if self._state == "text":
                if (run := _PASSES.match(text, at)) is not None:
                    yield from self._cleared()
                    yield run[0]
                    at = run.end()
                    continue
                run = _VANISHES.match(text, at)
            elif self._state == "string":
                run = _IN_STRING.match(text, at)
            elif self._state == "csi":
                run = _PARAMETERS.match(text, at)
                if run is not None and len(self._kept) <= _LONGEST_SEQUENCE:
                    self._kept += text[at : min(run.end(), at + _LONGEST_SEQUENCE + 1)]
            else:
                run = None
            if run is not None:
                at = run.end()
                continue
            yield from self._char(text[at])
            at += 1

    def _cleared(self) -> Iterator[str]:
        if self._clearing:
            self._clearing = False
            yield self.clear

    def _char(self, char: str) -> Iterator[str]:
        """Takes one character that is not plain text, or is inside a sequence."""
        if char == "\x1b":
            self._state, self._kept = "escape", ""
        elif char in "\x18\x1a":  # CAN and SUB end any sequence
            self._state = "text"
        elif self._state == "string":
            self._state = "text"  # BEL or the C1 string terminator
        elif self._state == "text":
            yield from self._control(char)
        elif char < " " or "\x7f" <= char <= "\x9f":
            # Terminals obey controls within a sequence; a C1 control begins a new sequence.
            yield from self._control(char)
        elif self._state == "escape":
            yield from self._escape(char)
        elif self._state == "charset":
            self._state = "text"
            if char in _DESIGNATIONS:
                yield f"\x1b({char}"
        else:
            yield from self._csi(char)

    def _control(self, char: str) -> Iterator[str]:
        if char in _CONTROLS:
            yield char
        elif char == "\x9b":
            self._state, self._kept = "csi", ""
        elif char in "\x90\x98\x9d\x9e\x9f":
            self._state = "string"

    def _escape(self, char: str) -> Iterator[str]:
        self._state = "text"
        if char == "[":
            self._state = "csi"
        elif char in _STRINGS:
            self._state = "string"
        elif char == "(":
            self._state = "charset"
        elif char in ")*+-./ #%":
            self._state = "charset-dropped"
        elif char == "c":
            yield self.clear
        elif char in _ESCAPES:
            yield f"\x1b{char}"

    def _csi(self, char: str) -> Iterator[str]:
        if self._state == "charset-dropped":
            self._state = "text"
            return
        self._state = "text"
        if len(self._kept) <= _LONGEST_SEQUENCE:
            yield from self._allowed(self._kept, char)

    def _allowed(self, parameters: str, final: str) -> Iterator[str]:
        if parameters.startswith("?") and final in "hl":
            modes = parameters[1:].split(";")
            if _SCREENS.intersection(modes):
                if final == "h":
                    self._clearing = False
                    yield self.clear
                else:
                    self._clearing = True
            for mode in _MODES.intersection(modes):
                yield f"\x1b[?{mode}{final}"
        elif final == "r" and not parameters:
            yield f"\x1b[1;{self.rows}r"
        elif final in _FINALS and all(char in "0123456789;:" for char in parameters):
            yield f"\x1b[{_NUMBERS.sub(_bounded, parameters)}{final}"


def _bounded(number: re.Match[str]) -> str:
    return number[0] if len(number[0]) <= 4 else str(_LARGEST_PARAMETER)
