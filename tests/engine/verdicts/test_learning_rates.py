"""What is customary, held against networks that are trained."""

from __future__ import annotations

from typing import Any

import pytest
from histories import facts_of, history, learning

from caveats.config import RunConfig
from caveats.run import Run
from caveats.verdicts import learning_rates
from caveats.verdicts.evidence import Evidence


def config(optimizer: str, lr: float, steps: int, widths: list[int] | None = None) -> RunConfig:
    network: dict[str, Any] = {"widths": widths or [16, 16], "activation": "relu"}
    network["init"] = "he_normal"
    return RunConfig.from_dict(
        {
            "data": {"name": "xor"},
            "network": network,
            "optimizer": {"name": optimizer, "lr": lr},
            "training": {"steps": steps},
        }
    )


def leads_nowhere(chosen: RunConfig) -> bool:
    """What the sign says of a run of this config, from its first record."""
    widths = chosen.network.widths
    made = history(learning, len(widths) + 1, widths[0], config=chosen, until=0)
    made.facts = facts_of(chosen, 1.0, chosen.training.steps)
    return learning_rates.leads_nowhere(Evidence(made.snapshot(), 0, made.layers, made.facts))


def way_made(chosen: RunConfig) -> float:
    """From the constant's loss (0) to none (1)."""
    run = Run(chosen, every=chosen.training.steps)
    while not run.finished:
        run.advance()
    return 1 - float(run.history.snapshot().scalar("loss")[-1]) / run.baseline


@pytest.mark.parametrize(
    ("optimizer", "lr"), [("sgd", 5e-4), ("momentum", 5e-5), ("adam", 1e-4), ("adagrad", 5e-4)]
)
def test_steps_too_small_and_too_few_get_a_sound_network_nowhere_and_more_of_them_do(
    optimizer: str, lr: float
) -> None:
    few, many = config(optimizer, lr, 300), config(optimizer, 100 * lr, 300)
    assert leads_nowhere(few)
    assert way_made(few) < 0.3
    assert not leads_nowhere(many)
    assert way_made(many) > 0.8


def test_plain_descent_gets_as_far_by_steps_units_or_learning_rate() -> None:
    """lr · units · steps is what counts; momentum of 0.9 makes ten steps of one."""
    at = config("sgd", 1e-3, 500, [32])  # 16 of 20
    assert leads_nowhere(at)
    assert not leads_nowhere(config("sgd", 1e-3, 1000, [32]))
    assert not leads_nowhere(config("sgd", 1e-3, 500, [32, 32]))
    assert not leads_nowhere(config("sgd", 2e-3, 500, [32]))
    assert not leads_nowhere(config("momentum", 1e-3, 500, [32]))


def test_adam_gets_no_further_than_its_steps_added_up() -> None:
    assert leads_nowhere(config("adam", 1e-4, 600))
    assert leads_nowhere(config("adam", 1e-4, 600, [256] * 8))
    assert not leads_nowhere(config("adam", 1e-4, 6000))
