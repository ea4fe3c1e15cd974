"""The examples of docs/run-folder.md do what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.run import Run
from caveats.runs.writer import Writer

PAGE = (Path(__file__).parents[3] / "docs" / "run-folder.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def run_and_folder(tmp_path_factory):
    config = RunConfig.from_dict(
        {"optimizer": {"name": "adam", "lr": 0.1}, "training": {"steps": 40}}
    )
    run = Run(config, every=4)
    writer = Writer(run, tmp_path_factory.mktemp("docs") / "run")
    while not run.finished:
        if run.step == 20:
            run.change(config.changed({"optimizer.lr": 0.2}))
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    return run, writer.folder


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_jq_examples(run_and_folder):
    run, folder = run_and_folder
    snapshot = run.history.snapshot()
    said = [
        subprocess.run(
            command, shell=True, cwd=folder, capture_output=True, text=True, check=True
        ).stdout
        for command in examples("sh")[0].splitlines()
    ]
    rows = [tuple(map(float, line.split("\t"))) for line in said[0].splitlines()]
    assert [row[0] for row in rows] == snapshot.steps.tolist()
    assert [row[1] for row in rows] == pytest.approx(snapshot.scalar("loss").tolist(), rel=1e-8)
    assert int(said[1]) == int(snapshot.layers("dead")[-1].argmax())


def test_the_pandas_example(run_and_folder, monkeypatch):
    pytest.importorskip("pandas", reason="pandas is not installed")
    run, folder = run_and_folder
    monkeypatch.chdir(folder)
    scope: dict = {}
    exec(examples("python")[0], scope)
    snapshot = run.history.snapshot()
    assert scope["dead"].index.tolist() == snapshot.steps.tolist()
    np.testing.assert_array_equal(scope["dead"].to_numpy(), snapshot.layers("dead"))


def test_the_safetensors_example(run_and_folder, monkeypatch):
    run, folder = run_and_folder
    monkeypatch.chdir(folder)
    scope: dict = {}
    exec(examples("python")[1], scope)
    weight = run.trainer.network[0].linear.weight.detach().numpy()
    np.testing.assert_array_equal(scope["first"], weight)


def test_the_page_names_every_file_and_key(run_and_folder):
    _, folder = run_and_folder
    for path in folder.iterdir():
        assert f"`{path.name}`" in PAGE
    keys = re.findall(r"^(\w+) =", (folder / "run.toml").read_text().split("[config")[0], re.M)
    for key in set(keys) - {"python", "torch", "numpy"}:
        assert f"`{key}`" in PAGE, key
