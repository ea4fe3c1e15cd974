"""The way to the terminal: what it lacks is replaced cell for cell, and waiting is measured."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from caveats_tui.terminal import log
from caveats_tui.terminal.log import MessageLog
from caveats_tui.terminal.output import Output
from caveats_tui.text import plain


class Clock:
    """Seconds that a test sets; ``asked`` is set when someone looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = threading.Event()

    def __call__(self) -> float:
        self.asked.set()
        return self.now


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):  # closed by the test
            os.close(end)


@pytest.mark.parametrize(
    ("text", "encoding", "bytes_"),
    [
        ("┌─┐│ alive ●", "ascii", b"+-+| alive *"),
        ("±0.5 × 3", "latin-1", b"\xb10.5 \xd7 3"),
        ("60×16 ⣿", "ascii", b"60x16 ?"),
        ("χ ≤ 2σ‖δ‖ ≈ 10²", "ascii", b"X < 2s|d| ~ 10?"),
        ("layer → 3 …", "utf-8", "layer → 3 …".encode()),
    ],
)
def test_what_an_encoding_lacks_is_drawn_with_ascii(
    text: str, encoding: str, bytes_: bytes
) -> None:
    assert text.encode(encoding, plain.ERRORS) == bytes_


@given(st.text(st.characters(categories=["Sm", "So", "Po", "Pd", "Ll"])))
def test_no_column_moves(text: str) -> None:
    narrow = "".join(char for char in text if wcwidth(char) == 1)
    assert len(narrow.encode("ascii", plain.ERRORS)) == len(narrow)


def test_bytes_not_characters_are_counted(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    output.write("μ²")
    assert output.bytes == 0  # not asked to write yet
    output.flush()
    assert os.read(pipe[0], 99) == "μ²".encode()
    assert output.bytes == 4


def test_much_text_is_written_before_a_flush(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    for _ in range(30):
        output.write("x" * 1000)
    assert output.bytes >= 24_000


def test_a_blocked_write_counts_while_it_waits(pipe: tuple[int, int]) -> None:
    clock = Clock()
    output = Output(pipe[1], clock=clock)
    clock.asked.clear()
    flood = "x" * 1_000_000  # more than a pipe holds
    writer = threading.Thread(target=output.write, args=(flood,))
    writer.start()
    assert clock.asked.wait(20)
    seen = len(os.read(pipe[0], 1))  # the write is under way
    assert output.busy
    clock.now = 5.0
    assert output.seconds == 5.0
    while seen < len(flood):
        seen += len(os.read(pipe[0], 1 << 16))
    writer.join()
    assert not output.busy
    clock.now = 9.0
    assert output.seconds == 5.0
    assert output.bytes == len(flood)


def test_text_for_a_terminal_that_is_gone_is_dropped(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    output = Output(pipe[1])
    for _ in range(3):
        output.write("frame")
        output.flush()
    assert output.lost
    assert output.bytes == 0


def test_a_log_keeps_what_earlier_sessions_left_until_it_is_half_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LIMIT", 1000)
    path = tmp_path / "deep" / "lab.log"
    for message in (b"first\n", b"second\n" + b"x" * 500, b"third\n"):
        session = MessageLog(path)
        os.write(session.fd, message)
        session.close()
        kept = path.read_bytes()
        assert (b"first" in kept) == (message != b"third\n")
    assert b"second" not in kept


def test_without_a_folder_messages_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    session = MessageLog(tmp_path / "file" / "lab.log")
    os.write(session.fd, b"message")
    assert session.path is None
    assert not session.full
    session.close()
