"""The changes that verdicts propose, and how each depends on the config."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from caveats.config import RunConfig
from caveats.remedies import changes, customary
from caveats.remedies.ranking import SINGLES
from caveats.run import Run
from caveats.verdicts import CAVEATS
from caveats.verdicts.catalogue import ONLY_WATCHED


def config(**settings: Any) -> RunConfig:
    return RunConfig().changed({key.replace("__", "."): v for key, v in settings.items()})


# (2 + 2β) over (1 + 2β) for Nesterov's, with β = 0.9: curvature times learning rate at the limit.
LIMIT = {"sgd": 2.0, "momentum": 3.8, "nesterov": 3.8 / 2.8}


@pytest.mark.parametrize("optimizer", LIMIT)
@pytest.mark.parametrize("widths", [[32], [64, 64, 64], [128] * 6])
def test_the_step_that_squared_errors_bear_is_stable_at_a_matched_start(
    widths: list[int], optimizer: str
) -> None:
    """The curvature of squared errors at the start: the largest eigenvalue of the tangent kernel,
    2/n·JJᵀ, by torch's own Jacobian."""
    chosen = config(
        data__name="sine", network__widths=widths, data__n=64, optimizer__name=optimizer
    )
    run = Run(chosen)
    network, x = run.trainer.network, run.probe.x
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def outputs(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(network, weights, (x,))[:, 0]  # (rows,)

    jacobian = torch.func.jacrev(outputs)(parameters)
    rows = torch.cat([j.reshape(len(x), -1) for j in jacobian.values()], 1)  # (rows, parameters)
    sharpness = float(torch.linalg.eigvalsh(2 / len(x) * rows @ rows.T)[-1])
    limit = LIMIT[optimizer] / sharpness
    assert customary.bearable_lr(chosen) < limit
    assert customary.bearable_lr(chosen) > 0.02 * limit  # and not for want of moving


def test_classes_adaptive_steps_and_normalized_layers_are_not_bounded() -> None:
    assert customary.bearable_lr(config()) == math.inf
    assert customary.bearable_lr(config(data__name="sine", optimizer__name="adam")) == math.inf
    assert (
        customary.bearable_lr(config(data__name="sine", network__normalization="layer")) == math.inf
    )
    assert customary.bearable_lr(config(training__loss="mse")) < 1


def test_a_swap_brings_the_initialiser_and_the_step_that_go_with_it() -> None:
    before = config(
        data__name="abs", network__activation="sigmoid", network__init="xavier_normal",
        network__widths=[100] * 8,
    )  # fmt: skip
    remedy = changes.activation(before, "relu", "why")
    assert remedy is not None
    assert remedy.change["network.init"] == "he_normal"
    assert remedy.change["optimizer.lr"] == pytest.approx(customary.bearable_lr(before), rel=0.05)
    few = changes.activation(before.changed({"network.widths": [100, 100]}), "relu", "why")
    assert few is not None
    assert "network.init" not in few.change  # a factor of √½ twice is no harm


def test_only_layers_of_few_units_are_made_wider() -> None:
    remedy = changes.wider(config(network__widths=[64, 3, 64]))
    assert remedy is not None
    assert remedy.change == {"network.widths": [64, 16, 64]}
    assert changes.wider(config(network__widths=[8, 64])) is None
    assert changes.wider(config(network__widths=[])) is None


@pytest.mark.parametrize("data", ["abs", "xor"])
def test_centred_units_of_a_few_layers_start_able_to_see_what_is_even(data: str) -> None:
    """f(x) + f(-x) is 0 for every x in a tanh network without biases, so its first gradient has
    nothing of an even target."""
    before = config(
        data__name=data, network__activation="sigmoid", network__init="xavier_normal",
        network__widths=[32, 32],
    )  # fmt: skip

    def even_part(chosen: RunConfig) -> float:
        run = Run(chosen)
        network, x = run.trainer.network, run.probe.x
        with torch.no_grad():
            both = network(x) + network(-x)
            return float((both - both.mean(0)).abs().max())

    remedy = changes.centred(before)
    assert remedy is not None
    assert remedy.change["network.activation"] == "tanh"
    assert even_part(before.changed(remedy.change)) > 1e-2
    plain = {**remedy.change, "network.init": "xavier_normal"}
    assert even_part(before.changed(plain)) < 1e-5


def test_an_overhaul_leaves_what_is_sound() -> None:
    sound = config(network__widths=[64, 64], optimizer__name="adam", optimizer__lr=0.01)
    assert changes.overhaul(sound) is None
    deep = config(
        network__widths=[4] * 12, network__activation="sigmoid", network__init="zeros",
        network__bias=-3.0, optimizer__name="sgd", optimizer__lr=5.0, data__standardize=False,
    )  # fmt: skip
    remedy = changes.overhaul(deep)
    assert remedy is not None
    after = deep.changed(remedy.change)
    assert after.network.widths == (16,) * 12
    assert set(after.network.activations) == {"relu"}
    assert after.network.init.name == "he_normal"
    assert (after.network.bias, after.network.normalization, after.network.residual) == (
        0.0, "layer", True,
    )  # fmt: skip
    assert (after.optimizer.name, after.optimizer.lr) == ("adam", 0.003)
    assert after.data.standardize
    assert changes.overhaul(after) is None


def test_every_caveat_has_its_ranking() -> None:
    assert SINGLES.keys() == CAVEATS.keys() - ONLY_WATCHED
