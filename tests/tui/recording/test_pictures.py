"""Pictures: the pages show only files that exist, and a still shows what the app shows now."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyte
import pytest

from caveats_tui.demos.demo import record_demo
from caveats_tui.demos.script import find_script, scripts
from caveats_tui.recording.cast import read_cast

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


def shown_by(name: str) -> Any:
    from screenshots.stills import STILLS, shoot

    (still,) = (still for still in STILLS if still.name == name)
    return shoot(still)


def steady(text: str) -> str:
    """As it comes back from XML, which has no blank lines at the ends, without seconds taken."""
    return re.sub(r"(?m)^.*\bseconds .*\d.*\n", "", text).strip("\n")


def agrees(name: str) -> None:
    from screenshots.cells import text_of

    assert steady(said(name)) == steady(text_of(shown_by(name)))


# Of the stills those whose numbers are of no training, and the same on any machine.
@pytest.mark.parametrize("name", ["picker"])
def test_a_still_shows_what_the_app_shows_now(name: str) -> None:
    agrees(name)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.stem)
def test_every_still_shows_what_the_app_shows_now(path: Path) -> None:
    agrees(path.stem)


def told(path: Path) -> tuple[tuple[int, int], list[tuple[float, str]], list[str]]:
    """Size and marks of a recording, and the last picture of its terminal."""
    recording = read_cast(path)
    screen = pyte.Screen(*recording.size)
    stream = pyte.Stream(screen)
    marks = [(event.time, event.data) for event in recording.events if event.code == "m"]
    for text in [event.data for event in recording.events if event.code == "o"][:-1]:
        stream.feed(text)
    return recording.size, marks, list(screen.display)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cast")), ids=lambda path: path.stem)
def test_every_recording_shows_what_the_demo_shows_now(path: Path, tmp_path: Path) -> None:
    again = tmp_path / path.name
    record_demo(find_script(path.stem), again, read_cast(path).size)
    assert told(again) == told(path)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.cast")), ids=lambda path: path.stem)
def test_a_recording_takes_as_long_as_people_watch(path: Path) -> None:
    assert 30 <= read_cast(path).seconds <= 60


def test_stills_are_made_for_every_picture_and_need_no_font() -> None:
    from screenshots.stills import STILLS

    names = [still.name for still in STILLS] + list(scripts())
    assert len(names) == len(set(names)), "a picture and a recording would be made as one"
    assert {still.name for still in STILLS} == {path.stem for path in FOLDER.glob("*.svg")}
    for still in STILLS:
        source = (FOLDER / f"{still.name}.svg").read_text("utf-8")
        assert "<text" not in source
        assert "font" not in source.partition("<defs>")[2]


def test_the_two_files_of_a_still_show_the_same_screen() -> None:
    """The text that the SVG carries is that whose digest stands in the PNG, and the animation was
    drawn from the recording that lies beside it."""
    for path in sorted(FOLDER.glob("*.svg")):
        (now,) = digests(path.with_suffix(".png").read_bytes(), b"tEXtscreen\0")
        tree = ElementTree.parse(path).getroot().find("{http://www.w3.org/2000/svg}desc")
        assert tree is not None
        text = (tree.text or "").removeprefix("\n").removesuffix("\n")
        assert now == sha256(text.encode()).hexdigest(), path.stem
    for path in FOLDER.glob("*.gif"):
        cast = path.with_suffix(".cast").read_bytes()
        assert sha256(cast).hexdigest().encode() in path.read_bytes(), path.stem
        assert path.stat().st_size <= 3 << 20


def digests(data: bytes, before: bytes) -> list[str]:
    return [found.decode() for found in re.findall(re.escape(before) + rb"([0-9a-f]{64})", data)]


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
