"""`python -m screenshots.make [NAME ...]`: makes the stills again, as SVG and PNG beside each other.

It joins what drives the app and what draws; it knows no screen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from screenshots.raster import raster
from screenshots.stills import STILLS, Still, shoot
from screenshots.svg import svg

HERE = Path(__file__).parent


def make(still: Still) -> None:
    """Write the two files of one still."""
    picture = shoot(still)
    (HERE / f"{still.name}.svg").write_text(svg(picture, still.caption), "utf-8")
    image = raster(picture).quantize(256, dither=0)
    image.save(HERE / f"{still.name}.png", optimize=True)
    print(still.name, file=sys.stderr)


def main(names: list[str]) -> None:
    known = {still.name: still for still in STILLS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no picture is called {unknown[0]!r}: there are {', '.join(known)}")
    for name in names or known:
        make(known[name])


if __name__ == "__main__":
    main(sys.argv[1:])
