"""Exports hold what was measured: a numpy oracle recomputes it from the npz alone, and it is read
back from csv, JSON lines and by TensorBoard's own reader."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.runs.export import export
from caveats.runs.reader import Reader
from caveats.runs.writer import Writer

spec = importlib.util.spec_from_file_location(
    "numpy_oracle", Path(__file__).parents[1] / "oracle.py"
)
assert spec is not None
assert spec.loader is not None
oracle = importlib.util.module_from_spec(spec)
import sys  # noqa: E402

sys.modules["numpy_oracle"] = oracle  # its dataclass looks its own module up
spec.loader.exec_module(oracle)


def kept(folder: Path, tree: dict, every: int | None = None) -> Run:
    run = Run(RunConfig.from_dict(tree), every=every)
    writer = Writer(run, folder)
    while not run.finished:
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    assert not writer.problem
    return run


DEAD = {  # a third of its units die
    "data": {"name": "digits"},
    "network": {"widths": [48, 32, 24], "activation": "relu"},
    "optimizer": {"name": "adam", "lr": 0.1},
    "training": {"steps": 60},
}
SINE = {
    "data": {"name": "sine", "n": 300},
    "network": {"widths": [12, 12], "activation": ["tanh", "leaky_relu"], "init": "xavier_normal"},
    "optimizer": {"name": "momentum"},
    "training": {"steps": 40},
}


@pytest.mark.parametrize("tree", [DEAD, SINE], ids=["dead", "sine"])
def test_the_npz_is_recomputed_by_numpy(tmp_path, tree):
    kept(tmp_path / "run", tree)
    with np.load(export(tmp_path / "run", "npz", tmp_path / "run.npz")) as found:
        found = dict(found)
    layers = len(found["layers"])
    y = found["probe_y"]
    seen = oracle.measure(
        [found[f"w{i}"].astype(np.float64) for i in range(layers)],
        [found[f"b{i}"].astype(np.float64) for i in range(layers)],
        list(map(str, found["activations"])),
        found["probe_x"].astype(np.float64),
        y if y.ndim == 1 else y.astype(np.float64),
        str(found["loss_function"]),
    )
    assert seen.dead == found["dead"].tolist()
    assert seen.saturated == found["saturated"].tolist()
    assert seen.distinct == found["distinct"].tolist()
    for name in ("grad_norm", "delta_rms", "weight_norm"):
        np.testing.assert_allclose(found[name], getattr(seen, name), rtol=1e-4, err_msg=name)
    assert float(found["loss"]) == pytest.approx(seen.loss, rel=1e-5)
    if tree is DEAD:
        assert sum(seen.dead) > 10


def test_the_npz_holds_the_last_record(tmp_path):
    run = kept(tmp_path / "run", DEAD)
    snapshot = run.history.snapshot()
    with np.load(export(tmp_path / "run", "npz", tmp_path / "run.npz")) as found:
        assert found["step"] == snapshot.steps[-1] == 60
        assert found["loss"] == snapshot.scalar("loss")[-1]
        for name in ("dead", "confirmed_dead", "born_dead", "grad_norm", "update_ratio", "spread"):
            np.testing.assert_allclose(
                found[name], snapshot.layers(name)[-1], rtol=1e-8, err_msg=name
            )


def test_every_parameter_is_in_the_npz(tmp_path):
    tree = {**SINE, "network": {"widths": [4, 4], "activation": "prelu", "normalization": "batch"}}
    run = kept(tmp_path / "run", tree)
    with np.load(export(tmp_path / "run", "npz", tmp_path / "run.npz")) as found:
        stored = sorted(found[name].tobytes() for name in found)
    for name, tensor in run.trainer.network.state_dict().items():
        assert tensor.numpy().tobytes() in stored, name


def test_csv_and_json_lines_hold_every_record_of_the_run(tmp_path):
    run = kept(tmp_path / "run", DEAD, every=1)
    snapshot = run.history.snapshot()

    with export(tmp_path / "run", "csv", tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 61 * 4
    for name in ("dead", "delta_rms", "update_ratio"):
        column = [float(row[name] or "nan") for row in rows]
        np.testing.assert_allclose(
            np.reshape(column, (61, 4)), snapshot.layers(name), rtol=1e-8, err_msg=name
        )
    assert [float(row["loss"]) for row in rows[::4]] == pytest.approx(
        snapshot.scalar("loss").tolist(), rel=1e-8
    )

    lines = export(tmp_path / "run", "jsonl", tmp_path / "run.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == snapshot.steps.tolist()
    for row, record in enumerate(records):
        dead = [layer["dead"] for layer in record["layers"]]
        assert dead == snapshot.layers("dead")[row].tolist()


def test_json_lines_name_what_is_not_finite(tmp_path):
    tree = {**DEAD, "optimizer": {"name": "sgd", "lr": 1e30}}
    kept(tmp_path / "run", tree)
    lines = export(tmp_path / "run", "jsonl", tmp_path / "run.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    last = [record for record in records if "event" not in record][-1]
    assert last["loss"] is None
    assert "loss" in last["nonfinite"]
    assert [r["event"] for r in records if "event" in r] == ["diverged"]


def test_tensorboard_reads_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard", reason="the tensorboard package is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    kept(tmp_path / "run", DEAD, every=5)
    snapshot = Reader(tmp_path / "run").history.snapshot()
    out = export(tmp_path / "run", "tensorboard", tmp_path / "events")
    read = EventAccumulator(str(out), size_guidance={"scalars": 0})
    read.Reload()
    for tag, column in (
        ("loss", snapshot.scalar("loss")),
        ("dead/layer 2", snapshot.layers("dead")[:, 1]),
        ("grad_norm/output", snapshot.layers("grad_norm")[:, 3]),
    ):
        events = read.Scalars(tag)
        assert [event.step for event in events] == snapshot.steps.tolist()
        # An event file keeps float32.
        assert [event.value for event in events] == np.float32(column).tolist()


def test_without_tensorboard_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    kept(tmp_path / "run", SINE)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ConfigError, match=r"pip install 'caveats-tui\[tensorboard\]'"):
        export(tmp_path / "run", "tensorboard", tmp_path / "events")
    assert not (tmp_path / "events").exists()


def test_an_export_replaces_nothing_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    kept(tmp_path / "run", SINE)
    out = tmp_path / "there.csv"
    out.write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        export(tmp_path / "run", "csv", out)
    assert out.read_text() == "mine"
    with pytest.raises(ConfigError, match="cannot be written"):
        export(tmp_path / "run", "csv", tmp_path / "absent" / "run.csv")
    monkeypatch.setattr("caveats.runs.tables.cell", lambda value: math.nan / 0)
    with pytest.raises(ZeroDivisionError):
        export(tmp_path / "run", "csv", tmp_path / "torn.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "there.csv"]
