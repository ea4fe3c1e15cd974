"""The same config and seed give the same verdicts: on a slow machine, and from the run's folder."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.experiments import experiments
from caveats.history import History
from caveats.measures import SCALARS
from caveats.run import Run
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore
from caveats.runs.writer import Writer
from caveats.verdicts.judge import Judge

MOONS: dict[str, Any] = {
    "data.name": "moons", "data.n": 200, "training.device": "cpu", "training.batch_size": 32,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "healthy": {"network.widths": [8, 8], "training.steps": 1200},
    "step too small": {"network.widths": [8, 8], "optimizer.lr": 1e-4, "training.steps": 600},
    "edge of stability": {
        "network.widths": [16], "network.activation": "tanh", "optimizer.lr": 0.5,
        "training.batch_size": 0, "training.steps": 2100,
    },
    "dying": {"network.widths": [8, 8, 8], "optimizer.lr": 3.0, "training.steps": 300},
    "symmetric": {"network.widths": [8, 8], "network.init": "zeros", "training.steps": 300},
    "diverging": {
        "data.name": "sine", "network.widths": [8], "optimizer.lr": 100.0, "training.steps": 300,
    },
}  # fmt: skip


@contextmanager
def clock(step: float | None) -> Iterator[None]:
    """Inside, every look at the clock finds it ``step`` seconds later; None is the real one."""
    with pytest.MonkeyPatch.context() as patched:
        if step is not None:
            patched.setattr(time, "perf_counter", itertools.count(0.0, step).__next__)
        yield


def trained(config: RunConfig, pause: float | None, folder: Path | None = None) -> Run:
    with clock(pause):
        run = Run(config)
        writer = Writer(run, folder) if folder else None
        while not run.finished:
            run.advance()
            if writer:
                writer.between_steps()
    if writer:
        writer.tell("finished")
        writer.close()
        assert writer.join()
    return run


def said(history: History) -> list[object]:
    judge = Judge()
    verdicts = judge.look(history)
    return [
        [(v.caveat, v.severity, v.step, v.what, [r.change for r in v.next]) for v in verdicts],
        judge.first_flagged,
    ]


def assert_same_verdicts(
    config: RunConfig, folder: Path, pauses: Sequence[float] = (1e-7, 100.0)
) -> list[object]:
    usual = trained(config, None, folder)
    expected = said(usual.history)
    records = usual.history.snapshot()
    for pause in pauses:
        run = trained(config, pause)
        other = run.history.snapshot()
        assert np.array_equal(records.steps, other.steps)
        assert np.array_equal(records.cube, other.cube, equal_nan=True)
        for name in set(SCALARS) - {"seconds"}:
            assert np.array_equal(records.scalar(name), other.scalar(name), equal_nan=True), name
        assert said(run.history) == expected
    assert said(Reader(folder).history) == expected
    return expected


@pytest.mark.parametrize("name", CONFIGS)
def test_verdicts_do_not_depend_on_the_machines_speed(name: str, tmp_path: Path) -> None:
    config = RunConfig().changed({**MOONS, **CONFIGS[name]}, "test")
    assert_same_verdicts(config, tmp_path / "run")


def test_a_run_that_was_resumed_is_measured_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    """Readings too: two of them lie behind the place where it stops, two beyond."""
    config = RunConfig().changed(
        {**MOONS, "network.widths": [8, 8], "training.steps": 4000, "training.batch_size": 16},
        "test",
    )
    whole = trained(config, None)
    run = Run(config)
    writer = Writer(run, tmp_path / "run")
    for _ in range(2100):
        run.advance()
    writer.close()
    assert writer.join()
    resumed = restore(tmp_path / "run")
    assert resumed.step == 2100
    while not resumed.finished:
        resumed.advance()
    a, b = whole.history.snapshot(), resumed.history.snapshot()
    assert a.steps.tolist() == b.steps.tolist()
    late = a.steps > 2100  # those before were written with nine digits
    assert np.array_equal(a.cube[late], b.cube[late], equal_nan=True)
    for name in set(SCALARS) - {"seconds"}:
        assert np.array_equal(a.scalar(name)[late], b.scalar(name)[late], equal_nan=True), name
    assert said(resumed.history) == said(whole.history)


@pytest.mark.slow
def test_200_configs_give_the_same_verdicts_at_any_speed(tmp_path: Path) -> None:
    draw = random.Random(0)
    flagged = 0
    for number in range(200):
        config = draw.choice(list(experiments().values())).config.changed(
            {
                "training.seed": number, "training.steps": draw.choice([60, 150, 300, 1100]),
                "training.device": "cpu",
            },
            "test",
        )  # fmt: skip
        expected = assert_same_verdicts(config, tmp_path / str(number), (0.01,))
        flagged += bool(expected[0])
    assert flagged >= 100
