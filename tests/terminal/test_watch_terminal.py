"""A watched command in a real terminal: its charts, its verdict, its output, and re-opened."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveats.runs.manifest import Manifest

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_cnn.py"
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


ENV = {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, sys.path))}
SIZES = [(80, 24), (120, 40)]


def written(folder: Path, text: str) -> list[str]:
    """The command that runs this script."""
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text))
    return [sys.executable, str(path)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("size", SIZES)
def test_a_watched_command_is_shown_and_can_be_opened_again(
    terminal: Callable[..., Any], size: tuple[int, int], number: signal.Signals, tmp_path: Path
) -> None:
    command, run = written(tmp_path, SCRIPT), tmp_path / "run"
    watch = [*PROGRAM, "watch", "--out", str(run), "--every", "1", "--", *command]
    first = terminal(watch, *size, ENV)
    first.wait_for("40 of 40")
    first.wait_for("dying ReLU")
    first.wait_for("the program says hello True")
    first.kill(number)
    first.exit_code()
    second = terminal([*PROGRAM, "open", str(run)], *size, ENV)
    for seen in ("40 of 40", "dying ReLU", "the program says hello True", "stopped"):
        second.wait_for(seen)
    second.press("q")
    assert second.exit_code() == 0
    second.assert_given_back()
    assert Manifest.read(run).command.exit_code == -signal.SIGHUP  # type: ignore[union-attr]


def test_a_signal_to_the_screen_is_one_to_the_command(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    """Also to one that a hang-up does not end, as under nohup."""
    deaf = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); print('deaf', flush=True)"
    command, run = written(tmp_path, f"{deaf}; input()"), tmp_path / "run"
    screen = terminal([*PROGRAM, "watch", "--out", str(run), "--", *command], 80, 24, ENV)
    screen.wait_for("deaf")
    screen.kill(signal.SIGTERM)
    assert screen.exit_code() == 128 + signal.SIGTERM
    screen.assert_given_back()


GOES_ON = SCRIPT.replace(
    '    print("it got", input(), flush=True)\n',
    """
    import os
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.05)
    for step in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
        optimizer.step()
    print("it went on", flush=True)
""",
)


@pytest.mark.slow
def test_a_command_that_may_go_on_does_so_without_its_screen(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    command, run, sign = written(tmp_path, GOES_ON), tmp_path / "run", tmp_path / "go on"
    options = ["--out", str(run), "--every", "1", "--on-hangup", "continue"]
    first = terminal([*PROGRAM, "watch", *options, "--", *command, str(sign)], 120, 40, ENV)
    first.wait_for("the program says hello True")
    first.kill(signal.SIGKILL)
    second = terminal([*PROGRAM, "open", str(run)], 120, 40, ENV)
    second.wait_for("running")
    sign.touch()
    second.wait_for("it went on")
    second.wait_for("finished")
    second.wait_for("step 80")
    # The training's own process says "finished"; the keeper notes the exit code after its end.
    second.wait_for(lambda _: Manifest.read(run).command.exit_code is not None)  # type: ignore[union-attr]
    assert Manifest.read(run).command.exit_code == 3  # type: ignore[union-attr]
    second.press("q")
    second.exit_code()


@pytest.mark.slow
@pytest.mark.parametrize("init", ["usual", "broken"])
@pytest.mark.parametrize("size", SIZES)
def test_the_example_shows_its_dead_channels(
    terminal: Callable[..., Any], size: tuple[int, int], init: str, tmp_path: Path
) -> None:
    """Of 112 channels and units, the broken start kills 88 for good; the usual one kills a few."""
    command = [sys.executable, str(EXAMPLE), "--init", init]
    watch = [*PROGRAM, "watch", "--out", str(tmp_path / "run"), "--", *command]
    screen = terminal(watch, *size, ENV)

    def dead(seen: Any) -> int:
        found = re.search(r"dead neurons by layer: (\d+) of 112", seen.text)
        return int(found[1]) if found else -1

    if init == "broken":
        screen.wait_for("dying ReLU")
        screen.wait_for(lambda seen: dead(seen) >= 88)
    else:
        screen.wait_for(lambda seen: 1 <= dead(seen) < 40)
    screen.wait_for("epoch 19 loss")
    screen.wait_for("finished")
    assert ("dying ReLU" in screen.text) == (init == "broken")
    screen.press("q")  # its process may not be quite over: that is no reason to ask
    assert screen.exit_code() == 0
    screen.assert_given_back()


@pytest.mark.slow
def test_what_is_typed_reaches_the_command_and_its_exit_code_is_ours(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    watch = [*PROGRAM, "watch", "--out", str(tmp_path / "run"), "--"]
    screen = terminal([*watch, *written(tmp_path, SCRIPT)], 100, 30, ENV)
    screen.wait_for("the program says hello True")
    screen.press("i")
    screen.wait_for("a line for the command")
    screen.send("a word\r")
    screen.wait_for("it got a word")
    screen.wait_for("exit code 3")
    screen.press("q")
    assert screen.exit_code() == 3
    screen.assert_given_back()
