"""Recordings: whole at any moment, exact in time, and read with a sentence about what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.errors import ConfigError
from caveats_tui.recording.cast import CastHeader, CastWriter, read_cast

V3 = '{"version": 3, "term": {"cols": 80, "rows": 24}}\n'


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def written(path: Path, version: int, pauses: list[float], limit: float | None = None) -> list[str]:
    clock = Hand()
    cast = CastWriter(path, CastHeader(80, 24, "a «title»", version), idle_limit=limit, clock=clock)
    for pause in pauses:
        clock.now += pause
        cast.output("\x1b[1mμ\x1b[0m\u2028\n")
    cast.close()
    return path.read_text("utf-8").split("\n")[:-1]


def test_version_3_holds_intervals_and_version_2_times(tmp_path: Path) -> None:
    # As the format's specification has them, read here by hand.
    header, *events = map(json.loads, written(tmp_path / "3", 3, [0.5, 0.25, 2.0]))
    assert header == {"version": 3, "term": {"cols": 80, "rows": 24}, "title": "a «title»"}
    assert [event[0] for event in events] == [0.5, 0.25, 2.0]
    header, *events = map(json.loads, written(tmp_path / "2", 2, [0.5, 0.25, 2.0]))
    assert header == {"version": 2, "width": 80, "height": 24, "title": "a «title»"}
    assert [event[0] for event in events] == [0.5, 0.75, 2.75]
    assert all(event[1:] == ["o", "\x1b[1mμ\x1b[0m\u2028\n"] for event in events)


@given(st.lists(st.floats(0, 0.001), max_size=200), st.sampled_from([2, 3]))
def test_rounding_does_not_add_up(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[float], version: int
) -> None:
    path = tmp_path_factory.mktemp("cast") / "a.cast"
    written(path, version, pauses)
    times = [event.time for event in read_cast(path).events]
    assert times == pytest.approx(list(accumulate(pauses)), abs=2e-6)


def test_pauses_are_cut_when_written_and_when_read(tmp_path: Path) -> None:
    written(tmp_path / "cut", 3, [1.0, 60.0, 1.0], limit=2.0)
    assert read_cast(tmp_path / "cut").seconds == 4.0
    written(tmp_path / "whole", 2, [1.0, 60.0, 1.0])
    assert read_cast(tmp_path / "whole").seconds == 62.0
    assert read_cast(tmp_path / "whole", idle_limit=3.0).seconds == 5.0
    (tmp_path / "asks").write_text(
        '{"version": 2, "width": 8, "height": 2, "idle_time_limit": 1.5}\n[60, "o", "a"]\n'
    )
    assert read_cast(tmp_path / "asks").seconds == 1.5


def test_a_killed_program_leaves_every_event_it_recorded(tmp_path: Path) -> None:
    path = tmp_path / "killed.cast"
    code = (
        "import os, signal, sys\n"
        "from caveats_tui.recording.cast import CastHeader, CastWriter\n"
        "cast = CastWriter(sys.argv[1], CastHeader(80, 24))\n"
        "for number in range(50): cast.output(f'{number} ' * 1000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [event.data.split()[0] for event in read_cast(path).events] == list(map(str, range(50)))


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cut.cast"
    path.write_text(V3 + '[1, "o", "whole"]\n# a comment\n\n[1, "o", "cu', "utf-8")
    assert [event.data for event in read_cast(path).events] == ["whole"]


def test_a_full_disk_stops_the_recording_and_not_the_program() -> None:
    cast = CastWriter("/dev/full", CastHeader(80, 24))
    cast.output("lost")
    cast.close()
    assert cast.problem == "recording stopped: No space left on device"


def test_resizes_and_marks_come_back(tmp_path: Path) -> None:
    cast = CastWriter(tmp_path / "a.cast", CastHeader(80, 24))
    cast.mark("key f")
    cast.resize(120, 20)
    cast.close()
    recording = read_cast(tmp_path / "a.cast")
    assert [(event.code, event.data) for event in recording.events] == [
        ("m", "key f"), ("r", "120x20"),
    ]  # fmt: skip
    assert recording.largest == (120, 24)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "its first line is no asciicast header"),
        ("hello\n", "its first line is no asciicast header"),
        ('{"version": 1}\n', "its first line is no asciicast header"),
        ("[" * 100_000 + "\n", "its first line is no asciicast header"),
        ('{"version": 3, "term": {"cols": 80}}\n', "line 1: the terminal's size 80×None"),
        ('{"version": 2, "width": 1e9, "height": 2}\n', "line 1: the terminal's size"),
        ('{"version": 2, "width": true, "height": 2}\n', "line 1: the terminal's size"),
        (V3 + "nonsense\n", "line 2: 'nonsense' is no event"),
        (V3 + '["1", "o", "a"]\n', "line 2"),
        (V3 + '[NaN, "o", "a"]\n', "line 2"),
        (V3 + '[1, "o", 2]\n', "line 2"),
        (V3 + '[1, "\x1b[2J"\n', "line 2: '[1, \"\\\\x1b[2J\"'"),
    ],
)
def test_a_file_that_is_no_recording_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.cast"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        read_cast(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert str(error.value).isprintable()


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.cast: No such file or directory"):
        read_cast(tmp_path / "no.cast")
    with pytest.raises(ConfigError, match="Is a directory"):
        CastWriter(tmp_path, CastHeader(80, 24))
    (tmp_path / "latin.cast").write_bytes(V3.encode() + b'[1, "o", "\xe4"]\n')
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_cast(tmp_path / "latin.cast")
