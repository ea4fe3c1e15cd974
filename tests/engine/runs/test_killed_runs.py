"""A run whose process is killed: its folder opens, only the last second of records is missing, and
after a resume it ends with the weights of a run that was never killed."""

import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from caveats.runs.reader import Reader

TOLD = struct.Struct("<qqd")
CONFIGS = {
    "adam, dropout, batch norm": """
[data]
name = "moons"
[network]
widths = [16, 16]
dropout = 0.2
normalization = "batch"
[optimizer]
name = "adam"
[training]
batch_size = 32
steps = {steps}
""",
    "muon, cosine, prelu": """
[data]
name = "spirals"
[network]
widths = [24, 24]
activation = "prelu"
[optimizer]
name = "muon"
schedule = "cosine"
clip_norm = 1.0
[training]
batch_size = 48
steps = {steps}
""",
    "momentum, residual, full batch": """
[data]
name = "sine"
[network]
widths = [16, 16, 16]
residual = true
activation = "tanh"
[optimizer]
name = "momentum"
[training]
batch_size = 0
steps = {steps}
""",
}


class Children:
    def __init__(self) -> None:
        self.read, write = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("training_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: os.dup2(write, 3),
            pass_fds=(3,),
        )
        os.close(write)

    def begin(self, verb: str, config: Path, folder: Path) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{verb} {config} {folder}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def told(self) -> tuple[int, int, float]:
        data = os.read(self.read, TOLD.size)
        while len(data) < TOLD.size:
            data += os.read(self.read, TOLD.size - len(data))
        return TOLD.unpack(data)

    def left(self) -> list[tuple[int, int, float]]:
        """The last messages of a child that has ended."""
        os.set_blocking(self.read, False)
        told = []
        try:
            while True:
                told.append(TOLD.unpack(os.read(self.read, TOLD.size)))
        except BlockingIOError:
            return told
        finally:
            os.set_blocking(self.read, True)


@pytest.fixture(scope="module")
def children():
    children = Children()
    yield children
    children.process.stdin.close()
    children.process.wait()
    children.process.stdout.close()
    os.close(children.read)


@pytest.fixture(scope="module")
def whole(children, tmp_path_factory):
    """The config file and the weights of an uninterrupted run, by name and number of steps."""
    place = tmp_path_factory.mktemp("whole")
    found = {}

    def trained(name: str, steps: int) -> tuple[Path, dict[str, np.ndarray]]:
        if (name, steps) not in found:
            config = place / f"{len(found)}.toml"
            config.write_text(CONFIGS[name].format(steps=steps))
            children.begin("whole", config, config.with_suffix(""))
            assert children.end() == 0
            found[name, steps] = config, weights(config.with_suffix(""))
        return found[name, steps]

    return trained


def weights(folder: Path) -> dict[str, np.ndarray]:
    return {
        name: tensor
        for name, tensor in load_file(folder / "checkpoint.safetensors").items()
        if name.startswith("trainer/")
    }


def kill_and_resume(children, whole, folder: Path, at: int, steps: int) -> None:
    config, expected = whole
    pid = children.begin("train", config, folder)
    told = [children.told()]
    while told[-1][0] < at:
        told.append(children.told())
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    assert children.end() == signal.SIGKILL
    told += children.left()

    reader = Reader(folder)
    kept = set(reader.history.snapshot().steps.tolist())
    made = {newest for _, newest, when in told if when <= killed - 1}
    assert made <= kept
    assert reader.problems in ((), ("the last line of log.jsonl is incomplete: it was left out",))

    children.begin("resume", config, folder)
    assert children.end() == 0
    reader = Reader(folder)
    assert (reader.status.state, reader.status.step, reader.problems) == ("finished", steps, ())
    assert reader.history.snapshot().steps[-1] == steps
    assert [e.kind for e in reader.history.snapshot().events] == ["resumed"]
    found = weights(folder)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if i else []) for i, n in enumerate(CONFIGS)],
)
def test_a_killed_run_goes_on_bit_for_bit(children, whole, tmp_path, name):
    at = random.Random(name).randrange(100, 450)
    kill_and_resume(children, whole(name, 500), tmp_path / "run", at, 500)


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(50))
def test_killed_at_fifty_random_moments(children, whole, tmp_path, trial):
    name = list(CONFIGS)[trial % len(CONFIGS)]
    at = random.Random(trial).randrange(1, 1990)
    kill_and_resume(children, whole(name, 2000), tmp_path / "run", at, 2000)
