"""`open DIR --play` in a real terminal, on a run that was trained without a screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caveats_tui.recording.cast import read_cast

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
DYING = [
    "--set", "optimizer.name=adam", "--set", "optimizer.lr=0.3", "--set", "training.steps=200",
]  # fmt: skip


def test_a_run_is_played_and_can_be_recorded_on_the_way(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    folder, cast = tmp_path / "run", tmp_path / "a.cast"
    subprocess.run(
        [*PROGRAM, "run", *DYING, "--every", "10", "--out", str(folder)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    play = [*PROGRAM, "open", str(folder), "--play", "--record", str(cast)]
    shown = terminal(play, 120, 40)
    shown.wait_for("replay", 60)
    shown.press("space", "<")
    shown.wait_for("step 0/200")
    assert "dying ReLU" not in "".join(shown.screen[-4:])
    shown.press(*"++++++++++", "space")
    shown.wait_for("step 200/200")
    shown.wait_for(lambda t: "dying ReLU" in "".join(t.screen[-4:]))
    shown.press("q")
    assert shown.exit_code() == 0
    shown.assert_given_back()
    marks = [event.data for event in read_cast(cast).events if event.code == "m"]
    assert "critical: dying ReLU" in marks


def test_the_player_hears_keys_that_a_terminal_takes_for_itself(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    """ctrl-s stops a terminal's output, and ctrl-v takes the next key."""
    cast = tmp_path / "a.cast"
    lines = [f'[{number}, "o", "line {number}\\r\\n"]' for number in range(1, 100)]
    cast.write_text("\n".join(['{"version": 2, "width": 80, "height": 24}', *lines]) + "\n")
    shown = terminal([*PROGRAM, "play", str(cast)], 80, 24)
    shown.wait_for("line 1")
    shown.press("ctrl+s", "0", "\x16", "right")
    shown.wait_for("line 5")
    shown.press("q")
    assert shown.exit_code() == 0
    shown.assert_given_back()
