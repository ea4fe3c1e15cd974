"""A screen as SVG that looks the same everywhere: letters are outlines, so no font is needed. The
text of the screen is in the file too, for screen readers and for tests."""

from __future__ import annotations

from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from screenshots.cells import Cell, Picture, background, text_of
from screenshots.fonts import outline
from screenshots.shapes import Arc, Dot, Rect, shapes

__all__ = ["svg"]

W, H = 100, 200  # units of a cell
MARGIN = 100
STROKE = 14


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def svg(picture: Picture, title: str, pixels: float = 9.0) -> str:
    """The document; a cell is ``pixels`` wide at the picture's own size."""
    rows, columns = len(picture), len(picture[0])
    width, height = columns * W + 2 * MARGIN, rows * H + 2 * MARGIN
    paper = background(picture)
    signs: dict[tuple[str, bool], str] = {}
    body: list[str] = []
    for y, row in enumerate(picture):
        body += papers(row, y, paper)
    for y, row in enumerate(picture):
        body += inks(row, y, signs)
    definitions = [
        f'<g id="{name}">{drawn(char, bold)}</g>' for (char, bold), name in signs.items()
    ]
    scale = pixels / W
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{number(width * scale)}" height="{number(height * scale)}" role="img" '
            f"aria-label={quoteattr(title)}>",
            f"<title>{escape(title)}</title>",
            f"<desc>\n{escape(text_of(picture))}\n</desc>",
            f"<defs>{''.join(definitions)}</defs>",
            f'<rect width="{width}" height="{height}" rx="{MARGIN}" fill="{paper}"/>',
            f'<g transform="translate({MARGIN} {MARGIN})">',
            *body,
            "</g>",
            "</svg>",
            "",
        ]
    )


def papers(row: tuple[Cell, ...], y: int, base: str) -> list[str]:
    parts, x = [], 0
    for colour, run in groupby(row, key=lambda cell: cell.paper):
        count = len(list(run))
        if colour != base:
            parts.append(
                f'<rect x="{x * W}" y="{y * H}" width="{count * W}" height="{H}" fill="{colour}"/>'
            )
        x += count
    return parts


def inks(row: tuple[Cell, ...], y: int, signs: dict[tuple[str, bool], str]) -> list[str]:
    """The signs of a row, one group for each colour."""
    groups: dict[str, list[str]] = {}
    for x, cell in enumerate(row):
        if cell.underline:
            groups.setdefault(cell.ink, []).append(
                f'<path d="M{x * W} {y * H + 176}h{W}v8h-{W}z"/>'
            )
        if cell.char.strip():
            shaped = shapes(cell.char) is not None
            key = (cell.char, cell.bold and not shaped)
            name = signs.setdefault(key, f"s{len(signs)}")
            groups.setdefault(cell.ink, []).append(f'<use href="#{name}" x="{x * W}" y="{y * H}"/>')
    return [f'<g fill="{ink}">{"".join(parts)}</g>' for ink, parts in groups.items()]


def drawn(char: str, bold: bool) -> str:
    """One sign in a cell of W × H."""
    parts = shapes(char)
    if parts is None:
        return f'<path d="{outline(char, bold)}"/>'
    return "".join(shape(part) for part in parts)


def shape(part: Rect | Dot | Arc) -> str:
    if isinstance(part, Dot):
        radius = number(part.radius * W)
        return f'<circle cx="{number(part.x * W)}" cy="{number(part.y * H)}" r="{radius}"/>'
    if isinstance(part, Rect):
        left, top = part.left * W, part.top * H
        width, height = part.right * W - left, part.bottom * H - top
        opacity = "" if part.opacity == 1 else f' fill-opacity="{part.opacity}"'
        return (
            f'<rect x="{number(left)}" y="{number(top)}" width="{number(width)}" '
            f'height="{number(height)}"{opacity}/>'
        )
    # A quarter circle whose ends reach the edges straight; stroked in the group's colour.
    half, side, end = STROKE / 2, W if part.across > 0 else 0, H if part.down > 0 else 0
    bend = H / 2 + part.down * W / 2
    middle = H / 2
    outer, inner = middle - part.down * half, middle + part.down * half
    left, right = W / 2 - part.across * half, W / 2 + part.across * half
    return (
        f'<path d="M{side} {number(outer)}Q{number(left)} {number(outer)} {number(left)} '
        f"{number(bend)}V{end}H{number(right)}V{number(bend)}Q{number(right)} {number(inner)} "
        f'{side} {number(inner)}z"/>'
    )
