"""`python -m screenshots.make [NAME ...]`: makes the pictures again, all or those named.

Stills as SVG and PNG beside each other, recordings of the demos, and the animation for the README.
It joins what drives the app and what draws; it knows no screen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from caveats_tui.recording.cast import read_cast
from caveats_tui.recording.demo import record_demo
from caveats_tui.recording.script import scripts
from screenshots.animation import animate
from screenshots.raster import raster
from screenshots.stills import STILLS, Still, shoot
from screenshots.svg import svg

__all__ = ["ANIMATION", "CAST_SIZE", "main"]

HERE = Path(__file__).parent
CAST_SIZE = (112, 32)
ANIMATION = "dying_relu"  # the demo that the README shows first


def make_still(still: Still) -> None:
    """Write the two files of one still."""
    picture = shoot(still)
    (HERE / f"{still.name}.svg").write_text(svg(picture, still.caption), "utf-8")
    image = raster(picture).quantize(256, dither=Image.Dither.NONE)
    image.save(HERE / f"{still.name}.png", optimize=True)


def make_cast(name: str) -> None:
    """Write a demo's recording, and the animation where it is that of the README."""
    path = HERE / f"{name}.cast"
    record_demo(scripts()[name], path, CAST_SIZE)
    if name == ANIMATION:
        animate(read_cast(path), HERE / f"{name}.gif")


def main(names: list[str]) -> None:
    stills = {still.name: still for still in STILLS}
    casts = [name for name in scripts() if name != "tour"]
    for name in names:
        if name not in stills and name not in casts:
            raise SystemExit(
                f"no picture is called {name!r}: there are {', '.join([*stills, *casts])}"
            )
    for name in names or [*stills, *casts]:
        print(name, file=sys.stderr)
        if name in stills:
            make_still(stills[name])
        else:
            make_cast(name)


if __name__ == "__main__":
    main(sys.argv[1:])
