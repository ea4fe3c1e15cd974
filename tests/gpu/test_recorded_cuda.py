"""Steps recorded as CUDA graphs. Skipped without a GPU."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

CONFIG = RunConfig.from_dict(
    {
        "network": {"widths": [64, 64, 64]},
        "optimizer": {"lr": 0.003},
        "training": {"steps": 10_000, "device": "cuda"},
    }
)
KINDS: dict[str, dict[str, Any]] = {
    **{name: {"optimizer.name": name, "optimizer.lr": 0.003} for name in OPTIMIZERS},
    "clipped": {"optimizer.name": "momentum", "optimizer.clip_norm": 0.3},
    "scheduled": {"optimizer.schedule": "cosine"},
    "batch norm": {"network.normalization": "batch"},
    "mse": {"training.loss": "mse"},
}


def trainer(config: RunConfig, records: bool) -> Trainer:
    data = load(config.data.settings())
    made = Trainer(config.fitted(data.rows), data)
    made._may_record = records
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_steps_make_the_same_numbers(kind: str) -> None:
    config = CONFIG.changed(KINDS[kind])
    plain, recorded = trainer(config, False), trainer(config, True)
    for step in range(1, 201):
        for own in (plain, recorded):
            own.train_step(listened=step % 16 == 0)
    assert recorded.recording == ""
    for a, b in zip(plain.network.parameters(), recorded.network.parameters(), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-5, atol=1e-7)


def test_dropout_is_not_recorded_and_says_why() -> None:
    assert "dropout" in trainer(CONFIG.changed({"network.dropout": 0.1}), True).recording


def speed(own: Trainer, steps: int = 500) -> float:
    for _ in range(50):
        own.train_step()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        own.train_step()
    torch.cuda.synchronize()
    return steps / (time.perf_counter() - began)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "depth", "batch", "ratio"), [(64, 3, 64, 5), (1024, 4, 1024, 3)])
def test_recorded_steps_are_faster(width: int, depth: int, batch: int, ratio: float) -> None:
    config = CONFIG.changed({"network.widths": [width] * depth, "training.batch_size": batch})
    assert speed(trainer(config, True)) >= ratio * speed(trainer(config, False))
