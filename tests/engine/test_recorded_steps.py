"""A recorded step makes the numbers of the step as it is. Here the recording is played by calling
the recorded function again; tests/gpu does the same with CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from caveats.config import RunConfig
from caveats.data import load
from caveats.training import trainer as module
from caveats.training.captured import Recorder
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.trainer import PLAIN_STEPS, Trainer

MOONS = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [6, 6], "activation": "tanh"},
        "optimizer": {"lr": 0.05},
        "training": {"batch_size": 32, "steps": 60, "device": "cpu"},
    }
)
KINDS: dict[str, dict[str, Any]] = {
    **{name: {"optimizer.name": name, "optimizer.lr": 0.003} for name in OPTIMIZERS},
    "clipped": {"optimizer.name": "momentum", "optimizer.clip_norm": 0.3},
    "scheduled": {"optimizer.schedule": "cosine"},
    "batch norm": {"network.normalization": "batch"},
    "prelu, residual": {"network.activation": "prelu", "network.residual": True},
    "full batch, regression": {"data.name": "sine", "training.batch_size": 0},
}


def again(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    return function


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps be recorded on this device."""
    monkeypatch.setattr(module, "why_not_recorded", lambda device, dropout: "")


def trainer(config: RunConfig, recorder: Recorder | None) -> Trainer:
    made = Trainer(config.fitted(100), load(config.data.settings()))
    if recorder is None:
        made._may_record = False
    else:
        made._recorder = recorder
    return made


def same(a: Trainer, b: Trainer) -> bool:
    return all(map(torch.equal, a.network.state_dict().values(), b.network.state_dict().values()))


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("kind", KINDS)
def test_recorded_steps_train_as_the_steps_as_they_are_to_the_bit(kind: str) -> None:
    config = MOONS.changed(KINDS[kind])
    plain, recorded = trainer(config, None), trainer(config, again)
    for step in range(1, 41):
        losses = [t.train_step(listened=step % 16 == 0) for t in (plain, recorded)]
        assert torch.equal(*losses)
    assert recorded.recording == ""
    assert plain.step == recorded.step == 40
    assert same(plain, recorded)


@pytest.mark.usefixtures("recording")
def test_a_recording_that_does_something_else_is_found_out_and_leaves_no_trace() -> None:
    def wrong(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
        def play() -> None:
            function()
            function()  # two updates in one step

        return play

    plain, recorded = trainer(MOONS, None), trainer(MOONS, wrong)
    for _ in range(PLAIN_STEPS + 8):
        plain.train_step()
        recorded.train_step()
    assert recorded.recording.startswith("the recorded step was off by ")
    assert same(plain, recorded)


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("when", ["while it is recorded", "while it is played"])
def test_a_step_that_cannot_be_recorded_is_made_as_it_is(when: str) -> None:
    def fails(*args: object) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore lines")

    def half(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
        def play() -> None:
            function()
            fails()

        return play

    config = MOONS.changed({"optimizer.name": "adam"})
    recorder = fails if when == "while it is recorded" else half
    plain, recorded = trainer(config, None), trainer(config, recorder)
    for _ in range(PLAIN_STEPS + 8):
        plain.train_step()
        recorded.train_step()
    assert recorded.recording == (
        "the step cannot be recorded: operation not permitted when stream is capturing"
    )
    assert same(plain, recorded)


@pytest.mark.usefixtures("recording")
def test_a_change_and_a_continuation_record_again() -> None:
    plain, recorded = trainer(MOONS, None), trainer(MOONS, again)
    for _ in range(20):
        plain.train_step()
        recorded.train_step()
    assert recorded.recording == ""
    for own in (plain, recorded):
        may = own._may_record
        own.change(MOONS.changed({"optimizer.name": "momentum", "network.activation": "relu"}))
        own._may_record = may
    assert recorded.recording != ""
    for _ in range(20):
        plain.train_step()
        recorded.train_step()
    assert recorded.recording == ""
    state = recorded.state()
    recorded.load(state)
    assert recorded.recording != ""
    assert same(plain, recorded)


@pytest.mark.parametrize(("dropout", "said"), [(0.0, "no CUDA graphs on cpu"), (0.5, "no CUDA")])
def test_the_reason_is_in_words(dropout: float, said: str) -> None:
    made = Trainer(MOONS.changed({"network.dropout": dropout}), load(MOONS.data.settings()))
    assert said in made.recording
