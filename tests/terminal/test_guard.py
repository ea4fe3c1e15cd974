"""A real Textual app on a real pty: the screen is never torn, and the terminal is given back."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]

APP = str(Path(__file__).with_name("small_app.py"))
SHOUT = "WARNING FROM C"
HERE = "the app is here"


@pytest.fixture
def small(terminal: Start) -> Start:
    def start(kind: str, columns: int = 60, rows: int = 16) -> Any:
        started = terminal([sys.executable, APP, kind], columns, rows)
        started.wait_for("guarded" if kind == "before" else HERE if kind != "raises" else "broke")
        return started

    return start


def log(tmp_path: Path) -> str:
    [path] = tmp_path.rglob("lab.log")
    return path.read_text()


def test_an_app_that_quits_gives_the_terminal_back(small: Start) -> None:
    terminal = small("plain")
    assert terminal.on_alternate_screen
    assert terminal.tty_attributes() != terminal.attributes_before
    assert terminal.switched_on >= {1000, 1003, 1006, 2004, -25}
    terminal.send("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()
    assert HERE not in terminal.text


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_the_app_and_gives_the_terminal_back(
    small: Start, number: int, code: int
) -> None:
    terminal = small("plain")
    terminal.kill(number)
    assert terminal.exit_code() == code
    terminal.assert_given_back()
    assert "Traceback" not in terminal.text


def test_without_a_guard_the_same_signal_leaves_the_terminal_broken(small: Start) -> None:
    terminal = small("bare")
    terminal.kill(signal.SIGTERM)
    assert terminal.exit_code() == -signal.SIGTERM
    with pytest.raises(AssertionError):
        terminal.assert_given_back()


def test_an_exception_in_the_app_is_shown_after_the_terminal_is_given_back(
    small: Start,
) -> None:
    terminal = small("plain", 100, 40)
    terminal.send("x")
    assert terminal.exit_code() == 1
    terminal.assert_given_back()
    assert "RuntimeError: the app broke" in terminal.text


def test_an_exception_outside_the_app_is_shown_on_the_terminal(small: Start) -> None:
    terminal = small("raises")
    assert terminal.exit_code() == 1
    terminal.assert_given_back()
    assert "RuntimeError: the guard's body broke" in terminal.text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_app_has_begun_ends_the_program(
    small: Start, number: int, code: int
) -> None:
    terminal = small("before")
    terminal.kill(number)
    assert terminal.exit_code() == code
    terminal.assert_given_back()


def test_what_c_writes_to_1_and_2_goes_to_the_log_not_to_the_screen(
    small: Start, tmp_path: Path
) -> None:
    terminal = small("plain")
    terminal.send("w")
    terminal.wait_for("warned 1")
    assert SHOUT not in terminal.received.decode()
    assert log(tmp_path).count(SHOUT) == 2
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_without_a_guard_the_same_warning_spoils_the_screen(small: Start) -> None:
    terminal = small("bare")
    terminal.send("w")
    terminal.wait_for(lambda it: SHOUT in it.received.decode())  # the app may draw over it


def test_a_stderr_that_was_sent_to_a_file_stays_there(terminal: Start, tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    command = f"exec {sys.executable} {APP} plain 2>{errors}"
    started = terminal(["/bin/sh", "-c", command], 60, 16)
    started.wait_for(HERE)
    started.send("w")
    started.wait_for("warned 1")
    assert SHOUT in errors.read_text()
    assert SHOUT not in started.received.decode()


def test_the_log_is_bounded(small: Start, tmp_path: Path) -> None:
    terminal = small("noisy")  # limit 200 bytes
    for i in range(1, 11):
        terminal.send("w")
        terminal.wait_for(f"warned {i}")
    # two warnings between two looks at the size
    assert 200 < len(log(tmp_path)) < 200 + 2 * 2 * len(SHOUT)


@pytest.mark.parametrize("kind", ["plain", "nohup"])
def test_a_dropped_connection_ends_the_program_without_a_traceback(
    small: Start, tmp_path: Path, kind: str
) -> None:
    terminal = small(kind)
    terminal.hangup()
    assert terminal.process.wait(120) == 129
    assert "after: " in log(tmp_path)  # it ended by itself
    assert "Traceback" not in log(tmp_path)
    assert "Error" not in log(tmp_path)


def test_an_app_that_does_not_end_is_ended_by_the_second_signal(small: Start) -> None:
    terminal = small("stuck")
    terminal.kill(signal.SIGTERM)
    terminal.wait_for(lambda terminal: not terminal.on_alternate_screen)
    terminal.kill(signal.SIGTERM)
    assert terminal.exit_code() == 143
    terminal.assert_given_back()


def test_a_blocked_line_cannot_keep_the_program_from_ending(small: Start) -> None:
    terminal = small("patient")
    seen = len(terminal.received)
    terminal.send("f")
    terminal.wait_for(lambda terminal: len(terminal.received) > seen + 4096)
    terminal.kill(signal.SIGTERM)
    assert terminal.process.wait(120) == 143  # while nobody reads
    terminal.exit_code()
    assert len(terminal.received) < 200 * 4096  # it was frozen: most of the flood never came
    terminal.assert_given_back()


def test_a_terminal_left_non_blocking_gets_all_the_output(small: Start) -> None:
    terminal = small("nonblocking")
    seen = len(terminal.received)
    terminal.send("f")
    terminal.wait_for(lambda terminal: len(terminal.received) > seen + 200 * 4096)
    terminal.send("n")
    terminal.wait_for("pressed 1")


def test_a_stopped_app_gives_the_terminal_back_and_takes_it_again(small: Start) -> None:
    terminal = small("plain")
    terminal.kill(signal.SIGTSTP)
    terminal.stopped()
    terminal.wait_for(lambda terminal: not terminal.on_alternate_screen)
    terminal.wait_for(lambda terminal: not terminal.switched_on)
    terminal.assert_given_back()
    terminal.kill(signal.SIGCONT)
    terminal.wait_for(HERE)
    terminal.send("n")
    terminal.wait_for("pressed 1")
    terminal.send("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()


def test_an_app_after_sigstop_works_on_and_gives_the_terminal_back(small: Start) -> None:
    terminal = small("plain")
    terminal.kill(signal.SIGSTOP)
    terminal.stopped()
    terminal.kill(signal.SIGCONT)
    terminal.wait_for(lambda terminal: terminal.received.count(b"\x1b[?1049h") == 2)
    terminal.wait_for(HERE)
    terminal.send("n")
    terminal.wait_for("pressed 1")
    terminal.send("q")
    assert terminal.exit_code() == 0
    terminal.assert_given_back()


@pytest.mark.parametrize("kind", ["continued", "continued late"])
@pytest.mark.parametrize("key", ["q", "x"])
def test_a_sigcont_while_the_app_ends_does_not_take_the_terminal_again(
    key: str, kind: str, small: Start
) -> None:
    terminal = small(kind)
    terminal.wait_for("the app is here")
    terminal.press(key)
    assert terminal.exit_code() == int(key == "x")
    terminal.assert_given_back()


def test_a_byte_that_is_not_utf_8_does_no_harm(small: Start) -> None:
    terminal = small("plain")
    terminal.wait_for(HERE)
    os.write(terminal._master, b"\xfc\xc3n")  # as a Latin-1 terminal sends an umlaut
    terminal.wait_for("pressed 1")
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_a_stopped_app_can_be_ended(small: Start) -> None:
    terminal = small("plain")
    terminal.kill(signal.SIGTSTP)
    terminal.stopped()
    terminal.kill(signal.SIGTERM)
    terminal.kill(signal.SIGCONT)
    assert terminal.exit_code() == 143
    terminal.assert_given_back()


def test_the_app_follows_the_terminals_size(small: Start) -> None:
    terminal = small("plain")
    terminal.wait_for("60×16")
    terminal.resize(90, 30)
    terminal.wait_for("90×30")


def test_a_terminal_without_utf8_gets_ascii_only(small: Start) -> None:
    terminal = small("ascii")
    terminal.wait_for("60x16 | ?")
    assert max(terminal.received) < 128


def test_the_meter_counts_each_byte_that_the_terminal_got(small: Start) -> None:
    terminal = small("plain")
    terminal.send("q")
    assert terminal.exit_code() == 0
    screen, after = bytes(terminal.received).split(b"after: ")
    assert int(after.split()[0]) == len(screen.replace(b"\r\n", b"\n"))  # the line adds the \r
