"""A disk that becomes read-only while a command uses it: what it keeps too much does no harm."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.runs.claim import claimed
from caveats.runs.export import export
from caveats.runs.files import replace_file
from caveats.runs.writer import Writer
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.work import work

SMALL = RunConfig().changed({
    "data.name": "moons", "data.n": 60, "network.widths": [4], "training.steps": 3,
})  # fmt: skip
SENTENCE = "cannot be written: Read-only file system"


@pytest.fixture
def keeps_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be removed any more."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "a file")

    monkeypatch.setattr(os, "unlink", refuse)


@pytest.mark.usefixtures("keeps_all")
def test_a_claim_that_cannot_be_removed_is_left(tmp_path: Path) -> None:
    with claimed(tmp_path):
        pass


def test_an_export_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeps_all: None
) -> None:
    run = Run(SMALL)
    writer = Writer(run, tmp_path / "run")
    while not run.finished:
        run.advance()
    writer.close()
    assert writer.join()
    monkeypatch.setattr(os, "replace", os.unlink)
    for to in ("csv", "npz", "jsonl"):
        with pytest.raises(ConfigError, match=SENTENCE):
            export(tmp_path / "run", to, tmp_path / f"out.{to}")


def test_a_file_that_cannot_be_replaced_raises_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(os, "unlink", lambda *_, **__: refuse())
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "file", b"new")


def test_a_sweep_keeps_its_results_and_says_what_it_cannot_take_back(
    tmp_path: Path, keeps_all: None
) -> None:
    sweep = Sweep.create(tmp_path / "s", Plan.of(SMALL, [parse_axis("optimizer.lr=0.1", SMALL)], 1))
    sweep.fail(0, "a word")
    assert work(str(sweep.folder), 0) == "done"
    assert sweep.missing() == []
    with pytest.raises(ConfigError, match=SENTENCE):
        sweep.go_on()
