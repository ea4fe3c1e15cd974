"""Pictures: the pages show only files that exist, and a still shows what the app shows now."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "screenshots"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.fixture(autouse=True)
def _repository_on_the_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "screenshots"]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_only_pictures_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text)
    shown += re.findall(r"<(?:img|source)[^>]*?\bsrc(?:set)?=\"([^\"]+)", text)
    missing = [
        name
        for name in shown
        if not name.startswith(("http://", "https://")) and not (page.parent / name).is_file()
    ]
    assert missing == []


def said(name: str) -> str:
    """The text that a still carries for those who hear it."""
    tree = ElementTree.parse(FOLDER / f"{name}.svg")
    found = tree.getroot().find("{http://www.w3.org/2000/svg}desc")
    assert found is not None
    return (found.text or "").strip("\n")


def text_now(name: str) -> str:
    from screenshots.cells import text_of
    from screenshots.stills import STILLS, shoot

    (still,) = (still for still in STILLS if still.name == name)
    # As it comes back from XML, which has no blank lines at the ends.
    text: Any = text_of(shoot(still))
    return str(text).strip("\n")


def test_a_still_shows_what_the_app_shows_now() -> None:
    # Of the stills one whose numbers are those of no training, the same on any machine.
    assert said("picker") == text_now("picker")


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_every_still_shows_what_the_app_shows_now(path: Path) -> None:
    assert said(path.stem) == text_now(path.stem)


def test_stills_are_made_for_every_picture_and_need_no_font() -> None:
    from screenshots.stills import STILLS

    for still in STILLS:
        source = (FOLDER / f"{still.name}.svg").read_text("utf-8")
        assert "<text" not in source
        assert "font" not in source.partition("<defs>")[2]
        assert (FOLDER / f"{still.name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("dots", range(256))
def test_braille_has_its_dots_where_unicode_puts_them(dots: int) -> None:
    # Dots 1-3 and 7 are the left column from the top, 4-6 and 8 the right one (Unicode 2.2800).
    from screenshots.shapes import Dot, shapes

    left, right = (1, 2, 3, 7), (4, 5, 6, 8)
    expected = {
        (column, row)
        for column, numbers in enumerate((left, right))
        for row, number in enumerate(numbers)
        if dots >> (number - 1) & 1
    }
    drawn = shapes(chr(0x2800 + dots)) or ()
    got = {(int(part.x * 2), int(part.y * 4)) for part in drawn if isinstance(part, Dot)}
    assert got == expected
    assert len(drawn) == len(expected)
