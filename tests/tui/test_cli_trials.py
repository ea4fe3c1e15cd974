"""`run --trials` tries other steps once the run is over, and the verdicts count what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from caveats.runs.reader import Reader
from caveats.verdicts import judge
from caveats_tui.cli import cli

SLOW = ("data.name=moons", "network.widths=8-8", "optimizer.lr=5e-4", "training.steps=60")


def ran(*args: str) -> Any:
    sets = [part for text in SLOW for part in ("--set", text)]
    called = CliRunner().invoke(cli, ["run", *sets, *args], prog_name="caveats-tui")
    assert called.exit_code == 0, called.output
    return called


def test_the_proof_stands_in_the_verdict_in_the_document_and_in_the_runs_folder(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    found = json.loads(ran("--trials", "--json", "--out", str(folder)).stdout)
    (what,) = [v["what"] for v in found["verdicts"] if v["caveat"] == "step_too_small"]
    assert "; trial: in 100 steps the loss falls" in what
    assert found["trial"]["steps"] == 100
    assert {tried["origin"] for tried in found["trial"]["tried"]} == {"present", "start", "sound"}
    kept = [v.what for v in judge(Reader(folder).history) if v.caveat == "step_too_small"]
    assert kept[0].partition("; trial")[2] == what.partition("; trial")[2]


def test_without_it_there_is_no_trial() -> None:
    found = json.loads(ran("--json").stdout)
    assert found["trial"] is None
    assert all("trial" not in v["what"] for v in found["verdicts"])
