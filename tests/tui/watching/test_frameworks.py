"""Scripts for the frameworks that people use, alone and watched: the same losses, bit by bit."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caveats.runs.reader import Reader
from caveats.watching.folder import parts

HERE = Path(__file__).parent
TUI = [sys.executable, "-c", "from caveats_tui.cli import main; main()", "watch", "--no-screen"]
TRAININGS = HERE.parents[1] / "engine" / "watching" / "trainings.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]

pytestmark = pytest.mark.slow


def both(folder: Path, *argv: str) -> tuple[Path, str]:
    """The folder of the watched run, and what the command printed both times."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    outputs = []
    for prefix in ([], [*TUI, "--every", "1", "--out", str(folder / "run"), "--"]):
        done = subprocess.run(
            [*prefix, *argv], capture_output=True, text=True, timeout=600, env=env, cwd=folder
        )
        assert done.returncode == 0, done.stderr
        assert "not all was watched" not in done.stderr, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    return folder / "run", outputs[0]


def need(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def check(folder: Path, steps: int, *, activations: bool = True, loss: bool = True) -> Reader:
    reader = Reader(folder)
    records = reader.history.snapshot()
    assert len(records) >= steps - 2
    if loss:
        assert np.isfinite(records.scalar("loss")).all()
    assert np.isfinite(records.layers("grad_norm")[:-1]).any(1).all()
    assert np.isfinite(records.layers("update_ratio")[2:-1]).any(1).all()
    seen = np.isfinite(records.layers("activation_std")).any(1)
    assert seen[:-1].all() if activations else not seen.any()
    told = [event.text for event in records.events if event.kind == "unobserved"]
    assert any(text.startswith("activations: ") for text in told) is not activations
    return reader


def test_distributed_data_parallel_under_torchrun(tmp_path: Path) -> None:
    run, printed = both(tmp_path, *TORCHRUN, "29611", str(HERE / "scripts" / "ddp.py"))
    reader = check(run, 14)
    losses = [float.fromhex(line) for line in printed.split()]
    assert reader.history.snapshot().scalar("loss").tolist() == pytest.approx(losses, rel=1e-6)
    assert [p.name.split("-")[1] for p in parts(run)[1:]] == ["rank1"]


def test_fsdp2_on_the_cpu(tmp_path: Path) -> None:
    run, _ = both(tmp_path, *TORCHRUN, "29612", str(HERE / "scripts" / "fsdp.py"))
    assert check(run, 14, activations=False).history.layers == ("0", "2")


def test_lightning(tmp_path: Path) -> None:
    need("lightning")
    run, printed = both(tmp_path, sys.executable, str(HERE / "scripts" / "with_lightning.py"))
    reader = check(run, 14)
    assert reader.history.layers == ("net.0", "net.2")
    losses = [float.fromhex(line) for line in printed.split()]
    assert reader.history.snapshot().scalar("loss").tolist() == pytest.approx(losses, rel=1e-6)


def test_the_trainer_of_hugging_face(tmp_path: Path) -> None:
    need("transformers", "accelerate")
    run, _ = both(tmp_path, sys.executable, str(HERE / "scripts" / "with_trainer.py"))
    assert "transformer.h.0.attn.c_attn" in check(run, 14).history.layers


def test_accelerate(tmp_path: Path) -> None:
    need("accelerate")
    run, _ = both(tmp_path, sys.executable, str(HERE / "scripts" / "with_accelerate.py"))
    check(run, 14)


NAMES = re.findall(r"^@training\ndef (\w+)", TRAININGS.read_text(), re.MULTILINE)
NO_ACTIVATIONS = {"compiled_function"}
SOME_ACTIVATIONS = {"compiled_activation"}


@pytest.mark.parametrize("name", NAMES)
def test_a_script_that_imports_nothing_of_ours(name: str, tmp_path: Path) -> None:
    run, printed = both(tmp_path, sys.executable, str(TRAININGS), name)
    assert math.isfinite(float.fromhex(printed.split()[-1]))
    if name not in SOME_ACTIVATIONS:
        check(run, 12, activations=name not in NO_ACTIVATIONS)
