"""A run trained in one terminal and watched from another, on real terminals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveats.runs import checkpoint
from caveats.runs.reader import Reader

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
SMALL = [
    "--set", "data.name=moons", "--set", "network.widths=[8]",
    "--set", "training.steps=100000000",
]  # fmt: skip
WAIT = 120.0  # seconds a slow machine may take; a passing test waits for what it sees, not for this


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / "caveats-tui" / "runs"


def trained(terminal: Callable[..., Any], tmp_path: Path) -> Any:
    """The lab in a terminal, training."""
    lab = terminal([*PROGRAM, *SMALL], 120, 40, {"XDG_DATA_HOME": str(tmp_path / "data")})
    lab.wait_for("paused", WAIT)
    lab.press("space")
    lab.wait_for("running", WAIT)
    return lab


def only(place: Path, lab: Any) -> Path:
    lab.wait_for(lambda _: place.is_dir() and list(place.glob("*/run.toml")), WAIT)
    [folder] = (path.parent for path in place.glob("*/run.toml"))
    return folder


def shown_step(screen: Any) -> int:
    """The step in the header, -1 where there is none."""
    _, found, rest = screen.screen[0].partition("step ")
    return int(rest.partition("/")[0].replace(",", "")) if found else -1


@pytest.mark.slow
def test_the_second_terminal_follows_the_first_and_says_that_it_was_killed(
    terminal: Callable[..., Any], tmp_path: Path, place: Path
) -> None:
    lab = trained(terminal, tmp_path)
    folder = only(place, lab)
    other = terminal([*PROGRAM, "open", str(folder)], 120, 40)
    other.wait_for("running", WAIT)
    other.wait_for("another process trains this run", WAIT)
    seen = shown_step(other)
    other.wait_for(lambda screen: shown_step(screen) > seen >= 0, WAIT)
    other.press("space")
    other.wait_for("here it is only watched", WAIT)
    lab.kill(signal.SIGKILL)
    assert lab.exit_code(WAIT) == -signal.SIGKILL
    other.wait_for("no news for", WAIT)
    other.press("R")
    other.wait_for("resumed: space trains on", WAIT)
    other.press("space")
    other.wait_for("running", WAIT)
    other.press("q")
    other.wait_for("the run is kept", WAIT)
    other.press("y")
    assert other.exit_code(WAIT) == 0
    other.assert_given_back()
    assert Reader(folder).manifest.standing.state == "stopped"
    assert Reader(folder).manifest.starts == 2


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGHUP,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_leaves_a_run_that_can_go_on_and_a_sane_terminal(
    number: int, terminal: Callable[..., Any], tmp_path: Path, place: Path
) -> None:
    lab = trained(terminal, tmp_path)
    folder = only(place, lab)
    lab.kill(number)
    lab.exit_code(WAIT)
    lab.assert_given_back()
    end = Reader(folder).manifest.standing
    assert end.state == "stopped"
    assert end.step == checkpoint.read(folder).step > 0
    done = subprocess.run(
        [*PROGRAM, "run", "--resume", str(folder), "--set", f"training.steps={end.step + 2}",
         "--json"],
        capture_output=True, text=True, timeout=WAIT, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["steps"] == end.step + 2
