"""A training over SSH whose connection is lost: the run stops in order, is kept, can go on, and
nothing is left behind; inside tmux it goes on."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]


def command(folder: Path) -> str:
    return shlex.join(
        [
            *("env", "OMP_NUM_THREADS=1", *PROGRAM, "run", "--out", str(folder)),
            *("--set", "data.name=moons", "--set", "training.steps=100000000"),
        ]
    )


def read_until(client: subprocess.Popen[bytes], pattern: bytes) -> None:
    assert client.stdout is not None
    said = b""
    while not re.search(pattern, said):
        part = os.read(client.stdout.fileno(), 4096)
        assert part, said.decode(errors="replace")
        said += part


@pytest.fixture
def start():
    """``start(argv)`` runs a client, which is killed after the test if it still runs."""
    clients = []

    def begin(argv) -> subprocess.Popen[bytes]:
        clients.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return clients[-1]

    yield begin
    for client in clients:
        client.kill()
        client.communicate()


@pytest.mark.parametrize("lost", ["client killed", pytest.param("ctrl-c", marks=pytest.mark.slow)])
def test_a_lost_connection_stops_the_run_in_order(ssh, start, until, left_behind, tmp_path, lost):
    folder = tmp_path / "run"
    client = start(ssh(command(folder)))
    read_until(client, rb"step [1-9][\d,]*/100,000,000  [\d,]+/s")
    if lost == "ctrl-c":
        client.stdin.write(b"\x03")
        client.stdin.flush()
        read_until(client, rb"Interrupted at step [\d,]+ of 100,000,000: caveats-tui run --resume")
    else:
        client.send_signal(signal.SIGKILL)
    until(lambda: not left_behind(folder))

    reader = Reader(folder)
    assert (reader.status.state, reader.problems) == ("stopped", ())
    run = restore(folder)
    assert run.step == reader.status.step > 0


@pytest.mark.slow
def test_a_run_inside_tmux_goes_on_and_stops_in_order_with_it(
    ssh, start, until, left_behind, tmp_path
):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    folder, server = tmp_path / "run", f"caveats-{os.getpid()}"
    tmux = ["tmux", "-L", server, "-f", "/dev/null"]
    client = start(
        ssh("env TERM=xterm-256color " + shlex.join([*tmux, "new-session", command(folder)]))
    )
    try:
        read_until(client, rb"step [1-9]")
        client.kill()
        before = Manifest.read(folder)
        until(lambda: Manifest.read(folder).standing.beat >= before.standing.beat + 2)
        assert Manifest.read(folder).standing.state == "running"
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    until(lambda: not left_behind(folder))
    assert Reader(folder).status.state == "stopped"
    assert restore(folder).step >= before.standing.step


@pytest.mark.slow
def test_a_run_without_a_terminal_is_told_nothing_and_trains_on_until_it_is_stopped(
    ssh, start, until, left_behind, tmp_path
):
    folder = tmp_path / "run"
    argv = ["-T" if word == "-tt" else word for word in ssh(command(folder))]
    client = start(argv)
    until(lambda: (folder / "run.toml").exists() and Manifest.read(folder).standing.step)
    before = Manifest.read(folder)
    client.kill()
    until(lambda: Manifest.read(folder).standing.beat >= before.standing.beat + 2)
    now = Manifest.read(folder)
    assert (now.standing.state, now.pid) == ("running", before.pid)
    assert now.standing.step > before.standing.step
    os.kill(now.pid, signal.SIGTERM)
    until(lambda: not left_behind(folder))
    assert Reader(folder).status.state == "stopped"
    assert restore(folder).step >= now.standing.step
