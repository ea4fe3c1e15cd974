"""A watched command in a real terminal: its charts, its verdict, its output, and re-opened."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveats.runs.manifest import Manifest

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]

SCRIPT = """
    import sys, time
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 40), nn.ReLU(), nn.Linear(40, 3))
    with torch.no_grad():
        model[0].bias.fill_(-50.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(40):
        x = torch.randn(640, 8)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
        optimizer.step()
    print("the program says\\x1b[31m hello\\x1b[0m", sys.stdout.isatty(), flush=True)
    print("it got", input(), flush=True)
    sys.exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_watched_command_is_shown_and_can_be_opened_again(
    terminal: Callable[..., Any], size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT))
    env = {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, sys.path))}
    run = tmp_path / "run"
    argv = [*PROGRAM, "watch", "--out", str(run), "--every", "1", "--", sys.executable, str(path)]
    first = terminal(argv, *size, env)
    first.wait_for("40 of 40")
    first.wait_for("dying ReLU")
    first.wait_for("the program says hello True")
    second = terminal([*PROGRAM, "open", str(run)], *size, env)
    second.wait_for("dying ReLU")
    second.wait_for("the program says hello True")
    first.process.kill()  # as kill -9: the command is told by its terminal
    second.wait_for("stopped")
    second.press("q")
    second.exit_code()
    command = Manifest.read(run).command
    assert command is not None
    assert command.exit_code == -signal.SIGHUP


@pytest.mark.slow
def test_what_is_typed_reaches_the_command_and_its_exit_code_is_ours(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT))
    env = {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, sys.path))}
    argv = [*PROGRAM, "watch", "--out", str(tmp_path / "run"), "--", sys.executable, str(path)]
    screen = terminal(argv, 100, 30, env)
    screen.wait_for("the program says hello True")
    screen.press("i")
    screen.wait_for("a line for the command")
    screen.send("a word\r")
    screen.wait_for("it got a word")
    screen.wait_for("exit code 3")
    screen.press("q")
    assert screen.exit_code() == 3
    screen.assert_given_back()
