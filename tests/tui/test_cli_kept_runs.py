"""`run --out` and `--resume`, `runs` and `export` as a script uses them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats_tui.cli import cli
from caveats_tui.text.tables import columns

SHORT = ("--set", "data.name=moons", "--set", "network.widths=8-8", "--device", "cpu")
PROGRAM = (sys.executable, "-c", "from caveats_tui.cli import main; main()")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "caveats-tui" / "runs"


def call(*args: str) -> Result:
    return CliRunner().invoke(cli, args, prog_name="caveats-tui")


def steps(number: int) -> tuple[str, ...]:
    return ("--set", f"training.steps={number}")


def trained(*args: str) -> Any:
    called = call("run", "--json", *args)
    assert (called.exit_code, called.stderr) == (0, "")
    return json.loads(called.stdout)


def said(called: Result) -> str:
    assert (called.exit_code, called.stdout) == (2, "")
    assert called.stderr.count("\n") == 1
    return called.stderr


def test_every_run_is_kept_and_named_in_its_document(place: Path) -> None:
    found = trained(*SHORT, *steps(20))
    folder = Path(found["run"])
    assert folder.parent == place
    reader = Reader(folder)
    assert reader.status.state == "finished"
    assert reader.config.to_dict()["network"] == found["config"]["network"]
    assert call("run", *SHORT, *steps(5)).stdout.splitlines()[-1].startswith("kept as moons-relu")


def test_out_names_the_folder_and_refuses_one_that_is_used(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    assert trained(*SHORT, *steps(5), "--out", str(out))["run"] == str(out)
    assert "not empty" in said(call("run", *SHORT, *steps(5), "--out", str(out)))


def test_a_run_that_is_resumed_for_longer_equals_one_that_was_long(tmp_path: Path) -> None:
    trained(*SHORT, *steps(30), "--out", str(tmp_path / "short"))
    found = trained("--resume", str(tmp_path / "short"), *steps(50))
    trained(*SHORT, *steps(50), "--out", str(tmp_path / "long"))
    assert found["steps"] == 50
    resumed, whole = (load_file(tmp_path / d / "checkpoint.safetensors") for d in ("short", "long"))
    weights = [name for name in whole if name.startswith("trainer/network/")]
    assert len(weights) == 6
    for name in weights:
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=name)


def test_settings_that_a_resumed_run_cannot_change_are_reported(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    trained(*SHORT, *steps(5), "--out", out)
    assert "--config" in said(call("run", "--resume", out, "--config", "x.toml"))
    assert "--out" in said(call("run", "--resume", out, "--out", "x"))
    assert "network.widths" in said(call("run", "--resume", out, "--set", "network.widths=4"))
    assert "absent" in said(call("run", "--resume", "absent"))
    assert Reader(Path(out)).status.state in ("finished", "stopped")


def on_a_terminal(width: int, *args: str) -> list[str]:
    """The lines that the program writes to a terminal of ``width`` columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    program = subprocess.Popen([*PROGRAM, *args], stdout=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
        while data := os.read(ours, 4096):
            seen += data
    os.close(ours)
    assert program.wait() == 0
    return seen.decode().split("\r\n")


def test_the_list_of_runs_fits_its_terminal_and_a_pipe_gets_all(place: Path) -> None:
    for name in ("moons-leaky_relu-momentum-0.003-1128-135436", "b"):
        trained(*SHORT, *steps(2), "--out", str(place / name))
    whole = call("runs", str(place)).stdout.splitlines()
    assert "network" in whole[0]
    wide = on_a_terminal(200, "runs", str(place))[:-1]
    assert [line.rpartition("  ")[0] for line in wide] == [
        line.rpartition("  ")[0]
        for line in whole  # all but the age
    ]
    for width in (60, 80):
        lines = on_a_terminal(width, "runs", str(place))
        assert max(map(len, lines)) <= width
        assert all(word in lines[0] for word in ("run", "state", "verdicts"))
        assert "moons-leaky_relu-momentum-0.003-1128-135436" in "".join(lines) or width < 80


def test_a_table_loses_what_it_can_spare_before_it_is_cut() -> None:
    rows = [("name", "size", "words"), ("a" * 20, "1", "b" * 20)]
    assert columns(rows, 46, [1], [2])[1] == f"{'a' * 20}  {'b' * 20}"
    assert columns(rows, 35, [1], [2])[1] == f"{'a' * 20}  {'b' * 11}.."
    assert columns(rows)[1] == f"{'a' * 20}  1     {'b' * 20}"


def test_a_place_that_cannot_be_written_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    called = call("run", *SHORT, *steps(5), "--json")
    assert called.exit_code == 0
    assert json.loads(called.stdout)["run"] is None
    assert called.stderr.startswith("Warning: ")
    assert called.stderr.count("\n") == 1


def test_runs_lists_what_was_kept(place: Path) -> None:
    assert call("runs").stdout == f"no runs in {place}\n"
    found = [trained(*SHORT, *steps(n)) for n in (5, 6)]
    document = json.loads(call("runs", "--json").stdout)
    assert document["place"] == str(place)
    listed = {run["run"]: run for run in document["runs"]}
    assert listed.keys() == {run["run"] for run in found}
    for run in found:
        entry = listed[run["run"]]
        assert (entry["state"], entry["step"]) == ("finished", run["steps"])
        assert entry["loss"] == pytest.approx(run["final"]["loss"], rel=1e-6)
        assert [name for name, _ in entry["verdicts"]] == [v["caveat"] for v in run["verdicts"]]
    lines = call("runs").stdout.splitlines()
    assert len(lines) == 3
    for line in lines[1:]:
        assert any(Path(run["run"]).name in line for run in found)


def test_export_writes_beside_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Path(trained(*SHORT, *steps(5))["run"]).name
    monkeypatch.chdir(tmp_path)
    called = call("export", name, "--to", "csv")
    assert (called.exit_code, called.stdout) == (0, f"{name}.csv\n")
    assert (tmp_path / f"{name}.csv").read_text().startswith("step,loss,")
    assert "there already" in said(call("export", name, "--to", "csv"))
    assert "no run" in said(call("export", str(tmp_path), "--to", "npz"))


@pytest.mark.parametrize(
    "name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow), "SIGHUP"]
)
def test_a_signal_stops_a_run_between_two_steps(tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    program = subprocess.Popen(
        [*PROGRAM, "run", *SHORT, *steps(10**9), "--out", str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while not (out / "log.jsonl").exists() and program.poll() is None:
        select.select([], [], [], 0.02)  # looking all the time would take half of two cores
    program.send_signal(getattr(signal, name))
    stdout, stderr = program.communicate()
    assert (program.returncode, stdout) == (130, b"")
    if name == "SIGHUP":
        assert stderr == b""  # the terminal is gone
    else:
        assert b"continues it" in stderr
        assert stderr.count(b"\n") == 1
    reader = Reader(out)
    assert (reader.status.state, reader.problems) == ("stopped", ())
    found = trained("--resume", str(out), *steps(reader.status.step + 3))
    assert found["steps"] == reader.status.step + 3
    assert Manifest.read(out).starts == 2
