"""A file of one's own is found from the data picker, and becomes the data in one change."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from caveats_tui.screens import files as files_module
from caveats_tui.screens.files import READ, ColumnPicker, FilePicker, listing
from caveats_tui.screens.lab.setup import SetupList

HOUSES = "size,rooms,price\n" + "\n".join(f"{50 + i},{i % 5},{100_000 + 999 * i}" for i in range(9))
SMALL = {"data.name": "moons", "network.widths": [4], "training.steps": 5}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "houses.csv").write_text(HOUSES)
    (tmp_path / "broken.npz").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.csv").write_text(HOUSES)
    (tmp_path / "od\x1b[31md[b].csv").write_text("a,b\n1,2\n")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "more.csv").write_text(HOUSES.replace("price", "cost"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def files(lab: Any) -> None:
    await lab.opened()
    await lab.press("d", *"file", "enter")
    await lab.until(lambda: isinstance(lab.app.screen, FilePicker))
    await lab.until("houses.csv")


def test_a_file_and_its_target_are_one_change(
    drive: Callable[..., None], configured: Callable[..., Any], here: Path
) -> None:
    async def scenario(lab: Any) -> None:
        before = lab.bench.config
        await files(lab)
        assert "od\\x1b[31md[b].csv" in lab.text  # as text: no control character and no markup
        assert "notes.txt" not in lab.text
        assert ".hidden.csv" not in lab.text
        await lab.press(*"hou", "enter")
        await lab.until(lambda: isinstance(lab.app.screen, ColumnPicker))
        await lab.until("50, 51, 52")
        await lab.press("enter")  # the last column
        await lab.until("price: numbers, 104,000 ± 2,580; 9 rows of 2 features")
        data = lab.bench.config.data
        assert (data.name, data.file, data.target) == (None, "houses.csv", "price")
        await lab.press("u")
        assert lab.bench.config == before

    drive(scenario, configured(SMALL), drawing=False)


def test_a_folder_without_a_file_to_take_says_so(
    drive: Callable[..., None], configured: Callable[..., Any], here: Path
) -> None:
    (here / "empty").mkdir()

    async def scenario(lab: Any) -> None:
        await files(lab)
        assert "no csv, npz is in this folder" not in lab.text
        await lab.press(*"empt", "enter")
        await lab.until("no csv, npz is in this folder")

    drive(scenario, configured(SMALL), drawing=False)


def test_columns_are_left_out_and_words_coded_from_the_setup_list(
    drive: Callable[..., None], configured: Callable[..., Any], here: Path
) -> None:
    """A table with names of people and of towns: refused as it is, with the way out."""
    rows = "\n".join(f"p{i},{'ab'[i % 2]},{i},{i % 3 - 1.5 * i}" for i in range(12))
    (here / "people.csv").write_text(f"name,town,age,rent\n{rows}\n")

    async def scenario(lab: Any) -> None:
        await files(lab)
        await lab.press(*"people", "enter")
        await lab.until(lambda: isinstance(lab.app.screen, ColumnPicker))
        await lab.press("enter")
        await lab.until("data.drop")
        for label, typed in (("drop", "name"), ("one hot", "town")):
            setup = lab.app.lab.query_one(SetupList)
            setup.highlighted = [line.label for line in setup._shown].index(f"· {label}")
            await lab.press("enter")
            await lab.until("enter takes")
            await lab.press(*["backspace"] * 4, *typed, "enter")
        await lab.until("12 rows of 3 features")
        assert lab.bench.config.data.options == {"drop": ("name",), "one_hot": ("town",)}

    drive(scenario, configured(SMALL), drawing=False)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No folder is read before the test sets this."""
    read, done = files_module.listing, threading.Event()

    def slow(path: Path, kind: files_module.Kind) -> files_module.Listing:
        assert done.wait(60)
        return read(path, kind)

    monkeypatch.setattr(files_module, "listing", slow)
    return done


