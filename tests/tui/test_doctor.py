"""The doctor's facts are those of this machine, and its advice fits what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from caveats_tui.commands import diagnosis
from caveats_tui.commands.diagnosis import Fact, report, text
from caveats_tui.commands.machine import Gpu, Machine, look
from caveats_tui.terminal.facts import Streams

GIB = 1 << 30
MACHINE = Machine(
    python="3.12.1 (/usr/bin/python)",
    system="Linux 6.1, x86_64",
    versions={"caveats-tui": "0.1.0", "torch": "2.13.0+cpu"},
    cores=8,
    threads=4,
    gpus=(),
    cuda_build=None,
    nvidia=False,
    trouble=None,
    log=Path("/home/ada/.local/state/caveats-tui/log/lab.log"),
)
STREAMS = Streams(True, True, "utf-8", (120, 40))
ENVIRON = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_GB.UTF-8"}


def of(lines: list[Fact], topic: str) -> Fact:
    [line] = [line for line in lines if line.topic == topic]
    return line


def judged(
    machine: Machine = MACHINE,
    streams: Streams = STREAMS,
    environ: dict[str, str] | None = None,
    **changes: Any,
) -> list[Fact]:
    return report(machine._replace(**changes), streams, ENVIRON if environ is None else environ)


def test_nothing_is_advised_where_nothing_is_wrong() -> None:
    lines = judged()
    assert [line.advice for line in lines if line.advice] == []
    assert text(lines).endswith("what to change\n  nothing")


@pytest.mark.parametrize(
    ("topic", "changes", "fact", "advice"),
    [
        ("torch", {"versions": {"torch": None}}, "not installed", "pip install torch"),
        ("gpu", {"nvidia": True}, "built without CUDA", "CUDA build of torch"),
        ("gpu", {"trouble": "the driver is too old"}, "none that torch", "driver is too old."),
        ("lab", {"environ": ENVIRON | {"TERM": "dumb"}}, "cannot be opened", "TERM is 'dumb'"),
        (
            "lab",
            {"streams": STREAMS._replace(stdout_tty=False)},
            "cannot be opened",
            "Stdout is not a terminal",
        ),
        ("size", {"streams": STREAMS._replace(size=(59, 24))}, "too small", "60×16"),
        ("size", {"streams": STREAMS._replace(size=(80, 24))}, "one chart", "104×26"),
        ("colours", {"environ": {"TERM": "xterm"}}, "16 (", "TERM=xterm-256color"),
        ("colours", {"environ": {"TERM": "screen", "TMUX": "x"}}, "16 (", "tmux.conf"),
        ("colours", {"environ": {"TERM": "screen", "STY": "x"}}, "16 (", "screenrc"),
        ("colours", {"environ": ENVIRON | {"NO_COLOR": ""}}, "none (", "NO_COLOR"),
        ("charset", {"environ": ENVIRON | {"LC_ALL": "C"}}, "ascii (", "LC_ALL is C"),
    ],
)
def test_each_problem_is_shown_with_what_to_do(
    topic: str, changes: dict[str, Any], fact: str, advice: str
) -> None:
    line = of(judged(**changes), topic)
    assert fact in line.fact
    assert line.advice is not None
    assert advice in line.advice


@pytest.mark.parametrize(
    ("topic", "changes", "fact"),
    [
        ("size", {"streams": STREAMS._replace(size=None)}, "no terminal"),
        (
            "colours",
            {"environ": {"TERM": "xterm-256color"}},
            "256 (COLORTERM is not set, TERM is xterm-256color)",
        ),
        ("charset", {"environ": ENVIRON | {"TERM": "linux"}}, "no braille"),  # no setting helps
        ("inside", {"environ": ENVIRON | {"TMUX": "x", "SSH_TTY": "x"}}, "tmux, SSH"),
        ("cpu", {}, "8 cores, torch uses 4"),
        ("TERM", {"environ": ENVIRON | {"TERM": "xterm-256color\x1b[2J"}}, "\\x1b[2J"),
    ],
)
def test_facts_without_a_problem_have_no_advice(
    topic: str, changes: dict[str, Any], fact: str
) -> None:
    line = of(judged(**changes), topic)
    assert fact in line.fact
    assert line.advice is None


def test_each_gpu_has_its_name_and_memory_and_the_first_is_the_default() -> None:
    gpus = (Gpu("cuda:0", "A100", 80 * GIB), Gpu("cuda:1", "T4", 15 * GIB))
    lines = judged(gpus=gpus, cuda_build="13.0")
    assert of(lines, "cuda:1").fact == "T4, 15.0 GiB"
    assert "cuda:0" in of(lines, "auto").fact
    assert not [line for line in lines if line.topic == "gpu"]


@given(
    st.sets(st.sampled_from(["TMUX", "STY", "SSH_TTY", "NO_COLOR"])),
    st.sampled_from(["", "dumb", "xterm", "linux", "xterm-256color"]),
    st.none() | st.tuples(st.integers(1, 200), st.integers(1, 60)),
    st.integers(72, 120),
)
def test_the_text_holds_every_fact_and_advice_within_its_width(
    between: set[str], term: str, size: tuple[int, int] | None, width: int
) -> None:
    environ = {"TERM": term} | dict.fromkeys(between, "1")
    lines = judged(streams=STREAMS._replace(size=size), environ=environ)
    shown = text(lines, width=width)
    flat = " ".join(shown.split())
    for line in lines:
        assert " ".join(line.fact.split()) in flat
        assert line.advice is None or line.advice in flat
    assert max(map(len, shown.splitlines())) <= width


def test_the_facts_about_this_machine_are_true() -> None:
    machine = look()
    for name in ("torch", "numpy", "textual", "plotext"):
        assert machine.versions[name] == metadata.version(name)
    assert machine.threads == torch.get_num_threads()
    assert machine.cores >= 1
    assert [gpu.device for gpu in machine.gpus if gpu.device.startswith("cuda")] == [
        f"cuda:{i}" for i in range(torch.cuda.device_count())
    ]
    assert machine.cuda_build == torch.version.cuda


def test_a_torch_that_cannot_be_loaded_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # makes its import fail
    machine = look()
    assert machine.threads is None
    assert "torch cannot be loaded" in (of(report(machine, STREAMS, ENVIRON), "gpu").advice or "")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_it_prints_to_a_pipe_of_any_encoding(encoding: str) -> None:
    code = (
        "import sys; from caveats_tui.commands.doctor import print_report;"
        "print_report(sys.stdout, sys.stderr)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert said.stderr == b""  # narration is for terminals
    shown = said.stdout.decode(encoding)
    for section in ("versions", "devices", "terminal", "files", "what to change"):
        assert f"{section}\n" in shown
    assert ("⣿" in shown) == (encoding == "utf-8")


def test_the_module_does_not_load_torch() -> None:
    code = f"import sys, {diagnosis.__name__}; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout == "False\n"
