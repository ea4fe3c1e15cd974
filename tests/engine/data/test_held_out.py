"""Rows held out for validation, and standardized targets: chosen by the seed, never trained on, and
scaled by the training rows alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.errors import ConfigError
from caveats.results import result
from caveats.run import Run
from caveats.runs.resuming import resume
from caveats.runs.tables import to_csv
from caveats.runs.writer import Writer
from caveats.training.objective import Objective
from caveats.training.trainer import Trainer

MOONS: dict[str, Any] = {"name": "moons", "n": 210}


def rows(x: np.ndarray[Any, Any]) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_the_rows_held_out_and_the_others_are_all_rows() -> None:
    raw = {**MOONS, "standardize": False}
    whole, split = load(raw), load({**raw, "validation": 0.2}, seed=3)
    assert split.held_out is not None
    assert (split.rows, len(split.held_out[0])) == (168, 42)
    assert rows(split.x) | rows(split.held_out[0]) == rows(whole.x)
    assert not rows(split.x) & rows(split.held_out[0])
    kept = np.isin([r.tobytes() for r in whole.x], list(rows(split.x)))
    np.testing.assert_array_equal(split.x, whole.x[kept])  # in their order
    np.testing.assert_array_equal(split.y, whole.y[kept])


def test_the_seed_chooses_them() -> None:
    settings = {**MOONS, "standardize": False, "validation": 0.2}
    one, again, other = (load(settings, seed) for seed in (1, 1, 2))
    assert one.held_out is not None
    assert other.held_out is not None
    np.testing.assert_array_equal(one.x, again.x)
    assert rows(one.held_out[0]) != rows(other.held_out[0])
    assert one.crc32 == again.crc32 != other.crc32


@pytest.mark.parametrize(
    ("counts", "share", "apart"),
    [
        ((100, 50, 10), 0.2, (20, 10, 2)),
        ((3, 3, 3), 0.2, (1, 1, 0)),
        ((97, 2, 1), 0.5, (49, 1, 0)),
        ((2, 2), 0.2, (1, 0)),
    ],
)
def test_each_class_gives_its_share_and_keeps_a_row(
    tmp_path: Path, counts: tuple[int, ...], share: float, apart: tuple[int, ...]
) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    np.savez(tmp_path / "a.npz", x=np.arange(2.0 * len(y)).reshape(-1, 2), y=y)
    file = {"file": str(tmp_path / "a.npz"), "task": "classification", "validation": share}
    data = load(file)
    assert data.held_out is not None
    found = np.bincount(data.held_out[1], minlength=len(counts))
    assert tuple(sorted(found)) == tuple(sorted(apart))
    assert (np.bincount(data.y, minlength=len(counts)) > 0).all()
    told = " ".join(f"{count}" for count in counts)
    assert f"{len(counts)} classes, {told}" in data.target_told  # of all rows
    assert f"{sum(apart)} of {sum(counts)} rows held out for validation" in data.target_told


def test_inputs_are_standardized_by_the_training_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([1e6, 3, 0], [10, 1e-4, 1], size=(50, 3))
    x[:, 2] = 7
    np.savez(tmp_path / "a.npz", x=x, y=rng.normal(size=50))
    raw = load({"file": str(tmp_path / "a.npz"), "standardize": False, "validation": 0.3}, 5)
    data = load({"file": str(tmp_path / "a.npz"), "validation": 0.3}, 5)
    assert raw.held_out is not None
    assert data.held_out is not None
    train, other = raw.x.astype(float), raw.held_out[0].astype(float)
    std = np.where(train.std(0) > 0, train.std(0), np.inf)
    assert data.x == pytest.approx((train - train.mean(0)) / std, abs=0.02)  # float32 of 1e6
    assert data.held_out[0] == pytest.approx((other - train.mean(0)) / std, abs=0.02)
    assert data.x.mean(0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert data.x.std(0) == pytest.approx([1, 1, 0], abs=1e-6)


def test_pixels_keep_their_one_scale() -> None:
    data = load({"name": "digits", "validation": 0.25})
    assert data.x.mean() == pytest.approx(0, abs=1e-5)
    assert data.x.std() == pytest.approx(1, abs=1e-5)
    assert data.x.std(0).min() < 0.1 < 1 < data.x.std(0).max()


def test_targets_are_standardized_by_the_training_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal([424_000, -2], [151_000, 0.1], size=(60, 2))
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(60, 3)), y=y)
    settings = {"file": str(tmp_path / "a.npz"), "validation": 0.25}
    raw, data = load(settings), load({**settings, "standardize_target": True})
    assert raw.held_out is not None
    assert data.held_out is not None
    mean, std = raw.y.astype(float).mean(0), raw.y.astype(float).std(0)
    assert data.y == pytest.approx((raw.y - mean) / std, abs=1e-4)
    assert data.held_out[1] == pytest.approx((raw.held_out[1] - mean) / std, abs=1e-4)
    assert data.y.mean(0) == pytest.approx([0, 0], abs=1e-5)
    assert data.y.std(0) == pytest.approx([1, 1], abs=1e-5)
    assert data.raw_y[: len(data.y)] == pytest.approx(raw.y, rel=1e-5)
    assert "standardized" in data.target_told
    assert data.target_told.split(",")[:2] == raw.target_told.split(",")[:2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**MOONS, "n": 2, "validation": 0.9}, "of the 2 rows of moons holds out"),
        ({**MOONS, "standardize_target": True}, "needs a target of numbers"),
    ],
)
def test_what_cannot_be_is_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(settings)


def config(**changes: Any) -> RunConfig:
    base = {"data": MOONS, "network": {"widths": [8]}, "training": {"batch_size": 16, "steps": 40}}
    return RunConfig.from_dict(base).changed({"data.validation": 0.3, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"network.normalization": "batch", "network.dropout": 0.4},
        {"data.name": "sine", "data.n": 300, "training.loss": "huber"},
    ],
    ids=str,
)
def test_the_loss_on_them_is_theirs_and_leaves_the_training_alone(changes: dict[str, Any]) -> None:
    run = Run(config(**changes), every=1)
    bare = Trainer(run.config, load(run.config.data.settings(), run.config.training.seed))
    while not run.finished:
        run.advance()
        bare.train_step()
    for own, other in zip(run.trainer.network.parameters(), bare.network.parameters(), strict=True):
        assert torch.equal(own, other)
    assert bare.dataset.held_out is not None
    x, y = (torch.tensor(array) for array in bare.dataset.held_out)
    network = bare.network
    for module in network.modules():  # the batch's statistics, no dropout: as on the probe set
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    output = network(x)
    last = run.history.snapshot()
    objective = Objective(run.config.training.loss, run.dataset.classes)
    assert last.scalar("validation_loss")[-1] == pytest.approx(objective(output, y).item())
    if run.dataset.classes is None:
        assert np.isnan(last.scalar("validation_accuracy")).all()
    else:
        expected = (output.argmax(1) == y).double().mean().item()
        assert last.scalar("validation_accuracy")[-1] == expected
    assert np.isfinite(last.scalar("validation_loss")).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"network.normalization": "batch", "training.loss": "bce", "training.epochs": 5},
        {"data.name": "sine", "data.standardize_target": True, "training.loss": "l1"},
    ],
    ids=str,
)
def test_a_kept_run_goes_on_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = Run(config(**changes), every=3)
    while not whole.finished:
        whole.advance()
    begun = Run(config(**changes), every=3)
    writer = Writer(begun, tmp_path / "run")
    for _ in range(13):
        begun.advance()
    writer.tell("stopped")
    writer.close()
    assert writer.join()
    run, again = resume(tmp_path / "run", 3)
    while not run.finished:
        run.advance()
    again.close()
    assert again.join()
    for own, other in zip(
        run.trainer.network.parameters(), whole.trainer.network.parameters(), strict=True
    ):
        assert torch.equal(own, other)
    for name in ("loss", "validation_loss", "validation_accuracy", "r2", "rmse"):
        measured = [r.history.snapshot().scalar(name) for r in (run, whole)]
        assert measured[0] == pytest.approx(measured[1], rel=1e-7, nan_ok=True)  # nine digits kept
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert all('"validation_loss":' in line for line in lines if '"step":' in line[:8])
    to_csv(tmp_path / "run", tmp_path / "run.csv")
    with (tmp_path / "run.csv").open() as file:
        cells = list(csv.DictReader(file))
    kept = float(cells[-1]["validation_loss"])
    assert kept == pytest.approx(whole.history.snapshot().scalar("validation_loss")[-1], rel=1e-7)
    final = result(run)["final"]
    assert final["validation_loss"] == run.history.snapshot().scalar("validation_loss")[-1]
    assert (final["r2"] is None) == (final["accuracy"] is not None)
    assert (final["validation_accuracy"] is None) == (final["accuracy"] is None)


def test_without_them_there_is_no_such_number() -> None:
    run = Run(config(**{"data.validation": 0.0}))
    assert np.isnan(run.history.snapshot().scalar("validation_loss")).all()


@pytest.mark.parametrize(
    ("rows_", "batch", "epochs", "steps"), [(210, 16, 3, 40), (210, 0, 7, 7), (210, 100, 1, 3)]
)
def test_epochs_are_steps_once_the_rows_are_known(
    rows_: int, batch: int, epochs: int, steps: int
) -> None:
    asked = config(
        **{"data.validation": 0.0, "training.epochs": epochs, "training.batch_size": batch}
    )
    assert "steps" not in asked.to_dict()["training"]
    run = Run(asked)
    assert run.dataset.rows == rows_
    assert run.config.training.steps == steps  # rounded up
    assert RunConfig.from_dict(run.config.to_dict()) == run.config
    while not run.finished:
        run.advance()
    assert run.step == steps


def test_epochs_may_change_while_a_run_goes_on() -> None:
    run = Run(config(**{"training.epochs": 2}))
    run.advance()
    run.change(config(**{"training.epochs": 4}))
    assert run.config.training.steps == 37  # 4 · 147 rows in batches of 16
    assert run.observer.planned == 37


def test_steps_and_epochs_together_are_refused_and_replace_each_other() -> None:
    with pytest.raises(ConfigError, match="both say how long the run is"):
        RunConfig.from_dict({"training": {"steps": 5, "epochs": 2}})
    both = {"training.steps": 5, "training.epochs": 2}
    with pytest.raises(ConfigError, match=r"--set: training.steps = 5 and training.epochs = 2"):
        RunConfig().changed(both, "--set")
    epochs = RunConfig().changed({"training.epochs": 2})
    assert epochs.training.epochs == 2
    assert epochs.changed({"training.steps": 5}) == RunConfig().changed({"training.steps": 5})
    assert epochs.changed({"training.epochs": 0}) == RunConfig()


def test_of_many_rows_held_out_the_same_256_are_measured() -> None:
    run = Run(config(**{"data.name": "moons", "data.n": 2000}))
    assert run.dataset.held_out is not None
    assert len(run.dataset.held_out[0]) == 600
    own, again = (Run(run.config, run.dataset)._held_out() for _ in range(2))
    assert own is not None
    assert again is not None
    assert len(own.x) == 256
    assert torch.equal(own.x, again.x)
    assert rows(own.x.numpy()) < rows(run.dataset.held_out[0])