def test_what_is_typed_before_the_first_folder_is_read_stays(
    drive: Callable[..., None],
    configured: Callable[..., Any],
    here: Path,
    typed: threading.Event,
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("d", *"file", "enter")
        await lab.until(lambda: isinstance(lab.app.screen, FilePicker))
        await lab.press(*"deeper/mo")
        typed.set()
        await lab.until("more.csv")
        assert lab.app.screen.query_one(Input).value == "deeper/mo"

    drive(scenario, configured(SMALL), drawing=False)


def test_enter_before_the_first_folder_is_read_takes_what_fits_then(
    drive: Callable[..., None],
    configured: Callable[..., Any],
    here: Path,
    typed: threading.Event,
) -> None:
    async def scenario(lab: Any) -> None:
        await lab.opened()
        await lab.press("d", *"file", "enter")
        await lab.until(lambda: isinstance(lab.app.screen, FilePicker))
        await lab.press(*"house", "enter")
        typed.set()
        await lab.until(lambda: isinstance(lab.app.screen, ColumnPicker))

    drive(scenario, configured(SMALL), drawing=False)


def test_folders_open_and_escape_goes_back_window_by_window(
    drive: Callable[..., None], configured: Callable[..., Any], here: Path
) -> None:
    async def scenario(lab: Any) -> None:
        before = lab.bench.config
        await files(lab)
        await lab.press(*"deep", "enter")
        await lab.until("more.csv")
        await lab.press("enter")
        await lab.until(lambda: isinstance(lab.app.screen, ColumnPicker))
        await lab.press("escape")
        await lab.until(lambda: isinstance(lab.app.screen, FilePicker))
        await lab.until("more.csv")
        await lab.press(*"../hou")  # a path, typed
        await lab.until("houses.csv")
        await lab.press("escape")
        await lab.until("blobs")
        await lab.press("escape")
        assert lab.app.screen is lab.app.lab
        assert lab.bench.config == before

    drive(scenario, configured(SMALL), drawing=False)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nowhere.csv", "does not exist"),
        ("./notes.txt", "should be a .csv or a .npz"),
        ("/no/such/folder/", "does not exist"),
    ],
)
def test_a_wrong_path_is_answered_with_a_sentence_and_nothing_is_lost(
    typed: str,
    said: str,
    drive: Callable[..., None],
    configured: Callable[..., Any],
    here: Path,
) -> None:
    async def scenario(lab: Any) -> None:
        await files(lab)
        await lab.press(*typed, "enter")
        sentence = lab.app.screen.query_one("#said", Static)
        await lab.until(lambda: said in str(sentence.render()))
        assert isinstance(lab.app.screen, FilePicker)
        assert typed in lab.text

    drive(scenario, configured(SMALL), drawing=False)


def test_a_file_that_is_no_data_is_said_after_it_was_taken(
    drive: Callable[..., None], configured: Callable[..., Any], here: Path
) -> None:
    async def scenario(lab: Any) -> None:
        await files(lab)
        await lab.press(*"broken", "enter")
        await lab.until("broken.npz is not an npz archive")
        await lab.until("no record: see below why")  # no chart promises one
        await lab.press("u")
        await lab.state("paused")

    drive(scenario, configured(SMALL), drawing=False)


def test_a_folder_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    gone = listing(tmp_path / "gone\x1b")
    assert gone.problem.endswith("gone\\x1b cannot be read: No such file or directory")
    assert listing(Path("/\0")).problem
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):  # root reads everything
        return
    assert "Permission denied" in listing(closed).problem


def test_a_huge_folder_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert READ >= 10_000
    monkeypatch.setattr("caveats_tui.screens.files.READ", 5)
    for index in range(9):
        (tmp_path / f"{index}.csv").touch()
    seen = listing(tmp_path)
    assert len(seen.files) == 5
    assert "only 5 names of this folder were read" in seen.problem
