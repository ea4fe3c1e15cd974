"""The lab in a real terminal: every signal that ends a program, and ctrl-z, in every state."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]

_SCRIPT = Path(sys.executable).with_name("caveats-tui")
PROGRAM = (
    [str(_SCRIPT)]
    if _SCRIPT.exists()
    else [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
)
SETTINGS = ("data.name=moons", "network.widths=[8, 8]", "training.steps=100000000")
# What to press, and what is on the screen then.
STATES = {
    "paused": ((), "paused"),
    "running": (("space",), "running"),
    "picker": (("a",), "choose: activation"),
    "runs": (("L",), "kept runs"),
}
# Each costs a whole program: by default one that trains and one with a window, stopped alone.
STOPPED = [
    pytest.param(
        state, group, marks=[] if state in ("running", "picker") and not group else pytest.mark.slow
    )
    for state in STATES
    for group in (False, True)
]


@pytest.fixture
def lab(terminal: Start) -> Start:
    """``lab(state, shell)``: the program in one of `STATES`, started by a line of sh."""

    def start(state: str, shell: str = "exec") -> Any:
        words = [*PROGRAM, *(part for text in SETTINGS for part in ("--set", text))]
        line = f"{shell} {' '.join(map(repr, words))}"
        opened = terminal(["/bin/sh", "-c", line], 80, 24, {"OMP_NUM_THREADS": "1"})
        opened.wait_for("paused")
        keys, seen = STATES[state]
        opened.press(*keys)
        opened.wait_for(seen)
        return opened

    return start


@pytest.mark.parametrize(
    "name",
    [
        "SIGQUIT",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("SIGUSR1", "SIGALRM", "SIGRTMIN")
        ),
    ],
)
def test_any_signal_that_ends_gives_the_terminal_back(name: str, lab: Start) -> None:
    number = getattr(signal, name)
    terminal = lab("running")
    terminal.kill(number)
    assert terminal.exit_code() == 128 + number
    terminal.assert_given_back()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGQUIT, marks=pytest.mark.slow)]
)
def test_a_signal_that_the_shell_ignores_for_its_jobs_is_heeded(number: int, lab: Start) -> None:
    terminal = lab("picker", "trap '' INT QUIT; exec")
    terminal.kill(number)
    assert terminal.exit_code() == 128 + number
    terminal.assert_given_back()


@pytest.mark.parametrize(("state", "group"), STOPPED)
def test_a_stopped_lab_gives_the_terminal_back_and_goes_on(
    state: str, group: bool, lab: Start
) -> None:
    """By ``kill -TSTP`` to the program, or to its whole group as a shell does."""
    terminal = lab(state)
    pid = terminal.process.pid
    (os.killpg if group else os.kill)(pid, signal.SIGTSTP)
    terminal.stopped()
    terminal.wait_for(lambda t: not t.on_alternate_screen)
    terminal.assert_given_back()
    terminal.kill(signal.SIGCONT)  # to the program alone: what it has started must not wait for it
    terminal.wait_for(STATES[state][1])
    if state in ("picker", "runs"):
        terminal.press("escape")
        # A key right behind escape would be read as one with alt.
        terminal.wait_for(lambda t: STATES[state][1] not in t.text)
    if state == "running":
        terminal.press("3")
        terminal.wait_for("3 train")
        charts = len(terminal.received)
        terminal.wait_for(lambda t: len(t.received) > charts + 500)
        terminal.press("q")
        terminal.wait_for("A run is going")
        terminal.press("y")
    else:
        terminal.press("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()


def test_ctrl_z_stops_the_program_and_fg_goes_on(lab: Start) -> None:
    terminal = lab("running")
    terminal.press("ctrl+z")
    terminal.stopped()
    terminal.wait_for(lambda t: not t.on_alternate_screen)
    terminal.assert_given_back()
    terminal.kill(signal.SIGCONT)
    terminal.wait_for("running")
    terminal.press("q")
    terminal.wait_for("A run is going")
    terminal.press("y")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()
