"""A screen as pixels, with the same letters and shapes as in its SVG."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw

from screenshots.cells import Cell, Picture, background
from screenshots.fonts import BASELINE, typeface
from screenshots.shapes import Arc, Rect, Shape, shapes

__all__ = ["raster"]

FINER = 4  # shapes are drawn so many times larger and then reduced, for smooth edges


def raster(picture: Picture, width: int = 16) -> Image.Image:
    """An RGB image; cells are ``width`` × 2 ``width`` pixels, with a margin of one width."""
    height = 2 * width
    size = (len(picture[0]) * width + 2 * width, len(picture) * height + 2 * width)
    image = Image.new("RGB", size, background(picture))
    for y, row in enumerate(picture):
        for x, cell in enumerate(row):
            image.paste(tile(cell, width), (width + x * width, width + y * height))
    return image


@lru_cache(maxsize=20_000)
def tile(cell: Cell, width: int) -> Image.Image:
    height = 2 * width
    image = Image.new("RGB", (width, height), cell.paper)
    if cell.char.strip():
        image.paste(cell.ink, (0, 0), mask(cell.char, cell.bold, width))
    if cell.underline:
        thick = max(1, width // 12)
        top = round(0.88 * height)
        ImageDraw.Draw(image).rectangle((0, top, width, top + thick - 1), cell.ink)
    return image


@lru_cache(maxsize=4_000)
def mask(char: str, bold: bool, width: int) -> Image.Image:
    """The ink of a sign, from 0 to 255 at each pixel."""
    height = 2 * width
    parts = shapes(char)
    if parts is None:
        image = Image.new("L", (width, height))
        font = typeface(char, bold, height)
        middle = width / 2
        ImageDraw.Draw(image).text((middle, BASELINE * height), char, 255, font, anchor="ms")
        return image
    image = Image.new("L", (width * FINER, height * FINER))
    for part in parts:
        paint(image, part)
    return image.resize((width, height), Image.Resampling.BOX)


def paint(image: Image.Image, part: Shape) -> None:
    draw = ImageDraw.Draw(image)
    wide, high = image.size
    if isinstance(part, Rect):
        box = (
            round(part.left * wide), round(part.top * high),
            round(part.right * wide) - 1, round(part.bottom * high) - 1,
        )  # fmt: skip
        draw.rectangle(box, round(255 * part.opacity))
    elif isinstance(part, Arc):
        arc(draw, part, wide, high)
    else:
        x, y, radius = part.x * wide, part.y * high, part.radius * wide
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), 255)


def arc(draw: ImageDraw.ImageDraw, part: Arc, wide: int, high: int) -> None:
    """A quarter circle of a cell's half width, then straight to the edge."""
    stroke = round(0.14 * wide)
    radius = wide / 2
    x = wide / 2 + part.across * radius
    y = high / 2 + part.down * radius
    start = {(1, 1): 180, (-1, 1): 270, (-1, -1): 0, (1, -1): 90}[part.across, part.down]
    reach = radius + stroke / 2
    draw.arc((x - reach, y - reach, x + reach, y + reach), start, start + 90, 255, stroke)
    edge = high if part.down > 0 else 0
    top, bottom = sorted((y, edge))
    draw.rectangle((wide / 2 - stroke / 2, top, wide / 2 + stroke / 2 - 1, bottom), 255)
