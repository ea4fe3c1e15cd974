"""The lab's networks and optimizers: the observed facts are those that the config declares, and a
traced pass measures the same bits as one watched by hooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.config.declared import declared_layers, declared_optimizer
from caveats.measuring import probe as probe_module
from caveats.measuring.optimizing import optimizer_facts
from caveats.models.activations import ACTIVATIONS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.run import Run
from caveats.training.optimizers import OPTIMIZERS


def run_of(**network: object) -> Run:
    tree = {
        "data": {"name": "moons", "n": 60},
        "network": {"widths": [6, 6, 5], **network},
        "training": {"batch_size": 20, "steps": 5, "device": "cpu"},
    }
    return Run(RunConfig.from_dict(tree), every=10**9)


CASES = [
    *({"activation": name} for name in ACTIVATIONS),
    *({"normalization": name, "dropout": 0.1} for name in NORMALIZATIONS),
    *({"normalization": name, "activation": "identity"} for name in NORMALIZATIONS),
    {"residual": True, "dropout": 0.25},
    {"residual": True, "activation": "identity", "normalization": "layer"},
    {"activation": ["relu", "tanh", "sin"], "residual": True},
    {"widths": []},
]


@pytest.mark.parametrize("network", CASES, ids=str)
def test_layers_are_observed_as_they_are_declared(network: dict[str, object]) -> None:
    run = run_of(**network)
    data = run.dataset
    assert run.probe.anatomy.layers == declared_layers(run.config, data.features, data.outputs)
    assert run.probe.anatomy.unobserved == ()


@pytest.mark.parametrize("network", CASES, ids=str)
def test_a_traced_pass_measures_what_hooks_measure(
    network: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(**network)
    hooked = run.probe.measure(deep=True)
    look = run.probe._looked()
    assert look.hooks_suffice
    monkeypatch.setattr(run.probe, "_look", replace(look, hooks_suffice=False))
    monkeypatch.setattr(probe_module, "look", None)  # no new look
    traced = run.probe.measure(deep=True)
    np.testing.assert_equal(traced.loss, hooked.loss)
    for name, column in hooked.layers.items():
        np.testing.assert_array_equal(traced.layers[name], column, err_msg=name)
    assert all(map(np.array_equal, traced.states, hooked.states))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_are_observed_as_they_are_declared(name: str) -> None:
    run = run_of()
    config = run.config.changed({"optimizer.name": name, "optimizer.lr": 0.02})
    seen = optimizer_facts(Run(config, run.dataset, every=10**9).trainer.optimizer)
    told = declared_optimizer(config)
    assert (seen.kind, seen.lr, seen.adaptive) == (told.kind, told.lr, told.adaptive)
    assert seen.momentum == told.momentum or name == "muon"
