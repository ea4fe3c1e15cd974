"""What a watched run shows beyond its records: theory from its config, the boundary from its
checkpoint."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from caveats.config import RunConfig
from caveats.run import Run
from caveats.runs import checkpoint
from caveats.runs.reader import Reader
from caveats.runs.writer import Writer
from caveats.theory import predict
from caveats.views import plane
from caveats_tui.bench.following import Following
from caveats_tui.screens.lab.panel import Panel

PATIENCE = 120.0  # seconds until a test that waits in vain fails
SMALL = {"data.name": "moons", "network.widths": [24, 24], "training.steps": 40}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("kept") / "run"
    run = Run(RunConfig().changed(SMALL, "test"), every=10)
    writer = Writer(run, folder)
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    return folder, run


@pytest.fixture
def watched(finished: tuple[Path, Run]) -> Iterator[Following]:
    bench = Following(Reader(finished[0]))
    bench.begin()
    yield bench
    bench.end()


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def predicted(bench: Following) -> bool:
    trace = bench.trace()
    return trace is not None and trace.prediction is not None


def asked(bench: Following, width: int, height: int) -> Any:
    """The plane, or the sentence that there is none."""
    found: list[Any] = []
    bench.ask(lambda network, data: plane(network, data, width, height), found.append, found.append)
    until(lambda: found)
    return found[0]


def test_theory_is_that_of_the_runs_own_rows(watched: Following, finished: Any) -> None:
    run = finished[1]
    until(lambda: predicted(watched))
    trace = watched.trace()
    assert trace is not None
    assert trace.prediction is not None
    rows, targets = run.probe.x.numpy(), run.probe.y.numpy()
    expected = predict(run.config, rows, targets, run.dataset.outputs)
    np.testing.assert_array_equal(trace.prediction.grad_norm, expected.grad_norm)
    np.testing.assert_array_equal(trace.prediction.delta_rms, expected.delta_rms)
    assert watched.forecast is not None
    assert "relu + he_normal" in watched.forecast.sentence


def test_the_boundary_is_that_of_the_checkpoint_and_follows_a_new_one(
    finished: Any, tmp_path: Path
) -> None:
    folder, run = tmp_path / "run", Run(RunConfig().changed(SMALL, "test"), every=10)
    writer = Writer(run, folder)  # writes a checkpoint of step 0
    bench = Following(Reader(folder))
    bench.begin()
    until(lambda: predicted(bench))
    first = asked(bench, 30, 12)
    assert bench.origin == "at step 0"
    np.testing.assert_array_equal(
        first.classes, plane(run.trainer.network, run.dataset, 30, 12).classes
    )
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    last = asked(bench, 30, 12)
    assert bench.origin == "at step 40"
    np.testing.assert_array_equal(
        last.classes, plane(run.trainer.network, run.dataset, 30, 12).classes
    )
    assert (first.classes != last.classes).any()
    bench.end()


def test_a_boundary_is_shown_with_its_step_and_copied(
    drive: Callable[..., None], finished: Any
) -> None:
    reader = Reader(finished[0])

    async def scenario(lab: Any) -> None:
        await lab.until(lambda: lab.bench.dataset is not None)
        await lab.press("4", "v")
        await lab.until("4 decision boundary: at step 40")
        assert lab.panel(4).rows
        await lab.press("comma", "comma", "c")
        assert "looking back" in lab.text
        await lab.until("decision boundary: at step 40")  # of the one checkpoint that there is
        await lab.until(lambda: lab.panel(4).picture is not None)
        await lab.press("c")
        assert lab.app.clipboard.startswith("x1,x2,class,confidence\n")

    drive(scenario, reader.config, drawing=False, reader=reader)


@pytest.mark.parametrize("trouble", ["missing", "cut short", "of another network"])
def test_a_checkpoint_that_cannot_be_asked_is_one_sentence_on_the_panel(
    trouble: str, drive: Callable[..., None], finished: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in finished[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    file = folder / checkpoint.CHECKPOINT
    if trouble == "missing":
        file.unlink()
    elif trouble == "cut short":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        other = Run(RunConfig().changed({**SMALL, "network.widths": [5]}, "test"))
        taken = checkpoint.take(other)
        saved = checkpoint.read(folder)
        mixed = checkpoint.Checkpoint(40, 0, saved.config, saved.numbers, taken.tensors)
        file.write_bytes(checkpoint.encode(mixed))
    reader = Reader(folder)

    async def scenario(lab: Any) -> None:
        await lab.until(lambda: lab.bench.dataset is not None)
        await lab.press("4", "v")

        def told() -> bool:
            panel = lab.app.lab.query_one("#chart-4", Panel)
            rows = [lab.rows[y][panel.region.x + 1 : panel.region.right - 1].strip()
                    for y in range(panel.region.y + 1, panel.region.bottom - 1)]  # fmt: skip
            return trouble in " ".join(row for row in rows if row)

        await lab.until(told)
        await lab.press("c")
        assert "nothing to copy" in lab.message

    drive(scenario, reader.config, drawing=False, reader=reader)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data_crc32": 1}, "no theory: it was trained on other moons than are drawn here"),
        (
            {"data": {"file": "/etc/passwd"}},
            "no theory: its data are a file, which is not read for a run that is only watched",
        ),
    ],
)
def test_data_that_cannot_be_had_are_one_sentence(
    change: dict[str, Any], sentence: str, finished: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in finished[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tree = tomllib.loads((folder / "run.toml").read_text())
    if "data" in change:
        tree["config"]["data"] = change["data"]
    else:
        tree |= change
    (folder / "run.toml").write_text(tomli_w.dumps(tree))
    bench = Following(Reader(folder))
    bench.begin()
    until(lambda: bench.trace() and bench.forecast)
    assert bench.forecast is not None
    assert bench.forecast.sentence == sentence
    assert bench.dataset is None
    bench.end()
