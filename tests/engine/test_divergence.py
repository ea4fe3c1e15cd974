"""A run that diverges stops, keeps its records, and names the first number that overflowed; the
overflows are made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.measuring.divergence import Divergence
from caveats.models.mlp import linears
from caveats.run import Run

LARGE = 1e38  # of the largest float32, 3.4e38


def run_of(activation: str = "relu", **changes: object) -> Run:
    tree = {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [4, 4, 4], "activation": activation},
        "training": {"batch_size": 20, "steps": 50},
    }
    run = Run(RunConfig.from_dict(tree).changed(changes), every=10**9)
    for _ in range(3):
        run.advance()
    return run


def break_and_advance(run: Run) -> Divergence:
    run.advance()
    assert run.finished
    assert run.divergence is not None
    return run.divergence


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_pre_activations_that_overflow_are_named_by_their_layer(layer: int, dropout: float) -> None:
    run = run_of("leaky_relu", **{"network.dropout": dropout})
    with torch.no_grad():
        # The bias lets each product overflow whatever the sign of the inputs and the mask.
        linears(run.trainer.network)[layer].weight.fill_(LARGE)
        linears(run.trainer.network)[layer].bias.fill_(LARGE * 3)
    name = ("layer 1", "layer 2", "layer 3", "output")[layer]
    assert break_and_advance(run) == Divergence(3, f"pre-activations of {name}")


def test_activations_that_overflow_are_named() -> None:
    run = run_of("exp", **{"network.init": "normal"})
    with torch.no_grad():
        linears(run.trainer.network)[1].bias.fill_(100.0)  # e^100 is finite as float64 alone
    assert break_and_advance(run) == Divergence(3, "activations of layer 2")


def test_a_loss_that_overflows_is_named() -> None:
    run = run_of(**{"training.loss": "mse"})
    with torch.no_grad():
        linears(run.trainer.network)[3].bias.fill_(1e30)  # finite, its square is not
    assert break_and_advance(run) == Divergence(3, "the loss")


@pytest.mark.parametrize("layer", [0, 2])
def test_weights_that_an_update_broke_are_named_last_layer_first(layer: int) -> None:
    run = run_of()
    with torch.no_grad():
        for linear in linears(run.trainer.network)[: layer + 1]:
            linear.weight[0, 0] = math.nan
    assert break_and_advance(run) == Divergence(3, f"weights of layer {layer + 1}")


def test_an_update_that_overflows_is_found_at_the_next_step() -> None:
    """One output unit gets a gradient whose step is beyond float32; nothing else overflows."""
    run = run_of(**{"training.loss": "mse"})
    before = linears(run.trainer.network)[0].weight.detach().clone()
    run.change(run.config.changed({"optimizer.lr": 1e38}))
    with torch.no_grad():
        linears(run.trainer.network)[3].bias.fill_(1e3)
        linears(run.trainer.network)[3].weight.zero_()  # no gradient below
    run.advance()
    assert run.divergence is None
    assert break_and_advance(run) == Divergence(4, "weights of output")
    torch.testing.assert_close(linears(run.trainer.network)[0].weight.detach(), before)


def test_a_diverged_run_keeps_its_history_and_leaves_an_event() -> None:
    run = run_of()
    kept = len(run.history)
    with torch.no_grad():
        linears(run.trainer.network)[0].weight.fill_(math.inf)
    break_and_advance(run)
    snapshot = run.history.snapshot()
    assert len(snapshot) == kept + 1
    assert snapshot.steps.tolist() == [0, 3]
    assert np.isfinite(snapshot.scalar("loss")[0])
    assert not np.isfinite(snapshot.scalar("loss")[-1])
    assert np.isfinite(snapshot.scalar("batch_loss")[-1])  # of the steps that were made
    (event,) = snapshot.events
    assert (event.step, event.kind, event.text) == (3, "diverged", "weights of layer 1")


def test_what_the_probe_rows_alone_find_is_named_too() -> None:
    """Minibatches of few rows may miss the row on which a network breaks."""
    run = run_of()
    far = run.probe.x[:, 0].argmax()
    with torch.no_grad():
        run.probe.x[far] = 1e38
        linears(run.trainer.network)[0].weight.fill_(100.0)
    run.record()
    assert run.divergence == Divergence(3, "pre-activations of layer 1")


def test_a_learning_rate_far_too_large_diverges_by_itself() -> None:
    config = RunConfig.from_dict(
        {
            "network": {"widths": [64] * 10, "init": {"name": "normal", "std": 0.25}},
            "optimizer": {"lr": 1e3},
            "training": {"loss": "mse"},
        }
    )
    run = Run(config)
    while not run.finished:
        run.advance()
    assert run.divergence is not None
    assert run.step < 20
    # Its weights are finite: they are those on which the next step broke.
    assert all(p.isfinite().all() for p in run.trainer.network.parameters()) == (
        "weights" not in run.divergence.where
    )
