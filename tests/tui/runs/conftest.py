"""Fixtures for tests of kept runs: the lab under the pilot, and made folders."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats.runs.lines import record_line
from caveats.runs.log import LOG
from caveats.runs.manifest import Manifest, Standing

# importmode=importlib keeps test folders off sys.path: loaded by its path
_SPEC = importlib.util.spec_from_file_location(
    "lab_fixtures", Path(__file__).parents[1] / "lab" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_fixtures = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_fixtures)
drive = _fixtures.drive
configured = _fixtures.configured


def dying(records: int, from_record: int) -> History:
    """Two hidden layers of 8 ReLUs, all of which are dead from ``from_record`` on."""
    history = History(("layer 1", "layer 2", "output"))
    for row in range(records):
        layers = {name: np.full(3, 0.1) for name in LAYER_MEASURES}
        layers["units"] = np.array([8.0, 8.0, 2.0])
        layers["dead"] = np.array([8.0, 8.0, 0.0]) * (row >= from_record)
        layers["confirmed_dead"] = layers["dead"]
        layers["born_dead"] = layers["dormant"] = layers["saturated"] = np.zeros(3)
        layers["distinct"] = layers["units"]
        state = np.full(8, 3 if row >= from_record else 0, np.uint8)
        scalars = {"loss": 1.0 / (row + 1), "accuracy": 0.5}
        history.append(10 * row, scalars, layers, (state, state, np.full(2, 4, np.uint8)))
    return history


@pytest.fixture(scope="session")
def folder_of() -> Callable[..., Path]:
    """``folder_of(folder, state="running", seconds=0)`` writes a run's folder, as a process would
    have left it that long ago."""

    def make(
        folder: Path,
        changes: dict[str, Any] | None = None,
        *,
        records: int = 12,
        dead_from: int = 6,
        seconds: float = 0.0,
        age: float = 60.0,
        **standing: Any,
    ) -> Path:
        folder.mkdir(parents=True)
        now = datetime.now(UTC)
        config = RunConfig().changed({"network.widths": [8, 8], **(changes or {})}, "test")
        history = dying(records, dead_from)
        manifest = Manifest(
            config, history.layers, (8, 8, 2), "lab", now - timedelta(seconds=age),
            standing=replace(
                Standing(state="finished", step=10 * (records - 1), verdicts=()),
                time=now - timedelta(seconds=seconds), **standing,
            ),
        )  # fmt: skip
        manifest.write(folder)
        snapshot, states, lines = history.snapshot(), None, []
        for row in range(len(snapshot)):
            lines.append(record_line(snapshot, row, states))
            states = snapshot.states[row]
        (folder / LOG).write_text("".join(lines))
        return folder

    return make
