"""`caveats-tui watch` runs a command as it runs alone, whatever it is, and keeps what it trains."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats_tui.terminal.keeper import OUTPUT, start

TUI = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
PYTHON = sys.executable


def alone(
    *argv: str, stdin: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=300, cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
    )  # fmt: skip


def watched(
    folder: Path, *argv: str, options: tuple[str, ...] = ("--no-screen",), **more: object
) -> subprocess.CompletedProcess[str]:
    return alone(*TUI, "watch", "--out", str(folder), *options, "--", *argv, **more)  # type: ignore[arg-type]


def script(folder: Path, text: str) -> str:
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


SAYS_ALL = """
    import os, sys
    print(sys.argv[1:], os.getcwd(), sys.stdin.read(), sys.path[1:], sys.flags.isolated)
    print("to stderr", file=sys.stderr)
    sys.exit(7)
"""


def test_arguments_folder_input_output_path_and_exit_code_are_as_alone(tmp_path: Path) -> None:
    path = script(tmp_path, SAYS_ALL)
    argv = (PYTHON, path, "--lr", "0.1", "--every", "3")
    first = alone(*argv, stdin="typed", cwd=tmp_path)
    second = watched(tmp_path / "run", *argv, stdin="typed", cwd=tmp_path)
    assert second.stdout == first.stdout
    assert second.returncode == first.returncode == 7
    assert second.stderr.startswith(first.stderr)
    assert "it did not import torch" in second.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("no-such-program-at-all",), 127, "no command that can be found"),
        (("sh", "-c", "exit 3"), 3, "started no Python"),
        (("sh", "-c", "kill -9 $$"), 128 + 9, "started no Python"),
        ((PYTHON, "-I", "-c", "import sys; sys.exit(5)"), 5, "python -I"),
        ((PYTHON, "-c", "raise ValueError('theirs')"), 1, "did not import torch"),
        ((PYTHON, "-c", "import os; os._exit(4)"), 4, "did not import torch"),
    ],
)
def test_what_cannot_be_watched_runs_all_the_same(
    tmp_path: Path, argv: tuple[str, ...], code: int, said: str
) -> None:
    done = watched(tmp_path / "run", *argv)
    assert done.returncode == code
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_sitecustomize_that_is_there_already_is_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.mine = 42")
    done = watched(
        tmp_path / "run", PYTHON, "-c", "print(mine)", env={"PYTHONPATH": path_with(tmp_path)}
    )
    assert done.stdout == "42\n"


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = watched(tmp_path, PYTHON, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not empty: name a new folder" in done.stderr


def test_a_wrong_option_is_one_sentence(tmp_path: Path) -> None:
    done = alone(*TUI, "watch", "--every", "often", "--", "true")
    assert done.returncode == 2
    assert "'often' is neither auto nor a number of steps" in done.stderr


TRAINS = """
    import multiprocessing, os, sys
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    def main():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 600), nn.ReLU(), nn.Linear(600, 3))
        with torch.no_grad():
            model[0].bias.fill_(-50.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.randn(640, 8)
        data = TensorDataset(x, x[:, :3].argmax(1))
        for epoch in range(3):
            for x, y in DataLoader(data, batch_size=64, num_workers=int(sys.argv[1])):
                loss = nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                print(loss.item().hex(), flush=True)
        if len(sys.argv) > 2:
            os.kill(os.getpid(), int(sys.argv[2]))

    if __name__ == "__main__":
        main()
"""


def test_a_training_is_kept_with_its_verdict_and_its_command(tmp_path: Path) -> None:
    path = script(tmp_path, TRAINS)
    first = alone(PYTHON, path, "2")
    second = watched(
        tmp_path / "run", PYTHON, path, "2", options=("--json", "--every", "1"), cwd=tmp_path
    )
    assert second.returncode == 0, second.stderr
    theirs = [line for line in second.stderr.splitlines() if not line.startswith("caveats-tui")]
    assert theirs == first.stdout.splitlines()  # with --json, stdout is for the events
    events = [json.loads(line) for line in second.stdout.splitlines()]
    dying = next(e for e in events if e.get("changes", {}).get("caveat") == "dying_relu")
    assert dying["step"] <= 9
    assert "600 of 600" in dying["text"] or "all of it" in dying["text"] or "dead" in dying["text"]

    reader = Reader(tmp_path / "run")
    command = reader.manifest.command
    assert command is not None
    assert command.argv == (PYTHON, path, "2")
    assert command.cwd == str(tmp_path)
    assert command.exit_code == 0
    assert reader.manifest.kind == "watch"
    assert reader.manifest.standing.state == "finished"
    records = reader.history.snapshot()
    assert reader.history.layers == ("0", "2")
    losses = [float.fromhex(line) for line in first.stdout.splitlines()]
    assert records.scalar("loss").tolist() == pytest.approx(losses, rel=1e-6)
    assert not (tmp_path / "run" / "parts").exists()  # the DataLoader's workers wrote nothing


@pytest.mark.slow
def test_a_training_that_is_killed_keeps_its_record(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        TRAINS.replace("if len(sys.argv)", "import time; time.sleep(2)\n        if len(sys.argv)"),
    )
    done = watched(tmp_path / "run", PYTHON, path, "0", str(int(signal.SIGKILL)))
    assert done.returncode == 128 + signal.SIGKILL
    manifest = Manifest.read(tmp_path / "run")
    assert manifest.standing.state == "stopped"
    assert "signal 9" in manifest.standing.problem
    assert len(Reader(tmp_path / "run").history) >= 10


def test_a_file_named_like_one_of_pythons_modules_does_not_stop_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People have a signal.py or a select.py beside their training."""
    for name in ("signal", "select", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for the module of Python')")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    keeper = start([PYTHON, "-P", "-c", "print('trained')"], folder, (80, 8), True, {**os.environ})
    assert keeper.stdin is not None
    try:
        assert keeper.wait(120) == 0
    finally:
        keeper.stdin.close()
    assert "trained" in (folder / OUTPUT).read_text()


LEARNS = """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(700):
        x = torch.randn(64, 8)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item().hex(), flush=True)
"""


def test_without_samples_the_curve_of_the_loss_is_kept_and_nothing_is_blamed(
    tmp_path: Path,
) -> None:
    """Layers are seen in the first ten steps and rarely after them, the loss at every step."""
    path = script(tmp_path, LEARNS)
    done = watched(tmp_path / "run", PYTHON, path, options=("--no-screen", "--budget", "0"))
    assert "warning" not in done.stderr
    assert "critical" not in done.stderr
    losses = [float.fromhex(line) for line in done.stdout.splitlines()]
    records = Reader(tmp_path / "run").history.snapshot()
    whole = records.whole()
    assert 12 <= whole.sum() <= 17  # steps 0 to 10, some of the later ones, the weights at the end
    assert len(records) > 30
    sampled = records.steps[whole]
    for step, loss in zip(records.steps[~whole], records.scalar("loss")[~whole], strict=True):
        before = sampled[sampled < step][-1]
        since = max(before + 1, step + 1 - max(10, step // 6))
        assert loss == pytest.approx(np.mean(losses[since : step + 1]), rel=1e-5)
