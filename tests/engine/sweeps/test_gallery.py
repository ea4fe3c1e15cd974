"""The gallery of atlases, and what is new in an outcome and in theory's borders."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from caveats.config import RunConfig
from caveats.data import load
from caveats.experiments import experiments
from caveats.models.mlp import build
from caveats.sweeps import Plan, parse_axis
from caveats.sweeps.borders import borders
from caveats.sweeps.gallery import ORDER, atlas_of, atlases
from caveats.sweeps.outcomes import NUMBERS, Outcome
from caveats.sweeps.work import outcomes_of

VIEWS = {"verdict", *NUMBERS}


def plan(base: RunConfig, *axes: str, seeds: int = 1) -> Plan:
    return Plan.of(base, [parse_axis(text, base) for text in axes], seeds)


@pytest.mark.parametrize("name", ORDER)
def test_every_atlas_has_two_axes_a_view_and_only_configs_that_are_accepted(name: str) -> None:
    atlas = atlases()[name]
    assert name not in experiments()  # one name means one thing on the command line
    assert len(atlas.plan.axes) == 2
    assert atlas.view in VIEWS
    for cell in atlas.plan.cells:
        if len(cell.place) == 2 or cell.place[2] == 0:
            atlas.plan.config(cell)
    assert atlas_of(Plan.of(atlas.plan.base, atlas.plan.axes, atlas.plan.seeds)) is atlas
    # Three lines of 80 columns hold it, and it ends as a sentence.
    assert len(atlas.sentence) <= 230
    assert atlas.sentence.endswith(".")
    assert atlas.lesson.endswith(".")


def test_a_plan_of_one_s_own_is_no_atlas_of_the_gallery() -> None:
    known = atlases()["order_and_chaos"].plan
    assert atlas_of(Plan.of(known.base, known.axes, 2)) is None


def test_born_dead_is_a_network_whose_output_is_constant() -> None:
    base = atlases()["born_dead_probability"].plan.base
    made = plan(base, "network.width=1,2,3", "network.depth=4,9", seeds=6)
    found, _ = outcomes_of(made, made.cells)
    x = torch.tensor([[1.0], [-1.0], [0.5]])
    shares = []
    for cell in made.cells:
        config = made.config(cell)
        output = build(config.network, 1, 1, config.training.seed)(x)
        assert found[cell.index].born_dead == float((output == output[0]).all())
        shares.append(found[cell.index].born_dead)
    assert 0 < sum(shares) < len(shares)


def test_an_outcome_of_an_older_sweep_is_read() -> None:
    document = Outcome(loss=1.0, failed=1.0, born_dead=0.0).document()
    for name in ("failed", "born_dead"):
        del document[name]
    assert math.isnan(Outcome.of(document).failed)


def test_the_border_over_rates_is_two_over_the_largest_eigenvalue_of_the_first_hessian() -> None:
    base = RunConfig.from_dict(
        {
            "data": {"name": "moons", "n": 60},
            "network": {"widths": [3], "activation": "tanh", "init": "xavier_normal"},
            "training": {"batch_size": 20, "steps": 2, "device": "cpu"},
        }
    )
    made = plan(base, "optimizer.lr=0.1..10@25log", "network.width=2,3,4")
    rates = made.axes[0].values
    found = borders(made)
    assert set(found.values()) == {"rate"}
    data = load(base.data.settings())
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    for up, width in enumerate((2, 3, 4)):
        config = base.changed({"network.widths": [width]})
        network = build(config.network, 2, 2, 0)

        def loss(vector: torch.Tensor, network: torch.nn.Module = network) -> torch.Tensor:
            named, at = {}, 0
            for name, p in network.named_parameters():
                named[name] = vector[at : at + p.numel()].view_as(p)
                at += p.numel()
            output = torch.func.functional_call(network, named, (x,))
            return torch.nn.functional.cross_entropy(output, y)

        start = parameters_to_vector(network.parameters()).detach()
        vector_to_parameters(start, network.parameters())
        hessian = torch.autograd.functional.hessian(loss, start)
        limit = 2 / float(torch.linalg.eigvalsh(hessian)[-1])
        across = [at for at in range(len(rates) - 1) if rates[at] < limit <= rates[at + 1]]
        assert [found.get((at, up)) for at in across] == ["rate"]


def test_no_border_over_rates_of_adam() -> None:
    base = RunConfig.from_dict({"optimizer": {"name": "adam"}})
    assert borders(plan(base, "optimizer.lr=1e-3..1@4log", "network.depth=1,2")) == {}
