"""A run's folder from elsewhere: whatever it holds, the answer is at most one sentence. There is no
traceback, no escape byte on the screen, no code is run, and memory is bounded."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import socket
import struct
import tomllib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.run import Run
from caveats.runs.claim import CLAIM, claimed
from caveats.runs.export import export
from caveats.runs.looking import data_of, network_of
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.resuming import restore, resume
from caveats.runs.shelf import list_runs
from caveats.runs.writer import Writer
from caveats_tui.cli import cli

ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\x00\r\n"


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "run"
    config = RunConfig.from_dict(
        {
            "data": {"name": "moons", "n": 60},
            "network": {"widths": [6, 5], "normalization": "batch", "dropout": 0.1},
            "optimizer": {"name": "adam"},
            "training": {"steps": 40, "batch_size": 16},
        }
    )
    run = Run(config)
    writer = Writer(run, folder)
    while not run.finished:
        if run.step == 20:
            run.change(config.changed({"optimizer.lr": 0.002}))
        run.advance()
    writer.tell("finished")
    writer.close()
    assert writer.join()
    assert not writer.problem
    return folder


@pytest.fixture
def folder(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "run"))


def refused(action, *args) -> str:
    """The one sentence with which ``action`` refuses."""
    with pytest.raises(ConfigError) as caught:
        action(*args)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 700
    return said


def change_metadata(folder: Path, change) -> None:
    path = folder / "checkpoint.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    content = json.loads(header["__metadata__"]["caveats"])
    content = change(content) or content
    save_file(load_file(path), path, {"caveats": json.dumps(content)})


def test_the_sound_folder_opens_and_resumes(folder):
    reader = Reader(folder)
    assert reader.problems == ()
    assert reader.status.state == "finished"
    assert restore(folder).step == 40


def test_a_folder_that_is_no_run(tmp_path):
    assert "run.toml" in refused(Reader, tmp_path)
    assert "no folder" in refused(Reader, tmp_path / "absent")
    assert "no run" in refused(restore, tmp_path)


def test_a_torn_last_line_is_left_out_and_cut_off_when_the_run_goes_on(folder):
    whole = (folder / "log.jsonl").read_bytes()
    (folder / "log.jsonl").write_bytes(whole[:-40])
    reader = Reader(folder)
    assert reader.problems == ("the last line of log.jsonl is incomplete: it was left out",)
    assert len(reader.history) == whole.count(b"\n") - 2  # the event, and the torn record

    _, writer = resume(folder)
    writer.close()
    assert writer.join()
    for line in (folder / "log.jsonl").read_bytes().splitlines():
        json.loads(line)


@pytest.mark.parametrize("left", [0, 1, 7, 8, 200, -1])
def test_a_truncated_checkpoint(folder, left):
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    assert "checkpoint.safetensors" in refused(restore, folder)
    assert Reader(folder).status.state == "finished"


def test_a_missing_checkpoint(folder):
    (folder / "checkpoint.safetensors").unlink()
    assert "missing" in refused(restore, folder)


def test_a_run_of_a_newer_version(folder):
    text = (folder / "run.toml").read_text()
    (folder / "run.toml").write_text(text.replace("format = 1", "format = 2"))
    assert "newer" in refused(Reader, folder)
    assert "newer" in refused(restore, folder)


@pytest.mark.parametrize("version", [0, -1, 1.5, "1", None, True])
def test_a_version_that_cannot_be(folder, version):
    tree = tomllib.loads((folder / "run.toml").read_text())
    tree["format"] = version
    if version is None:
        del tree["format"]
    (folder / "run.toml").write_text(tomli_w.dumps(tree))
    assert "format" in refused(Reader, folder)


def test_a_checkpoint_of_a_newer_version(folder):
    change_metadata(folder, lambda content: {**content, "format": 2})
    assert "newer" in refused(restore, folder)


def test_a_pickle_in_place_of_the_checkpoint_runs_nothing(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    (folder / "checkpoint.safetensors").write_bytes(pickle.dumps(Trap()))
    assert "no checkpoint" in refused(restore, folder)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("misfit", ["shape", "dtype", "missing", "extra", "optimizer"])
def test_tensors_that_do_not_fit_the_config(folder, misfit):
    path = folder / "checkpoint.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    tensors = dict(load_file(path))
    name = "trainer/network/0.linear.weight"
    if misfit == "shape":
        tensors[name] = tensors[name][:-1]
    elif misfit == "dtype":
        tensors[name] = tensors[name].astype(np.float64)
    elif misfit == "missing":
        del tensors[name]
    elif misfit == "extra":
        tensors["trainer/network/9.linear.weight"] = tensors[name]
    else:
        tensors["trainer/optimizer/state/0/exp_awg"] = tensors.pop(
            "trainer/optimizer/state/0/exp_avg"
        )
    save_file(tensors, path, metadata)
    assert "does not fit" in refused(restore, folder)


def test_a_config_that_would_need_all_memory_is_refused_before_it_is_built(folder):
    def widen(content):
        content["config"]["network"]["widths"] = [1_000_000, 1_000_000]

    change_metadata(folder, widen)
    assert "does not fit" in refused(restore, folder)


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path):
    for name in ("log.jsonl", "checkpoint.safetensors", "run.toml"):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        assert "link" in refused(restore, folder)
        (folder / name).unlink()
        (tmp_path / name).rename(folder / name)


def test_a_pipe_in_place_of_a_file_is_not_waited_on(folder):
    for name in ("log.jsonl", "checkpoint.safetensors", "run.toml"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        os.mkfifo(folder / name)
        assert "no plain file" in refused(restore, folder)
        (folder / name).unlink()
        (folder / name).write_bytes(content)


def test_a_line_of_ten_gigabytes_is_refused_unread(folder):
    with (folder / "log.jsonl").open("ab") as log:
        log.truncate(10 * 10**9)  # sparse: it takes no room
    tracemalloc.start()
    assert "bytes" in refused(Reader, folder)
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()


def test_a_long_line_is_left_out_in_bounded_memory_and_the_next_one_read(folder):
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    with (folder / "log.jsonl").open("wb") as log:
        log.writelines(lines[:3])
        log.write(b'{"step":' + b"1" * 60_000_000 + b"}\n")
        log.writelines(lines[3:])
    tracemalloc.start()
    reader = Reader(folder)
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    assert reader.problems == ("log.jsonl has a line of more than 4 MB: it was left out",)
    assert reader.history.snapshot().steps[-1] == 40


def test_huge_numbers_of_layers_are_refused(folder):
    tree = tomllib.loads((folder / "run.toml").read_text())
    tree["layers"], tree["units"] = ["x"] * 5000, [1] * 5000
    (folder / "run.toml").write_text(tomli_w.dumps(tree))
    assert "1001" in refused(Reader, folder)


def test_control_characters_are_shown_not_obeyed(folder):
    tree = tomllib.loads((folder / "run.toml").read_text())
    tree["device"] = tree["status"]["problem"] = tree["layers"][0] = ESCAPES
    (folder / "run.toml").write_text(tomli_w.dumps(tree))
    with (folder / "log.jsonl").open("a") as log:
        event = {"event": ESCAPES, "step": 40, "text": ESCAPES, "changes": {ESCAPES: ESCAPES}}
        log.write(json.dumps(event) + "\n")
    (folder / "label.toml").write_text(tomli_w.dumps({"name": ESCAPES}))
    look_at_everything(folder)
    named = folder.with_name("a\x1b[31mrun")
    folder.rename(named)
    look_at_everything(named)


# What a fuzzer finds.

TOKENS: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 10**40, -(10**40), 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), "", "x", ESCAPES, "9" * 5000, [], {}, [[]], [1, "a", None],
    {"name": "x"}, ["relu"] * 3, "auto", "cuda:0", "adam", "../../etc/passwd", "\ud800",
]  # fmt: skip
BYTES = [
    b"\x00", b"\xff\xfe", b"\n", b"\n\n{}\n", b"}", b"[" * 3000, b"1e999", b"NaN", b"\x1b[2J",
    b'{"step":3}\n', b'{"event":"\x1b[2J","step":1}\n', b'"', b"=", b"\xc2\x9b31m",
    b"9" * 5000, b"-", b"1979-05-27T25:00:00Z", b"'''", b"\r\n", b"\xe2\x80\xae",
]  # fmt: skip


def mutate_bytes(data: bytes, draw: random.Random) -> bytes:
    kind = draw.randrange(6)
    at, to = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[to:]
    if kind == 2:
        return data[:at] + draw.choice(BYTES) + data[at:]
    if kind == 3:
        return data[:to] + data[at:]
    if kind == 4:
        return data[:at] + draw.randbytes(draw.randrange(1, 20)) + data[to:]
    flipped = bytearray(data)
    for _ in range(draw.randrange(1, 8)):
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def mutate_tree(tree: Any, draw: random.Random) -> Any:
    """Change one place of nested dicts and lists, wherever it is."""
    if isinstance(tree, dict) and tree and draw.random() < 0.9:
        key = draw.choice(list(tree))
        kind = draw.randrange(10)
        if kind == 0:
            return {k: v for k, v in tree.items() if k != key}
        if kind == 1:
            return {**tree, draw.choice(["zz", ESCAPES, "name", "step", "event"]): tree[key]}
        return {**tree, key: mutate_tree(tree[key], draw)}
    if isinstance(tree, list) and tree and draw.random() < 0.8:
        at = draw.randrange(len(tree))
        kind = draw.randrange(6)
        if kind == 0:
            return tree[:at] + tree[at + 1 :]
        if kind == 1:
            return tree + tree[at:]
        return [*tree[:at], mutate_tree(tree[at], draw), *tree[at + 1 :]]
    return draw.choice(TOKENS)


def mutate_log(data: bytes, draw: random.Random) -> bytes:
    lines = data.splitlines()
    at = draw.randrange(len(lines))
    tree = mutate_tree(json.loads(lines[at]), draw)
    lines[at] = json.dumps(tree, separators=draw.choice([(",", ":"), (", ", ": ")])).encode()
    return b"\n".join(lines) + b"\n"


def mutate_toml(data: bytes, draw: random.Random) -> bytes:
    try:
        return tomli_w.dumps(mutate_tree(tomllib.loads(data.decode()), draw)).encode()
    except (TypeError, ValueError, AttributeError):  # None, texts that are no UTF-8
        return mutate_bytes(data, draw)


def mutate_checkpoint(data: bytes, draw: random.Random) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    if draw.random() < 0.7:
        content = mutate_tree(json.loads(header["__metadata__"]["caveats"]), draw)
        header["__metadata__"]["caveats"] = json.dumps(content)
    else:
        header = mutate_tree(header, draw)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


STRUCTURED = {
    "run.toml": mutate_toml,
    "log.jsonl": mutate_log,
    "checkpoint.safetensors": mutate_checkpoint,
}


def shown(*texts: object) -> None:
    for text in texts:
        assert str(text).isprintable(), ascii(text)


def look_at_everything(folder: Path, weights: bool = True) -> None:
    """Everything that a user can do with a folder; every text for a terminal is checked."""
    out = folder.parent / "out"
    try:
        reader = Reader(folder)
        reader.refresh()
        shown(*reader.problems, *reader.history.layers, reader.status.problem, reader.status.device)
        shown(*(t for e in reader.history.snapshot().events for t in (e.kind, e.text, e.changes)))
        for to in ("csv", "jsonl"):
            export(folder, to, out)
            out.unlink()
    except ConfigError as error:
        shown(error)
    if weights:
        try:
            run = restore(folder)
            for _ in range(2):
                if not run.finished:
                    run.advance()
        except ConfigError as error:
            shown(error)
        try:
            data = data_of(Manifest.read(folder))
            _, network = network_of(folder, data)
            network(torch.tensor(data.x[:3]))
        except ConfigError as error:
            shown(error)
    for entry in list_runs(folder.parent):
        shown(entry.problem, entry.label.name)
    for args in (["runs", str(folder.parent)], ["runs", str(folder.parent), "--json"]):
        called = CliRunner().invoke(cli, args, prog_name="caveats-tui")
        assert called.exit_code == 0, called.exception
        shown(*called.stdout.splitlines(), *called.stderr.splitlines())


def fuzz(sound: Path, place: Path, seeds: range) -> None:
    names = list(STRUCTURED)
    originals = {name: (sound / name).read_bytes() for name in names}
    folder = place / "run"
    folder.mkdir()
    for seed in seeds:
        draw = random.Random(seed)
        for name, data in originals.items():
            (folder / name).write_bytes(data)
        for name in draw.sample(names, draw.choice([1, 1, 1, 2])):
            mutate = STRUCTURED[name] if draw.random() < 0.6 else mutate_bytes
            (folder / name).write_bytes(mutate(originals[name], draw))
        try:
            look_at_everything(folder)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def test_no_input_of_a_fuzzer_gets_a_traceback_or_an_escape_out(sound, tmp_path):
    fuzz(sound, tmp_path, range(100))


@pytest.mark.slow
def test_ten_thousand_inputs_of_a_fuzzer(sound, tmp_path):
    fuzz(sound, tmp_path, range(100, 10_100))


def test_a_run_whose_log_has_no_readable_record_goes_on_from_its_checkpoint(folder):
    (folder / "log.jsonl").write_text('{"step": "one"}\nno line of a log\n')
    run, writer = resume(folder)
    assert run.step == 40
    snapshot = run.history.snapshot()
    assert snapshot.steps.tolist() == [40]
    assert np.isfinite(snapshot.scalar("loss")).all()
    writer.close()
    assert writer.join()
    assert CliRunner().invoke(cli, ["run", "--resume", str(folder), "--json"]).exit_code == 0


def test_a_config_of_another_network_than_the_layers_is_refused(folder):
    path = folder / "run.toml"
    tree = tomllib.loads(path.read_text())
    tree["config"]["network"]["widths"] = [6, 5, 4]
    path.write_text(tomli_w.dumps(tree))
    for read in (Reader, resume, restore):
        assert "units" in refused(read, folder)


@pytest.mark.parametrize("value", ["null", "-1", "1e999", "7"])
@pytest.mark.parametrize("name", ["units", "dead", "dormant", "saturated", "distinct", "born_dead"])
def test_a_count_that_is_none_of_the_layers_units_was_not_observed(folder, name, value):
    """7 units of a layer that has 6. They are judged as if they had not been counted."""
    from caveats.verdicts import judge

    path = folder / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "layers" in line:
            line["layers"][name] = [json.loads(value), 1, 1]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    reader = Reader(folder)
    snapshot = reader.history.snapshot()
    assert snapshot.layers("units").tolist() == [[6.0, 5.0, 2.0]] * len(snapshot)
    if name != "units":
        assert np.isnan(snapshot.layers(name)[:, 0]).all()
    judge(reader.history)


def test_a_second_process_cannot_begin_to_resume_a_run(folder):
    """As if another process were just restoring it: its file is there, and it lives."""
    with claimed(folder):
        assert "another process" in refused(resume, folder)
    run, writer = resume(folder)
    assert run.step == 40
    writer.close()
    assert writer.join()
    assert not (folder / CLAIM).exists()


@pytest.mark.parametrize("left", [f"{2**22 + 1} {socket.gethostname()}\n", "999 elsewhere\n", ""])
def test_a_file_that_a_crash_has_left_stops_nobody(folder, left):
    claim = folder / CLAIM
    claim.write_text(left)
    os.utime(claim, (0, 0))
    run, writer = resume(folder)
    assert run.step == 40
    writer.close()
    assert writer.join()
