"""Writes a recording as an animated GIF, drawn like the stills."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyte
from PIL import Image

from caveats_tui.recording.cast import Recording
from screenshots.cells import from_terminal
from screenshots.raster import raster

__all__ = ["animate", "pictures"]

TRANSPARENT = 255
SHORTEST = 0.1  # seconds: browsers slow down faster pictures


def pictures(recording: Recording, width: int) -> Iterator[tuple[Image.Image, float]]:
    """Each picture with the seconds that it is shown; pictures of no duration are left out."""
    screen = pyte.Screen(*recording.size)
    stream = pyte.Stream(screen)
    shown = 0.0
    for event in recording.events:
        if event.time - shown >= SHORTEST:
            yield raster(from_terminal(screen), width), event.time - shown
            shown = event.time
        if event.code == "o":
            stream.feed(event.data)


def animate(recording: Recording, path: Path, comment: str, width: int = 8) -> None:
    """Write the file; cells are ``width`` pixels wide. Of each picture only the part that differs
    from the one before is stored. ``comment`` is stored in the file and not shown."""
    frames = list(pictures(recording, width))
    palette = common_palette([image for image, _ in frames])
    indices = [
        np.asarray(image.quantize(palette=palette, dither=Image.Dither.NONE)) for image, _ in frames
    ]
    images, durations = [picture(indices[0], palette)], [frames[0][1]]
    for before, now, (_, seconds) in zip(indices, indices[1:], frames[1:], strict=False):
        same = before == now
        if same.all():
            durations[-1] += seconds
            continue
        images.append(picture(np.where(same, TRANSPARENT, now).astype(np.uint8), palette))
        durations.append(seconds)
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=[round(100 * seconds) * 10 for seconds in durations],
        loop=0,
        disposal=1,
        transparency=TRANSPARENT,
        optimize=False,
        comment=comment.encode(),
    )


def picture(indices: np.ndarray, palette: Image.Image) -> Image.Image:
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.getpalette() or [])
    return image


def common_palette(images: list[Image.Image]) -> Image.Image:
    """255 colours for all frames, from a sample of them; one more is left for unchanged pixels."""
    sample = images[:: max(1, len(images) // 12)]
    width, height = sample[0].size
    sheet = Image.new("RGB", (width, height * len(sample)))
    for row, image in enumerate(sample):
        sheet.paste(image, (0, row * height))
    return sheet.quantize(TRANSPARENT, dither=Image.Dither.NONE)
