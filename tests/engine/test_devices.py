"""`auto` takes the faster device for a network, and says why. No GPU is needed: torch is told that
there is one, and nothing is put on it."""

from __future__ import annotations

import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.stacks.memory import device_for as of_stack
from caveats.stacks.shape import shape_of
from caveats.training.device import choose_device
from caveats.training.trainer import device_for

MEASURED = RunConfig().changed({"network.widths": [256] * 3, "training.batch_size": 256})


@pytest.fixture(params=["cpu", "cuda", "mps"])
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param == "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(request.param == "cuda"))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: request.param == "mps")
    found: str = request.param
    return found


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"network.widths": [4]}, {"cuda": "its recorded steps are faster"}),
        # What was measured as equal on both, and a little less, with steps made by Python.
        ({"network.dropout": 0.1}, {"cuda": "large enough", "mps": "large enough"}),
        ({"network.dropout": 0.1, "network.widths": [240] * 3}, {}),
        ({"network.dropout": 0.1, "training.batch_size": 200}, {}),
    ],
)
def test_auto_takes_what_was_measured_to_be_faster(
    gpu: str, change: dict[str, object], wanted: dict[str, str]
) -> None:
    config = MEASURED.changed(change)
    device, why = device_for(config, load(config.data.settings()))
    if gpu == "cpu":
        assert (device, why) == (torch.device("cpu"), "there is no GPU")
    elif gpu in wanted:
        assert device.type == gpu
        assert wanted[gpu] in why
    else:
        assert (device.type, why) == ("cpu", "too small for a GPU")


def test_a_device_that_was_asked_for_needs_no_reason(gpu: str) -> None:
    assert choose_device("cpu", 1e12) == (torch.device("cpu"), "")


def test_a_stack_is_judged_by_all_its_members(gpu: str) -> None:
    config = RunConfig().changed({"network.widths": [64] * 3})
    shape = shape_of(config, load(config.data.settings()))
    assert of_stack(shape, 2).type == "cpu"
    assert of_stack(shape, 1000).type == gpu
