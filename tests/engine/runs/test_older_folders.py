"""A folder of an earlier version holds measures that no longer exist: it opens, exports and resumes
without them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.runs.export import export
from caveats.runs.reader import Reader
from caveats.runs.resuming import resume
from caveats.runs.writer import Writer
from caveats.verdicts import judge

SCALARS = ("noise_scale",)
MEASURES = ("bias_grad_norm", "effective_rank")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("older") / "run"
    run = Run(RunConfig.from_dict({"training": {"steps": 40}}), every=4)
    writer = Writer(run, folder)
    for _ in range(20):
        run.advance()
    writer.tell("stopped")
    writer.close()
    assert writer.join()
    log = folder / "log.jsonl"
    log.write_text("".join(map(older, log.read_text().splitlines())))
    return run, folder


def older(line: str) -> str:
    """A record's line as it was written when these measures were taken."""
    record = json.loads(line)
    layers = len(record["layers"]["units"])
    record |= dict.fromkeys(SCALARS, 12.5)
    record["layers"] |= {name: [0.5, *[None] * (layers - 1)] for name in MEASURES}
    return json.dumps(record, separators=(",", ":")) + "\n"


def test_it_reads_as_if_they_were_not_there(kept):
    run, folder = kept
    own, read = run.history.snapshot(), Reader(folder)
    seen = read.history.snapshot()
    assert read.problems == ()
    assert seen.steps.tolist() == own.steps.tolist()
    np.testing.assert_allclose(seen.table, own.table, rtol=1e-8)
    np.testing.assert_allclose(seen.cube, own.cube, rtol=1e-8)
    assert [v.caveat for v in judge(read.history)] == [v.caveat for v in judge(run.history)]


def test_exports_hold_the_measures_of_today(kept, tmp_path):
    _, folder = kept
    with export(folder, "csv", tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = export(folder, "jsonl", tmp_path / "run.jsonl").read_text().splitlines()
    record = json.loads(lines[0])
    for name in (*SCALARS, *MEASURES):
        assert name not in rows[0]
        assert name not in record
        assert name not in record["layers"][0]
    assert record["layers"][0]["grad_norm"] > 0


def test_it_goes_on(kept):
    run, folder = kept
    resumed, writer = resume(folder, every=4)
    for each in (run, resumed):
        while not each.finished:
            each.advance()
    writer.close()
    assert writer.join()
    assert resumed.history.snapshot().steps.tolist() == run.history.snapshot().steps.tolist()
    theirs = resumed.trainer.network.state_dict()
    for name, tensor in run.trainer.network.state_dict().items():
        assert torch.equal(tensor, theirs[name])
