"""`python -m screenshots.make [NAME ...]`: makes all pictures again, or those that are named.

These are stills as SVG and PNG, recordings of the demos, the animation for the README, and the
derived part of docs/caveats.md. Each picture contains the digest of its text, so that tests notice
an old picture. Needs `pip install -e '.[pictures]'`.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from caveats_tui.demos.demo import record_demo
from caveats_tui.demos.script import scripts
from caveats_tui.recording.cast import read_cast
from screenshots.animation import animate
from screenshots.cells import text_of
from screenshots.page import renew
from screenshots.raster import raster
from screenshots.stills import STILLS, Still, shoot
from screenshots.svg import svg

__all__ = ["ANIMATION", "CASTS", "CAST_SIZE", "digest", "main"]

HERE = Path(__file__).parent
CAST_SIZE = (112, 32)
CASTS = tuple(name for name in scripts() if name != "tour")
ANIMATION = "dying_relu"  # the demo that the README shows first


def digest(text: str) -> str:
    """The mark in a picture for the text that it shows."""
    return sha256(text.encode()).hexdigest()


def make_still(still: Still) -> None:
    """Write the two files of one still."""
    picture = shoot(still)
    (HERE / f"{still.name}.svg").write_text(svg(picture, still.caption), "utf-8")
    image = raster(picture).quantize(256, dither=Image.Dither.NONE)
    info = PngInfo()
    info.add_text("Description", still.caption)
    info.add_text("screen", digest(text_of(picture)))
    image.save(HERE / f"{still.name}.png", optimize=True, pnginfo=info)


def make_cast(name: str) -> None:
    """Write a demo's recording, and for the README's demo the animation."""
    path = HERE / f"{name}.cast"
    record_demo(scripts()[name], path, CAST_SIZE)
    if name == ANIMATION:
        animate(read_cast(path), HERE / f"{name}.gif", digest(path.read_text("utf-8")))


def make(name: str) -> str:
    stills = {still.name: still for still in STILLS}
    if name in stills:
        make_still(stills[name])
    else:
        make_cast(name)
    return name


def main(names: list[str]) -> None:
    known = [*CASTS, *(still.name for still in STILLS)]  # the slowest first
    for name in names:
        if name not in known:
            raise SystemExit(f"no picture is called {name!r}: there are {', '.join(known)}")
    # One core for each picture: torch computes little here, and on one thread the same everywhere.
    os.environ["OMP_NUM_THREADS"] = "1"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    renew()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        for done in as_completed(pool.submit(make, name) for name in names or known):
            print(done.result(), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
