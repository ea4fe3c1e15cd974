"""The program in a real terminal: opened, used, resized, interrupted, the terminal given back."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
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
SMALL = ("data.name=moons", "network.widths=[16, 16]", "training.steps=200")
LONG = ("data.name=moons", "network.widths=[16, 16]", "training.steps=100000000")
SIZES = [
    pytest.param(120, 40, id="120x40", marks=pytest.mark.slow),
    pytest.param(80, 24, id="80x24"),
]


@pytest.fixture
def lab(terminal: Start) -> Start:
    """``lab(settings, columns, rows, env)``: the program, once step 0 is on the screen."""

    def start(
        settings: tuple[str, ...] = SMALL,
        columns: int = 80,
        rows: int = 24,
        env: dict[str, str | None] | None = None,
    ) -> Any:
        sets = [part for text in settings for part in ("--set", text)]
        # One thread: where all cores are taken, two that wait for each other take seconds a step.
        one = {"OMP_NUM_THREADS": "1", **(env or {})}
        opened = terminal([*PROGRAM, *sets], columns, rows, one)
        opened.wait_for("paused")
        return opened

    return start


def drawing_process(terminal: Any) -> int:
    """The one child that the program has."""
    pid = terminal.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.exists():
        pytest.skip("/proc does not tell the children of a process here")
    [child] = found.read_text().split()
    return int(child)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # killed, and not yet waited for by whoever adopted it
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 120
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        os.sched_yield()


def quiet(terminal: Any, seconds: float) -> bool:
    """Whether nothing is written for so long."""
    before = len(terminal.received)
    terminal._read(time.monotonic() + seconds)
    return len(terminal.received) == before


def type_into(terminal: Any, key: str, title: str, typed: str) -> None:
    terminal.press(key)
    terminal.wait_for(f"choose: {title}")
    terminal.send(typed)
    terminal.press("enter")
    terminal.wait_for(lambda t: f"choose: {title}" not in t.text)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_open_set_up_train_and_leave(columns: int, rows: int, lab: Start) -> None:
    terminal = lab(SMALL, columns, rows)
    assert terminal.on_alternate_screen
    type_into(terminal, "a", "activation", "sigm")
    terminal.wait_for(lambda t: re.search(r"activation +sigmoid", t.text))
    type_into(terminal, "i", "init", "xavier_normal")
    terminal.wait_for(lambda t: re.search(r"init +xavier_normal", t.text))
    type_into(terminal, "o", "optimizer", "adam")
    terminal.wait_for(lambda t: re.search(r"optimizer +adam", t.text))
    terminal.wait_for("step 0/200")
    terminal.press("3")
    terminal.wait_for("3 train")
    terminal.press("space")
    terminal.wait_for("finished")
    terminal.wait_for("step 200/200")
    terminal.wait_for(lambda t: re.search(r"[⠁-⣿]{4}", t.text))
    terminal.press("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()
    assert terminal.text.strip() == ""


@pytest.mark.slow
def test_steps_rise_and_charts_move_while_it_trains(lab: Start) -> None:
    terminal = lab(LONG, 120, 40)
    terminal.press("space")
    seen: set[str] = set()
    charts: set[str] = set()

    def moving(t: Any) -> bool:
        found = re.search(r"step ([\d,]+)/", t.text)
        seen.add(found[1] if found else "")
        charts.add("\n".join(row[31:] for row in t.screen[20:36]))
        return len(seen) > 3 and len(charts) > 3

    terminal.wait_for(moving)
    terminal.press("q")
    terminal.wait_for("A run is going")
    terminal.press("y")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()


def test_a_terminal_can_change_its_size(lab: Start) -> None:
    terminal = lab(SMALL, 120, 40)
    terminal.wait_for("4 neurons")
    terminal.resize(80, 24)
    terminal.wait_for(lambda t: "1 dead neurons" in t.text and "4 neurons" not in t.text)
    terminal.wait_for(lambda t: t.screen[-1].rstrip().endswith("q quit"))
    terminal.resize(59, 15)
    terminal.wait_for("59×15.")
    terminal.resize(120, 40)
    terminal.wait_for(lambda t: "4 neurons" in t.text and "q quit" in t.screen[-1])
    assert "The lab needs" not in terminal.text


def test_a_hang_up_while_it_trains_leaves_no_process_and_a_whole_terminal(lab: Start) -> None:
    terminal = lab(LONG)
    child = drawing_process(terminal)
    terminal.press("space")
    terminal.wait_for("running")
    terminal.kill(signal.SIGHUP)
    assert terminal.exit_code() == 129
    terminal.assert_given_back()
    assert "Traceback" not in terminal.text
    wait_until_gone(child)


@pytest.mark.slow
def test_when_the_line_drops_no_process_is_left(lab: Start) -> None:
    terminal = lab(LONG)
    child = drawing_process(terminal)
    terminal.press("space")
    terminal.wait_for("running")
    terminal.hangup()
    terminal.process.wait(120)
    wait_until_gone(child)


def test_leaving_while_torch_is_loading_leaves_at_once(terminal: Start) -> None:
    opened = terminal([*PROGRAM, "--set", "data.name=moons"], 80, 24)
    opened.wait_for("loading torch")
    opened.press("q")
    assert opened.exit_code() == 0
    opened.assert_given_back()


def test_nothing_is_written_while_nothing_changes(lab: Start) -> None:
    terminal = lab(SMALL, 120, 40)
    terminal.press("s")
    terminal.wait_for("step 1/200")
    assert any(quiet(terminal, 2.0) for _ in range(20)), bytes(terminal.received[-300:])


def test_without_utf8_everything_is_ascii(lab: Start) -> None:
    terminal = lab(SMALL, 120, 40, {"LANG": "C", "LC_ALL": "C"})
    terminal.press("space")
    terminal.wait_for("finished")
    terminal.press("?")
    terminal.wait_for("arrows scroll")
    terminal.press("escape")
    terminal.wait_for(lambda t: "arrows scroll" not in t.text)
    terminal.press("e")
    terminal.wait_for("mass_extinction")
    terminal.press("escape")
    assert max(terminal.received) < 0x80
    assert "?" not in terminal.screen[0], "a character that could not be written"


@pytest.mark.parametrize(("colorterm", "all_of_them"), [(None, False), ("truecolor", True)])
def test_there_are_256_colours_unless_the_terminal_says_that_it_has_all(
    colorterm: str | None, all_of_them: bool, terminal: Start
) -> None:
    opened = terminal(PROGRAM, 80, 24, {"COLORTERM": colorterm})
    opened.wait_for("loading torch")
    assert (b"48;2;" in opened.received) == all_of_them
    assert (b"48;5;" in opened.received) != all_of_them


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_move_its_cursor_is_refused(
    term: str | None, terminal: Start
) -> None:
    opened = terminal(PROGRAM, 80, 24, {"TERM": term})
    assert opened.exit_code() == 2
    said = " ".join(opened.text.split())
    assert re.search(r"TERM is ('dumb'|not set), a terminal that cannot move its cursor", said)
    assert b"\x1b[?1049h" not in opened.received
    opened.assert_given_back()


def test_bad_input_is_one_sentence_on_the_normal_screen(terminal: Start) -> None:
    opened = terminal([*PROGRAM, "--set", "network.activation=sigmoidd"], 80, 24)
    assert opened.exit_code() == 2
    said = " ".join(opened.text.split())
    assert "network.activation" in said
    assert "sigmoid" in said
    assert "Traceback" not in said
    assert b"\x1b[?1049h" not in opened.received
