"""The letters of the pictures: JetBrains Mono from its package, DejaVu Sans Mono for the letters
that it lacks.

Both are free to use and to embed (OFL 1.1; Bitstream Vera licence).
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.pens.svgPathPen import SVGPathPen  # type: ignore[import-untyped]
from fontTools.pens.transformPen import TransformPen  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from fontTools.varLib.instancer import (  # type: ignore[import-untyped]
    instantiateVariableFont,
)
from PIL import ImageFont

__all__ = ["BASELINE", "outline", "typeface"]

REGULAR, BOLD = 400, 700
# Where letters stand in a cell twice as high as wide, in parts of its height.
BASELINE = 0.76
# The size of letters: one em as a part of the cell's height. JetBrains Mono is 0.6 em wide.
EM = 0.5 / 0.6

_DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono{bold}.ttf"


def _first() -> Path:
    spec = find_spec("fontpkg_jetbrains_mono")
    if spec is None or spec.origin is None:
        raise SystemExit("pictures need fonts: pip install fontpkg-jetbrains-mono")
    return Path(spec.origin).parent / "files" / "JetBrainsMono[wght].ttf"


def _second(bold: bool) -> Path:
    path = Path(_DEJAVU.format(bold="-Bold" if bold else ""))
    if not path.exists():
        raise SystemExit("pictures need fonts: apt-get install fonts-dejavu-core")
    return path


@lru_cache
def _open(bold: bool, second: bool) -> TTFont:
    if second:
        return TTFont(_second(bold))
    return instantiateVariableFont(TTFont(_first()), {"wght": BOLD if bold else REGULAR})


@lru_cache
def _lacks(char: str) -> bool:
    """Whether the first font has no such letter."""
    return ord(char) not in _open(False, False).getBestCmap()


@cache
def outline(char: str, bold: bool) -> str:
    """An SVG path for one letter in a cell of width 1 and height 2, in hundredths of the width;
    empty if no font has the letter."""
    font = _open(bold, _lacks(char))
    name = font.getBestCmap().get(ord(char))
    if name is None:
        return ""
    scale = 200 * EM / font["head"].unitsPerEm
    glyphs = font.getGlyphSet()
    pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.1f}".removesuffix(".0"))
    glyphs[name].draw(TransformPen(pen, (scale, 0, 0, -scale, 0, 200 * BASELINE)))
    return str(pen.getCommands())


@cache
def typeface(char: str, bold: bool, height: int) -> ImageFont.FreeTypeFont:
    """The font that draws this letter in cells ``height`` pixels high."""
    size = height * EM
    if _lacks(char):
        return ImageFont.truetype(_second(bold), size)
    font = ImageFont.truetype(_first(), size)
    font.set_variation_by_axes([BOLD if bold else REGULAR])
    return font
