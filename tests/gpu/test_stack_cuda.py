"""Stacks on a GPU. Skipped without one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.stacks import Stack, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

CONFIG = RunConfig.from_dict(
    {
        "network": {"widths": [16, 16]},
        "optimizer": {"lr": 0.05},
        "training": {"steps": 60, "device": "cuda"},
    }
)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_a_member_on_the_gpu_is_its_single_run(name: str) -> None:
    configs = [
        CONFIG.changed({"optimizer.name": name, "optimizer.lr": 0.003, "training.seed": seed})
        for seed in (0, 1)
    ]
    stack = Stack(configs)
    run = Run(configs[1])
    first = dict(run.trainer.network.named_parameters())
    for key, tensor in stack.network.member(1, configs[1].network).named_parameters():
        assert torch.equal(tensor, first[key])
    while not stack.finished:
        stack.advance()
    while not run.finished:
        run.advance()
    alone, member = run.history.snapshot(), stack.histories[1].snapshot()
    assert member.steps.tolist() == alone.steps.tolist()
    np.testing.assert_allclose(member.scalar("loss"), alone.scalar("loss"), rtol=1e-4)


def test_a_member_that_diverges_on_the_gpu_stops_alone() -> None:
    configs = [CONFIG.changed({"optimizer.lr": lr}) for lr in (0.05, 1e30)]
    found = {trained.index: trained for trained in train(configs)}
    assert found[0].divergence is None
    assert found[1].divergence is not None
