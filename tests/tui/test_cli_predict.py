"""`caveats-tui predict`: the numbers are those of fresh networks, and theory meets them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from caveats.config import RunConfig
from caveats.run import Run
from caveats.theory import predict
from caveats_tui.cli import cli


def call(*args: str) -> Result:
    return CliRunner().invoke(cli, ("predict", *args), prog_name="caveats-tui")


def document(*args: str) -> Any:
    called = call("--json", *args)
    assert (called.exit_code, called.stderr) == (0, "")

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(called.stdout, parse_constant=refuse)


def test_on_digits_the_worst_layer_is_within_015_decades() -> None:
    """The claim of the theory for widths from 100 on, here over the usual 5 seeds."""
    found = document("--set", "network.widths=100-100-100-100")

    assert (found["seeds"], found["rows"]) == (5, 512)
    assert [layer["name"] for layer in found["layers"]][-1] == "output"
    for layer in found["layers"]:
        assert abs(layer["grad_norm"]["log10_error"]) <= 0.15
        assert abs(layer["delta_rms"]["log10_error"]) <= 0.15
        dead = layer["dead_fraction"]
        assert dead["predicted"] is None or abs(dead["predicted"] - dead["measured"]) <= 0.06


def test_measured_are_the_first_records_of_the_seeds_and_predicted_is_on_their_rows() -> None:
    found = document("long_ravine", "--seeds", "3", "--set", "training.seed=77")
    config = RunConfig.from_dict(found["config"])
    runs = [Run(config.changed({"training.seed": seed})) for seed in range(3)]
    first = [run.history.snapshot() for run in runs]
    x, y = runs[0].probe.x.numpy(), runs[0].probe.y.numpy()
    theory = predict(config, x, y, 2)

    assert (config.data.name, config.network.activation) == ("spirals", "tanh")
    norms = np.array([record.layers("grad_norm")[0] for record in first])
    dead = np.array([record.layers("dead")[0] / record.layers("units")[0] for record in first])
    assert theory.grad_norm is not None
    for index, layer in enumerate(found["layers"]):
        assert layer["grad_norm"]["predicted"] == theory.grad_norm[index]
        mean = np.exp(np.log(norms[:, index]).mean())
        assert layer["grad_norm"]["measured"] == pytest.approx(mean, rel=1e-9)
        assert layer["dead_fraction"]["measured"] == pytest.approx(dead[:, index].mean())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["network.normalization=batch"], "normalization"),
        (["network.widths=[]"], "at step 0"),
        (['network.init={name="normal", std=1e30}'], "beyond float range at layer 2"),
        (["network.activation=exp", "network.widths=64-64-64-64"], "beyond float range"),
        (["data.name=sine", "network.activation=tanh"], "units of tanh cannot die"),
    ],
)
def test_the_table_holds_a_sentence_in_80_columns_and_no_warning(
    settings: list[str], words: str
) -> None:
    called = call("--seeds", "2", *(part for s in settings for part in ("--set", s)))

    assert (called.exit_code, called.stderr) == (0, "")
    assert words in " ".join(called.stdout.split())
    assert max(map(len, called.stdout.splitlines())) <= 80


def test_the_table_says_what_the_json_says() -> None:
    small = ("--set", "network.widths=[40]", "--seeds", "2")
    found, lines = document(*small), call(*small).stdout.splitlines()

    for layer in found["layers"]:
        cells = next(line for line in lines if line.startswith(layer["name"]))
        shown = cells.removeprefix(layer["name"]).split()
        for at, quantity in ((0, "grad_norm"), (3, "delta_rms")):
            here = layer[quantity]
            assert float(shown[at]) == pytest.approx(here["predicted"], rel=0.006)
            assert float(shown[at + 1]) == pytest.approx(here["measured"], rel=0.006)
            assert float(shown[at + 2]) == pytest.approx(here["log10_error"], abs=0.0051)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--seeds", "0"], "--seeds"),
        (["--seeds", "many"], "many"),
        (["mass_extintion"], "'mass_extinction'"),
        (["--set", "network.widths=64-0"], "network.widths"),
    ],
)
def test_bad_input_is_one_sentence(args: list[str], said: str) -> None:
    called = call(*args)

    assert (called.exit_code, called.stdout) == (2, "")
    assert said in called.stderr
    assert called.stderr.count("\n") == 1
