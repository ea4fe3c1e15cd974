"""The recorder: it records the bytes sent to the terminal, with marks, and never blocks the
program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from caveats.errors import ConfigError
from caveats_tui.options import RecordingOptions
from caveats_tui.recording.cast import CastHeader, CastWriter, Recording, read_cast
from caveats_tui.recording.recorder import Recorder, unused
from caveats_tui.terminal.output import Output


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def line() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: what is sent to the second is read at the first."""
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def sent(master: int, end: str) -> str:
    """What has come out of the line once ``end`` has: the kernel may hand it over in parts."""
    got = ""
    while not got.endswith(end):
        got += os.read(master, 1 << 16).decode()
    return got


def told(recording: Recording) -> list[tuple[str, str]]:
    return [(event.code, event.data) for event in recording.events]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_writes_the_bytes_that_come_out_of_the_line(
    encoding: str, line: tuple[int, int], tmp_path: Path
) -> None:
    master, slave = line
    output = Output(slave, encoding)
    recorder = Recorder(output, RecordingOptions())
    recorder.start(tmp_path / "a.cast", "a title")
    for text in ("╭─ μ ─╮\n", "\x1b[2;1Hnext\r\n", ""):
        output.write(text)
        output.flush()
    recorder.stop()
    output.write("not recorded")
    output.flush()
    got = sent(master, "not recorded")
    [*events] = told(read_cast(tmp_path / "a.cast"))
    assert got == "".join(data for _, data in events) + "not recorded"
    assert len(events) == 2


def test_verdicts_are_marked_when_they_come_and_when_they_come_back(
    line: tuple[int, int], tmp_path: Path
) -> None:
    clock = Hand()
    recorder = Recorder(Output(line[1]), RecordingOptions(idle_limit=2.0), clock=clock)
    recorder.key("before it began")
    recorder.start(tmp_path / "a.cast", "")
    for now in ((), ("warning: a",), ("warning: a", "critical: b"), (), ("warning: a",)):
        clock.now += 10
        recorder.found(now)
    recorder.key("f")
    assert recorder.stop() == f"recorded 0:06 in {tmp_path / 'a.cast'}"
    recording = read_cast(tmp_path / "a.cast")
    marks = ["warning: a", "critical: b", "warning: a", "key f"]
    assert told(recording) == [("m", mark) for mark in marks]
    assert [event.time for event in recording.events] == [2.0, 4.0, 6.0, 6.0]  # pauses are cut
    assert recorder.stop() == ""


def test_a_pipe_that_nobody_empties_ends_the_recording_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="No such device"):
        CastWriter(tmp_path / "pipe", CastHeader(80, 24))
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    cast = CastWriter(tmp_path / "pipe", CastHeader(80, 24))
    for _ in range(100):
        cast.output("x" * 10_000)
    cast.close()
    assert cast.problem.startswith("recording stopped: ")
    os.close(reader)


def test_names_of_recordings_do_not_collide(tmp_path: Path) -> None:
    for name in ("now.cast", "now-2.cast", "now-3.cast"):
        path = unused(tmp_path, "now")
        assert path.name == name
        path.touch()
