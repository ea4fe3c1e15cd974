"""What a watched process tells of itself when it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from caveats.runs.manifest import Command
from caveats.watching import training as watched
from caveats.watching.folder import SETTINGS
from caveats.watching.instruments import Instruments
from caveats.watching.process import PartKeeper


def test_what_stopped_the_first_sample_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else it would be said that no optimizer made a step."""
    notes = tmp_path / "notes"
    monkeypatch.setenv(SETTINGS, json.dumps({"notes": str(notes)}))

    def fail(*_: Any) -> Any:
        raise RuntimeError("sizes must match")

    monkeypatch.setattr(watched.WatchedTraining, "_sample", fail)
    keeper = PartKeeper(tmp_path, Command(("python", "train.py"), str(tmp_path)))
    keeper.instruments = Instruments(found=keeper.keep)
    keeper.instruments.install()
    try:
        network = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.randn(4, 3)).square().mean().backward()
            optimizer.step()
    finally:
        keeper.close()
    told = [json.loads(line) for line in notes.read_text().splitlines()]
    assert [line["text"] for line in told] == ["RuntimeError: sizes must match"]
