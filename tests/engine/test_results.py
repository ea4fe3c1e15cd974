"""The JSON document of a run, compared with the network itself; it is strict JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.documents import finite, nonfinite
from caveats.experiments import find
from caveats.results import LAYER_KEYS, result
from caveats.run import Run, probe_rows
from caveats.verdicts import judge

OVERFLOWING = {"optimizer.lr": 1e6, "training.steps": 50}


def finished(every: int | None = None, **changes: Any) -> Run:
    config = RunConfig().changed({key.replace("__", "."): v for key, v in changes.items()})
    run = Run(config, every=every)
    while not run.finished:
        run.advance()
    return run


def at(document: dict[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


@pytest.fixture(scope="module")
def trained() -> Run:
    return finished(network__widths=[24, 12], training__steps=60, training__seed=3)


@pytest.fixture(scope="module")
def diverged() -> Run:
    return finished(**OVERFLOWING)


def test_every_number_of_the_last_record_is_the_networks_own(trained: Run) -> None:
    final = result(trained)["final"]
    network, rows = trained.trainer.network, probe_rows(len(trained.dataset.x))
    x, y = (torch.from_numpy(a[rows]) for a in (trained.dataset.x, trained.dataset.y))
    network.eval()
    linears = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    seen: list[torch.Tensor] = []
    hooks = [m.register_forward_hook(lambda _m, _i, z: seen.append(z)) for m in linears]
    output = network(x)
    for hook in hooks:
        hook.remove()
    loss = torch.nn.functional.cross_entropy(output, y)
    grads = torch.autograd.grad(loss, [m.weight for m in linears])

    assert final["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert final["accuracy"] == np.mean(output.detach().numpy().argmax(1) == y.numpy())
    assert [layer["name"] for layer in final["layers"]] == ["layer 1", "layer 2", "output"]
    assert [layer["units"] for layer in final["layers"]] == [24, 12, 10]
    for layer, linear, grad, z in zip(final["layers"], linears, grads, seen, strict=True):
        assert layer["weight_norm"] == pytest.approx(linear.weight.norm().item(), rel=1e-5)
        assert layer["grad_norm"] == pytest.approx(grad.norm().item(), rel=1e-4)
        if layer["name"] != "output":
            assert layer["dead"] == int((z <= 0).all(0).sum())


def test_counts_are_whole_numbers_and_the_config_reads_back_as_the_same(trained: Run) -> None:
    document = json.loads(json.dumps(result(trained), allow_nan=False))

    assert RunConfig.from_dict(document["config"]) == trained.config
    for layer in document["final"]["layers"]:
        assert tuple(layer) == ("name", *LAYER_KEYS)
        counts = ("units", "dead", "born_dead", "dormant", "saturated", "distinct")
        assert all(type(layer[key]) is int for key in counts)
    assert document["steps"] == 60
    assert document["steps_per_second"] == document["steps"] / document["seconds"]
    assert document["run"] is None
    assert document["diverged"] is None
    assert document["nonfinite"] == []


def test_a_run_that_overflows_says_where_and_names_each_number_that_is_lost(diverged: Run) -> None:
    document = result(diverged)

    json.dumps(document, allow_nan=False)
    assert diverged.divergence is not None
    where = diverged.divergence.where
    assert document["diverged"] == {"step": document["steps"], "where": where}
    assert document["steps"] < 50
    lost = {
        f"final.layers.{index}.{key}"
        for index, layer in enumerate(document["final"]["layers"])
        for key in LAYER_KEYS
        if layer[key] is None
    }
    assert lost
    assert document["final"]["loss"] is None
    # Verdicts are judged on the same record, so their evidence may be lost with it.
    named = {path for path in document["nonfinite"] if not path.startswith("verdicts.")}
    assert named == lost | {"final.loss"}
    assert all(at(document, path) is None for path in document["nonfinite"])


def test_an_update_that_nobody_measured_is_null_but_not_called_lost() -> None:
    # A line fitted with steps 10^5 too large: its squared error overflows, its weights do not yet.
    line = {"network.widths": [], "data.name": "sine", "optimizer.lr": 1e5, "training.steps": 50}
    unseen, seen = (result(finished(every, **line)) for every in (1000, 1))

    for document in (unseen, seen):
        assert "final.loss" in document["nonfinite"]
        assert math.isfinite(document["final"]["layers"][0]["weight_norm"])
        assert "final.layers.0.update_ratio" not in document["nonfinite"]
    assert unseen["final"]["layers"][0]["update_ratio"] is None
    assert seen["final"]["layers"][0]["update_ratio"] > 1


def test_a_run_that_cannot_take_a_step_has_no_update_and_no_speed() -> None:
    document = result(finished(data__name="sine", network__bias=1e30))

    json.dumps(document, allow_nan=False)
    assert document["diverged"] == {"step": 0, "where": "the loss"}
    assert document["steps_per_second"] == 0
    assert "final.loss" in document["nonfinite"]
    for index, layer in enumerate(document["final"]["layers"]):
        assert layer["update_ratio"] is None
        assert f"final.layers.{index}.update_ratio" not in document["nonfinite"]


def test_the_first_update_of_weights_that_were_zero_is_an_infinite_ratio() -> None:
    document = result(
        finished(network__init="zeros", network__activation="tanh_plus_one", training__steps=1)
    )

    assert document["final"]["layers"][-1]["weight_norm"] > 0
    assert document["final"]["layers"][-1]["update_ratio"] is None
    assert "final.layers.3.update_ratio" in document["nonfinite"]


def test_a_regression_has_no_accuracy_which_is_no_lost_number() -> None:
    document = result(finished(data__name="sine", training__steps=5))

    assert document["final"]["accuracy"] is None
    assert "final.accuracy" not in document["nonfinite"]


def test_a_run_without_hidden_layers_is_one_output_layer() -> None:
    layers = result(finished(network__widths=[], training__steps=5))["final"]["layers"]

    assert [layer["name"] for layer in layers] == ["output"]


def test_verdicts_are_those_of_the_history() -> None:
    run = finished(optimizer__name="adam", optimizer__lr=0.3, training__steps=200)
    found, expected = result(run)["verdicts"], judge(run.history)

    assert [v["caveat"] for v in found] == [v.caveat for v in expected]
    dying = next(v for v in found if v["caveat"] == "dying_relu")
    assert dying["severity"] == "critical"
    assert dying["layers"] == ["layer 1", "layer 2", "layer 3"]
    for remedy in dying["next"]:
        run.config.changed(remedy["change"])  # raises where it is no change of a config
        assert remedy["reason"]


def test_paths_lead_to_every_number_that_is_not_finite_and_to_no_other() -> None:
    tree = {"a": [1.0, math.inf, {"b": math.nan}], "c": None, "d": {"e": -math.inf, "f": "nan"}}

    assert list(nonfinite(tree)) == ["a.1", "a.2.b", "d.e"]
    assert finite(tree) == {"a": [1.0, None, {"b": None}], "c": None, "d": {"e": None, "f": "nan"}}


def test_an_experiments_own_cure_is_the_first_remedy_listed() -> None:
    """`--fix` and the lab try it first."""
    chosen = find("past_the_cliff")
    run = Run(chosen.config)
    while not run.finished:
        run.advance()
    [listed] = [v for v in result(run)["verdicts"] if v["caveat"] == chosen.caveat]
    assert listed["next"][0]["change"] == dict(chosen.cure)


def test_both_yardsticks_stand_in_the_document() -> None:
    """Moons are two even classes that kernel regression tells apart almost always."""
    config = RunConfig().changed({"data.name": "moons", "data.n": 200, "training.steps": 1})
    run = Run(config)
    run.advance()
    told = result(run)["yardsticks"]
    assert told["constant"]["loss"] == pytest.approx(math.log(2), rel=1e-6)
    assert told["constant"]["accuracy"] == 0.5
    assert told["reachable"]["loss"] == run.reach.loss < 0.1
    assert told["reachable"]["accuracy"] > 0.95
    numbers = Run(config.changed({"data.name": "sine"}))
    numbers.advance()
    assert result(numbers)["yardsticks"]["constant"]["accuracy"] is None
