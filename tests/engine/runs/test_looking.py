"""The restored data and network of a kept run are those of the run, bit for bit."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.runs import checkpoint
from caveats.runs.looking import data_of, network_of
from caveats.runs.manifest import Manifest
from caveats.runs.writer import Writer

CHANGES = {
    "plain": {},
    "batch norm, dropout, prelu": {
        "network.normalization": "batch", "network.dropout": 0.3, "network.activation": "prelu",
        "optimizer.name": "adam",
    },
    "residual, layer norm, lsuv": {
        "network.widths": [16, 16], "network.residual": True, "network.normalization": "layer",
        "network.init": "lsuv",
    },
    "regression": {"data.name": "sine", "training.loss": "mse"},
    "bce, held out, own inits": {
        "training.loss": "bce", "data.validation": 0.3, "training.seed": 4,
        "network.output_activation": "sigmoid", "network.init": ["he", "xavier", "zeros"],
    },
    "standardized target": {
        "data.name": "sine", "data.standardize_target": True, "data.validation": 0.3,
    },
}  # fmt: skip


def kept(folder: Path, **changes: object) -> Run:
    small = {"network.widths": [12, 7], "training.steps": 30}
    tree = {"data": changes.pop("data", {"name": "moons"})}
    run = Run(RunConfig.from_dict(tree).changed({**small, **changes}, "test"))
    writer = Writer(run, folder)
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    return run


@pytest.mark.parametrize("name", CHANGES)
def test_it_answers_as_the_run_does_at_its_checkpoint(tmp_path: Path, name: str) -> None:
    run = kept(tmp_path / "run", **CHANGES[name])
    data = data_of(Manifest.read(tmp_path / "run"))
    np.testing.assert_array_equal(data.x, run.dataset.x)
    np.testing.assert_array_equal(data.y, run.dataset.y)
    before = torch.get_rng_state()
    step, network = network_of(tmp_path / "run", data)
    assert torch.equal(torch.get_rng_state(), before), "another run's random numbers were used"
    assert step == run.step == 30
    rows = torch.tensor(run.dataset.x)
    with torch.no_grad():
        assert torch.equal(network(rows), run.trainer.network.eval()(rows))


def test_no_file_that_a_run_names_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.zeros((80, 2)), y=np.arange(80) % 2)
    kept(tmp_path / "run", **{"data": {"file": str(tmp_path / "own.npz")}})
    (tmp_path / "own.npz").unlink()
    os.mkfifo(tmp_path / "own.npz")  # whoever opened it would wait for ever
    with pytest.raises(ConfigError, match="its data are a file, which is not read"):
        data_of(Manifest.read(tmp_path / "run"))


def test_data_that_come_out_otherwise_are_refused(tmp_path: Path) -> None:
    kept(tmp_path / "run")
    tree = tomllib.loads((tmp_path / "run" / "run.toml").read_text())
    tree["data_crc32"] += 1
    (tmp_path / "run" / "run.toml").write_text(tomli_w.dumps(tree))
    with pytest.raises(ConfigError, match="other moons than are drawn here"):
        data_of(Manifest.read(tmp_path / "run"))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run = kept(tmp_path / "run")
    saved = checkpoint.read(tmp_path / "run")
    name = "trainer/network/0.linear.bias"
    assert name in saved.tensors
    for tensor in (torch.zeros(13), torch.zeros(12, dtype=torch.float64), None):
        tensors = {k: v for k, v in saved.tensors.items() if k != name}
        if tensor is not None:
            tensors[name] = tensor
        other = checkpoint.Checkpoint(
            saved.step, saved.events, saved.config, saved.numbers, tensors
        )
        checkpoint.write(tmp_path / "run", checkpoint.encode(other))
        with pytest.raises(ConfigError, match="does not fit its config: it is of another network"):
            network_of(tmp_path / "run", run.dataset)


def test_a_checkpoint_too_large_to_look_at_is_refused_unread(tmp_path: Path) -> None:
    run = kept(tmp_path / "run")
    with (tmp_path / "run" / "checkpoint.safetensors").open("r+b") as file:
        file.truncate(2**33)  # a hole: no byte of it is on the disk
    with pytest.raises(ConfigError, match=r"8,589,934,\d+ bytes"):
        network_of(tmp_path / "run", run.dataset)
