"""A network that cannot fit into memory is refused before any of it is made."""

from __future__ import annotations

import pytest
import torch

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.models.mlp import build
from caveats.run import Run
from caveats.training import memory


@pytest.mark.parametrize("widths", [(), (3,), (7, 5, 2)])
def test_the_weights_are_as_many_as_torch_makes(widths: tuple[int, ...]) -> None:
    config = RunConfig().changed({"network.widths": list(widths)})
    network = build(config.network, 4, 3, 0)
    weights, _ = memory.needed(4, widths, 3, 10)
    assert weights == sum(p.numel() for p in network.parameters())


def test_what_is_free_lies_between_nothing_and_what_the_machine_has() -> None:
    free = memory.available(torch.device("cpu"))
    assert free is not None
    assert 0 < free < 2**50


@pytest.mark.parametrize(
    "changes",
    [
        {"network.widths": [1_000_000, 1_000_000]},
        {"network.widths": [100_000] * 3, "data.name": "moons"},
        {"network.widths": [200_000], "data.name": "moons", "data.n": 100_000,
         "training.batch_size": 0},
    ],
)  # fmt: skip
def test_what_cannot_fit_is_refused_in_one_sentence(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 16 * 10**9)
    with pytest.raises(ConfigError, match=r"need about [\d,.]+ GB .* and 16\.0 GB are free"):
        Run(RunConfig().changed(changes))


def test_what_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 10**8)
    assert Run(RunConfig().changed({"data.name": "moons"})).step == 0
