"""The lab itself on a server, through `ssh -t`: what it looks like there, and what a connection
that is lost in mid-training leaves behind."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from caveats.run import Run
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
LONG = [
    "--set", "data.name=moons", "--set", "network.widths=[16, 16]",
    "--set", "training.steps=100000000",
]  # fmt: skip
WAIT = 180.0  # seconds a slow machine may take; a passing test waits for what it sees, not for this
UTF8, PLAIN = "LANG=C.UTF-8", "LC_ALL=C"


class Server:
    """A home over there, in which the lab is opened over SSH, on a terminal of ours."""

    def __init__(
        self, terminal: Callable[..., Any], ssh: Callable[[str], Sequence[str]], home: Path
    ) -> None:
        self.home = home
        self._terminal, self._ssh = terminal, ssh
        self._tmux = ["tmux", "-L", f"caveats-{os.getpid()}-{home.name}"]

    def opened(self, locale: str, tmux: bool) -> Any:
        """The lab at step 0. Our own terminal has all colours, and nothing over there knows it."""
        threads = f"OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}"
        home = [f"HOME={self.home}", f"XDG_DATA_HOME={self.home}", locale, threads]
        command = [*PROGRAM, *LONG]
        if tmux:
            config = self.home / "tmux.conf"
            config.write_text("set -s set-clipboard on\n")
            command = [*self._tmux, "-f", str(config), "new-session", shlex.join(command)]
        lab = self.connected(["env", *home, *command])
        lab.wait_for("paused", WAIT)
        return lab

    def attached(self) -> Any:
        """Another connection, to the same tmux."""
        return self.connected(["env", UTF8, *self._tmux, "attach-session"])

    def connected(self, command: list[str]) -> Any:
        ours = {"COLORTERM": "truecolor"}
        return self._terminal(self._ssh(shlex.join(command)), 120, 40, ours)

    @property
    def run(self) -> Path:
        """The folder of the one run that was kept."""
        [folder] = (path.parent for path in self.home.glob("caveats-tui/runs/*/run.toml"))
        return folder

    def end(self) -> None:
        """End what a failed test has left in tmux; there is no server after one that passed."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)


@pytest.fixture
def server(
    terminal: Callable[..., Any], ssh: Callable[[str], Sequence[str]], tmp_path: Path
) -> Iterator[Server]:
    home = tmp_path / "over there"
    home.mkdir()
    server = Server(terminal, ssh, home)
    yield server
    if shutil.which("tmux"):
        server.end()


def needs_tmux() -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")


def trained(lab: Any) -> None:
    """Train, and wait until the screen has told a few steps."""
    lab.press("space")
    lab.wait_for("running", WAIT)
    first = shown_step(lab)
    lab.wait_for(lambda t: shown_step(t) > max(0, first), WAIT)


def shown_step(lab: Any) -> int:
    found = re.search(r"step ([\d,]+)/", lab.screen[0])
    return int(found[1].replace(",", "")) if found else -1


@pytest.mark.parametrize(
    ("locale", "tmux"),
    [
        pytest.param(UTF8, False, id="utf-8"),
        pytest.param(PLAIN, False, id="C", marks=pytest.mark.slow),
        pytest.param(UTF8, True, id="utf-8-tmux", marks=pytest.mark.slow),
        pytest.param(PLAIN, True, id="C-tmux", marks=pytest.mark.slow),
    ],
)
def test_the_lab_over_ssh(
    locale: str,
    tmux: bool,
    server: Server,
    until: Callable[[Callable[[], object]], None],
    left_behind: Callable[[Path], list[str]],
) -> None:
    if tmux:
        needs_tmux()
    lab = server.opened(locale, tmux)
    trained(lab)
    drawn = r"[⠁-⣿]{3}" if locale == UTF8 else r"a{4}|l{4}"  # accuracy and loss, as letters
    lab.wait_for(lambda t: re.search(drawn, t.text), WAIT)
    lab.press("3", "c")
    lab.wait_for("loss: copied", WAIT)
    lab.wait_for(lambda t: t.clipboard is not None, WAIT)
    assert lab.clipboard.startswith("step,loss,accuracy\n0,")
    lab.press("q")
    lab.wait_for("A run is going", WAIT)
    lab.press("y")
    assert lab.exit_code(WAIT) == 0
    lab.assert_given_back()

    # SSH tells TERM and not COLORTERM: 256 colours. tmux writes them for our terminal anew.
    assert b"48;5;" in lab.received
    assert b"8;2;" not in lab.received
    if locale == PLAIN:
        assert max(lab.received) < 0x80
    assert "Traceback" not in lab.text
    until(lambda: not left_behind(server.home))
    assert Reader(server.run).status.state == "stopped"


@pytest.mark.slow
def test_a_client_killed_in_mid_training_leaves_a_run_that_goes_on_bit_for_bit(
    server: Server,
    until: Callable[[Callable[[], object]], None],
    left_behind: Callable[[Path], list[str]],
) -> None:
    lab = server.opened(UTF8, tmux=False)
    trained(lab)
    assert left_behind(server.home)  # the lab and its drawing process
    lab.kill(signal.SIGKILL)
    until(lambda: not left_behind(server.home))

    reader = Reader(server.run)
    assert (reader.status.state, reader.problems) == ("stopped", ())
    resumed = restore(server.run)
    assert resumed.step == reader.status.step > 0
    whole = Run(resumed.config, every=10**9)
    end = resumed.step + 30
    for run in (resumed, whole):
        while run.step < end:
            run.advance()
    weights = [run.trainer.network.state_dict() for run in (resumed, whole)]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


@pytest.mark.slow
def test_in_tmux_training_outlives_the_client_and_another_one_takes_it_up(
    server: Server,
    until: Callable[[Callable[[], object]], None],
    left_behind: Callable[[Path], list[str]],
) -> None:
    needs_tmux()
    lab = server.opened(UTF8, tmux=True)
    trained(lab)
    lab.kill(signal.SIGKILL)
    seen = Reader(server.run).status.step
    until(lambda: Reader(server.run).status.step > seen)

    again = server.attached()
    again.wait_for("running", WAIT)
    again.wait_for(lambda t: shown_step(t) > seen, WAIT)
    again.press("q")
    again.wait_for("A run is going", WAIT)
    again.press("y")
    assert again.exit_code(WAIT) == 0
    again.assert_given_back()
    until(lambda: not left_behind(server.home))
    assert Reader(server.run).status.state == "stopped"
    assert restore(server.run).step == Reader(server.run).status.step
