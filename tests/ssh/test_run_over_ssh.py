"""A training over SSH whose connection is lost: the run stops in order, is kept, can go on, and
nothing is left behind; inside tmux it goes on."""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
DEADLINE = 120  # seconds after which a test that hangs fails


def command(folder: Path) -> str:
    return shlex.join(
        [
            *("env", "OMP_NUM_THREADS=1", *PROGRAM, "run", "--out", str(folder)),
            *("--set", "data.name=moons", "--set", "training.steps=100000000"),
        ]
    )


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "it never happened"
        select.select([], [], [], 0.05)


def read_until(client: subprocess.Popen[bytes], pattern: bytes) -> None:
    assert client.stdout is not None
    said = b""
    while not re.search(pattern, said):
        part = os.read(client.stdout.fileno(), 4096)
        assert part, said.decode(errors="replace")
        said += part


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def left_behind(word: str) -> list[str]:
    """The command lines of other processes that name ``word``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


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


@pytest.mark.parametrize("lost", ["client killed", "ctrl-c"])
def test_a_lost_connection_stops_the_run_in_order(ssh, start, tmp_path, lost):
    folder = tmp_path / "run"
    client = start(ssh(command(folder)))
    read_until(client, rb"step [1-9][\d,]*/100,000,000  [\d,]+/s")
    pid = Manifest.read(folder).pid
    if lost == "ctrl-c":
        client.stdin.write(b"\x03")
        client.stdin.flush()
        read_until(client, rb"Interrupted at step [\d,]+ of 100,000,000: caveats-tui run --resume")
    else:
        client.send_signal(signal.SIGKILL)
    until(lambda: gone(pid))

    reader = Reader(folder)
    assert (reader.status.state, reader.problems) == ("stopped", ())
    run = restore(folder)
    assert run.step == reader.status.step > 0
    until(lambda: not left_behind(str(folder)))


def test_a_run_inside_tmux_goes_on_and_stops_in_order_with_it(ssh, start, tmp_path):
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
    until(lambda: gone(before.pid))
    assert Reader(folder).status.state == "stopped"
    assert restore(folder).step >= before.standing.step
    until(lambda: not left_behind(str(folder)))
