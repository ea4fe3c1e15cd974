"""The folder of a training without a config: it is written, read and listed, and refused where a
config is needed."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from click.testing import CliRunner
from torch import nn
from torch.nn import functional

from caveats.errors import ConfigError
from caveats.facts import LayerFacts, OptimizerFacts, RunFacts
from caveats.history import History
from caveats.measuring.cadence import Every
from caveats.measuring.probe import Probe
from caveats.observer import Observer
from caveats.runs.export import export
from caveats.runs.looking import data_of
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore
from caveats.runs.shelf import list_runs
from caveats.runs.writer import Writer
from caveats.verdicts import judge
from caveats_tui.cli import cli
from caveats_tui.screens.runs.compare import Compared, differing
from caveats_tui.screens.runs.listing import setup

FACTS = RunFacts(
    0.69, 30,
    layers=(
        LayerFacts("body.0", "linear", 6, 2, "relu"),
        LayerFacts("head", "linear", 2, 6, "identity", output=True),
    ),
    optimizer=OptimizerFacts("adam", 0.01, True, betas=(0.9, 0.999), eps=1e-8),
)  # fmt: skip


def watched(folder: Path, facts: RunFacts | None = FACTS) -> Observer:
    """A person's own network, trained for 30 steps and kept in ``folder``."""
    network = nn.ModuleDict({"body": nn.Sequential(nn.Linear(2, 6), nn.ReLU())})
    network["head"] = nn.Linear(6, 2)
    network.forward = lambda x: network["head"](network["body"](x))  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    probe = Probe(network, functional.cross_entropy, x, y)
    observer = Observer(
        probe, optimizer, History(tuple(probe.names.values()), facts=facts), Every(3),
        clock=itertools.count(0.0, 0.01).__next__, planned=30,
    )  # fmt: skip
    observer.record()
    writer = Writer(observer, folder, state="running")
    while not observer.finished:
        with observer.watching():
            loss = functional.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        observer.advance(loss.detach())
        writer.between_steps()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    assert not writer.problem
    return observer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    watched(tmp_path / "runs" / "mine")
    return tmp_path / "runs" / "mine"


def change(folder: Path, **changes: Any) -> None:
    tree = tomllib.loads((folder / "run.toml").read_text())
    (folder / "run.toml").write_text(tomli_w.dumps({**tree, **changes}))


@pytest.mark.parametrize("facts", [FACTS, None])
def test_it_is_read_as_it_was_recorded(tmp_path: Path, facts: RunFacts | None) -> None:
    observer = watched(tmp_path / "run", facts)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log.jsonl", "run.toml"]
    tree = tomllib.loads((tmp_path / "run" / "run.toml").read_text())
    assert (tree["kind"], tree["layers"], tree["units"]) == ("watch", ["body.0", "head"], [6, 2])
    assert "config" not in tree
    reader = Reader(tmp_path / "run")
    assert repr(reader.history.facts) == repr(observer.history.facts)
    made, read = observer.history.snapshot(), reader.history.snapshot()
    assert read.steps.tolist() == [0, *range(3, 31, 3)]
    np.testing.assert_allclose(read.cube, made.cube, rtol=1e-8)
    mine, theirs = (
        [(v.caveat, v.severity, v.what) for v in judge(history)]
        for history in (observer.history, reader.history)
    )
    assert mine == theirs


def test_it_is_listed_compared_and_exported(folder: Path) -> None:
    (entry,) = list_runs(folder.parent)
    assert entry.manifest is not None
    assert setup(entry.manifest) == "watched · 2 layers"
    runs = [Compared("a", entry.manifest, Reader(folder).history.snapshot())] * 2
    assert differing(runs) == []
    export(folder, "csv", folder.parent / "records.csv")
    assert "body.0" in (folder.parent / "records.csv").read_text()


def test_what_needs_a_config_says_so(folder: Path) -> None:
    said = CliRunner().invoke(cli, ["run", "--resume", str(folder)])
    assert said.exit_code == 2
    assert "watched: it has no config" in said.output + said.stderr
    for action in (restore, lambda folder: data_of(Manifest.read(folder))):
        with pytest.raises(ConfigError):
            action(folder)


def test_only_a_watched_folder_may_lack_a_config(folder: Path) -> None:
    change(folder, kind="run")
    with pytest.raises(ConfigError, match="config is missing"):
        Manifest.read(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"steps": -1}, "steps = -1"),
        ({"facts": 3}, "facts = 3"),
        ({"facts": {"layers": [{}]}}, "name is missing"),
        ({"layers": ["a"], "units": [3]}, "as many"),
        ({"config": 3}, "config = 3"),
    ],
)
def test_facts_that_do_not_fit_are_one_sentence(
    folder: Path, changes: dict[str, Any], named: str
) -> None:
    change(folder, **changes)
    with pytest.raises(ConfigError, match=named):
        Reader(folder)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"lr": 0.0}, {"lr": 1e30}, {"lr": 1e-320}, {"momentum": 1e30}, {"kind": "x"},
        {"kind": "sgd", "lr": 0.0}, {"eps": 0.0, "weight_decay": 1e30},
    ],
)  # fmt: skip
def test_odd_facts_are_judged_without_a_traceback(folder: Path, optimizer: dict[str, Any]) -> None:
    facts = tomllib.loads((folder / "run.toml").read_text())["facts"]
    layers = [
        {**layer, "units": 0, "fan_in": 0, "kind": "embedding", "dropout": 1.0}
        for layer in facts["layers"]
    ]
    change(folder, facts={"layers": layers, "optimizer": {**facts["optimizer"], **optimizer}})
    judge(Reader(folder).history)
