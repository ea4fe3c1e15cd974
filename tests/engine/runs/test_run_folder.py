"""A run's folder: what was written is read back, while it is being written, after a resume, when
the disk fails, and when the log grows too long."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES
from caveats.run import Run
from caveats.runs import log as logging
from caveats.runs import reader as reading
from caveats.runs import resuming
from caveats.runs import writer as writing
from caveats.runs.lines import event_line, parse, record_line
from caveats.runs.log import Log
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Follower, Reader
from caveats.runs.resuming import restore, resume
from caveats.runs.writer import Writer
from caveats.session import Session
from caveats.verdicts import judge

CONFIG = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 100},
        "network": {"widths": [8, 8], "init": {"name": "normal", "std": 1.0}, "bias": -1.0},
        "training": {"steps": 60, "batch_size": 20},
    }
)


def finish(run: Run, writer: Writer) -> None:
    while not run.finished:
        run.advance()
        writer.between_steps()
    writer.tell("finished")
    writer.close()
    assert writer.join()


def assert_same(read: History, made: History) -> None:
    a, b = read.snapshot(), made.snapshot()
    np.testing.assert_array_equal(a.steps, b.steps)
    np.testing.assert_allclose(a.table, b.table, rtol=1e-8)
    np.testing.assert_allclose(a.cube, b.cube, rtol=1e-8)
    for mine, theirs in zip(a.states, b.states, strict=True):
        for x, y in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(x, y)
    assert a.events == b.events


def test_what_is_read_is_what_was_recorded(tmp_path):
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run")
    for _ in range(30):
        run.advance()
    run.change(CONFIG.changed({"optimizer.lr": 0.05, "network.activation": "leaky_relu"}))
    finish(run, writer)
    reader = Reader(tmp_path / "run")
    assert_same(reader.history, run.history)
    assert reader.config == run.config
    assert reader.history.facts.baseline == run.baseline
    assert reader.status.state == "finished"
    assert reader.silent == 0


def test_a_run_that_is_over_is_judged_before_its_folder_is_closed(tmp_path):
    """The lab holds a finished run open while its list of runs shows it."""
    run = Run(CONFIG)
    writer = Writer(run, tmp_path / "run")
    run.advance()
    writer.tell("running")
    while Manifest.read(tmp_path / "run").standing.state != "running":
        writer._wake.set()
    assert Manifest.read(tmp_path / "run").standing.verdicts is None
    while not run.finished:
        run.advance()
    writer.tell("finished")
    while (standing := Manifest.read(tmp_path / "run").standing).state != "finished":
        writer._wake.set()
    assert standing.verdicts == tuple((v.caveat, v.severity) for v in judge(run.history))
    assert standing.verdicts
    writer.close()
    assert writer.join()


def test_a_run_is_followed_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "TICK", 0.005)
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run", state="running")
    reader = Reader(tmp_path / "run")
    assert reader.status.state == "running"
    for _ in range(20):
        run.advance()
    while len(reader.history) < 21:  # ends as soon as the thread has written
        reader.refresh()
    assert_same(reader.history, run.history)
    finish(run, writer)
    while reader.refresh():
        pass
    assert_same(reader.history, run.history)
    assert reader.status.state == "finished"


def test_a_follower_keeps_a_reader_fresh_until_the_folder_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(Follower, "PAUSE", 0.005)
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run")
    with Follower(Reader(tmp_path / "run")) as follower:
        finish(run, writer)
        while follower.reader.status.state != "finished" or len(follower.reader.history) < 61:
            pass
        assert_same(follower.reader.history, run.history)
        shutil.rmtree(tmp_path / "run")
        while not follower.problem:
            pass
    assert follower.problem == f"{tmp_path / 'run'} is gone"


def test_every_name_of_the_package_is_there_and_lists_without_numpy():
    code = (
        "import sys, caveats.runs as r; r.list_runs(r.default_place()); "
        "print('numpy' in sys.modules, 'torch' in sys.modules); [getattr(r, n) for n in r.__all__]"
    )
    called = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert called.stdout == "False False\n"


def test_silence_is_told_from_a_stop(tmp_path, monkeypatch):
    run = Run(CONFIG)
    writer = Writer(run, tmp_path / "run", state="running")
    clock = [1000.0]
    monkeypatch.setattr(reading.time, "monotonic", lambda: clock[0])
    reader = Reader(tmp_path / "run")
    assert reader.status.problem == ""
    clock[0] += 5  # a busy machine may take seconds from the writing to the reading
    assert reader.status.problem == ""
    clock[0] += 6
    assert "no news for 1" in reader.status.problem
    writer.close()
    assert writer.join()
    reader.refresh()
    assert (reader.status.state, reader.status.problem) == ("stopped", "")


def test_the_reader_starts_anew_where_the_log_was_replaced(tmp_path):
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run")
    for _ in range(20):
        run.advance()
    writer.close()  # a checkpoint at step 20
    assert writer.join()
    reader = Reader(tmp_path / "run")
    # Steps that were recorded, but lie beyond the checkpoint, as after a crash.
    ahead = Run(CONFIG, every=1)
    for _ in range(25):
        ahead.advance()
    snapshot = ahead.history.snapshot()
    Log(tmp_path / "run").append("".join(record_line(snapshot, r) for r in (21, 22)).encode())
    reader.refresh()
    assert reader.history.snapshot().steps[-1] == 22

    resumed, writer = resume(tmp_path / "run", every=1)
    assert resumed.step == 20
    assert resumed.history.snapshot().steps[-1] == 20
    finish(resumed, writer)
    reader.refresh()
    assert_same(reader.history, resumed.history)
    assert [event.kind for event in reader.history.snapshot().events] == ["resumed"]
    assert reader.manifest.starts == 2


def test_a_resumed_run_ends_as_one_that_never_stopped(tmp_path):
    whole = Run(CONFIG, every=1)
    stopped = Run(CONFIG, every=1)
    writer = Writer(stopped, tmp_path / "run")
    for _ in range(33):
        stopped.advance()
    writer.close()
    assert writer.join()
    resumed, writer = resume(tmp_path / "run", every=1)
    finish(resumed, writer)
    while not whole.finished:
        whole.advance()
    a, b = whole.history.snapshot(), resumed.history.snapshot()
    np.testing.assert_array_equal(a.steps, b.steps)
    for name in ("loss", "batch_loss", "lr"):
        np.testing.assert_array_equal(a.scalar(name)[34:], b.scalar(name)[34:], err_msg=name)
    for name in ("dead", "born_dead", "grad_norm", "update_ratio", "silent"):
        np.testing.assert_array_equal(a.layers(name)[34:], b.layers(name)[34:], err_msg=name)


def test_a_diverged_run_stays_diverged(tmp_path):
    run = Run(CONFIG.changed({"optimizer.lr": 1e30}))
    writer = Writer(run, tmp_path / "run")
    finish(run, writer)
    assert run.divergence is not None
    assert restore(tmp_path / "run").divergence == run.divergence


def test_a_folder_in_use_is_not_overwritten(tmp_path):
    writer = Writer(Run(CONFIG), tmp_path / "run")
    with pytest.raises(ConfigError, match="not empty"):
        Writer(Run(CONFIG), tmp_path / "run")
    writer.close()
    assert writer.join()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Writer(Run(CONFIG), tmp_path / "file")


def test_a_run_that_another_process_writes_is_not_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BEAT", 0.02)
    monkeypatch.setattr(writing, "TICK", 0.01)
    writer = Writer(Run(CONFIG), tmp_path / "run", state="running")
    with pytest.raises(ConfigError, match=f"process {os.getpid()} "):
        resume(tmp_path / "run")
    writer.close()
    assert writer.join()
    run, writer = resume(tmp_path / "run")
    finish(run, writer)


def test_a_run_whose_process_is_gone_is_resumed_at_once(tmp_path, monkeypatch):
    writer = Writer(Run(CONFIG), tmp_path / "run", state="running")
    writer.close()
    assert writer.join()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    manifest = Manifest.read(tmp_path / "run")
    standing = replace(manifest.standing, state="running")
    replace(manifest, pid=gone.pid, standing=standing).write(tmp_path / "run")
    monkeypatch.setattr(resuming.time, "sleep", pytest.fail)  # it need not even wait
    run, writer = resume(tmp_path / "run")
    finish(run, writer)


def test_a_run_with_an_enormous_loss_can_be_resumed(tmp_path):
    """Sums of losses above 1e12 used to be refused as impossible."""
    run = Run(CONFIG, every=10**9)
    for _ in range(3):
        run.advance()
    run.observer._losses = 1e20
    writer = Writer(run, tmp_path / "run")
    writer.close()
    assert writer.join()
    assert restore(tmp_path / "run").observer._losses == 1e20


def test_the_log_reaches_as_far_as_the_checkpoint(tmp_path, monkeypatch):
    """A run that is killed right after its checkpoint was written continues from there, so it would
    never make the records again that were missing in the log."""
    run = Run(CONFIG, every=1)
    written = []
    original = Writer._write_checkpoint

    def late(writer, now):  # the trainer makes steps between the two
        run.advance()
        writer._take()
        original(writer, now)
        last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
        written.append((run.step, last["step"]))

    monkeypatch.setattr(Writer, "_write_checkpoint", late)
    writer = Writer(run, tmp_path / "run")
    writer.close()
    assert writer.join()
    assert written
    assert all(step == last for step, last in written)


def test_data_that_changed_are_noticed(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n" + "\n".join(f"{i},{i % 2}" for i in range(50)))
    config = CONFIG.changed({"data.file": str(path), "data.target": "b", "training.loss": "auto"})
    finish(run := Run(config), Writer(run, tmp_path / "run"))
    assert restore(tmp_path / "run").step == 60
    path.write_text(path.read_text().replace("7,", "8,", 1))
    with pytest.raises(ConfigError, match="changed since"):
        restore(tmp_path / "run")


def test_a_full_disk_is_said_once_the_run_goes_on_and_the_log_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "TICK", 0.005)
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run", state="running")
    full = threading.Event()
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if not full.is_set() or not isinstance(data, memoryview):
            return write(descriptor, data)
        if len(data) > 10:
            return write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", limited)
    full.set()
    for _ in range(30):
        run.advance()
        writer.between_steps()
    while not writer.problem:
        pass
    assert "No space left on device" in writer.problem
    assert "not kept" in writer.problem
    Reader(tmp_path / "run")
    full.clear()
    finish(run, writer)
    assert writer.problem == ""
    reader = Reader(tmp_path / "run")
    assert reader.problems == ()
    assert_same(reader.history, run.history)


def test_the_trainer_does_not_wait_for_a_disk_that_hangs(tmp_path, monkeypatch):
    run = Run(CONFIG, every=1)
    writer = Writer(run, tmp_path / "run", state="running")
    hangs, write = threading.Event(), os.write

    def hanging(descriptor: int, data: bytes) -> int:
        if isinstance(data, memoryview):
            hangs.wait()
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", hanging)
    while not run.finished:  # would never end
        run.advance()
        writer.between_steps()
    hangs.set()
    finish(run, writer)
    assert_same(Reader(tmp_path / "run").history, run.history)


def made_history(records: int, layers: int = 3, units: int = 4) -> History:
    draw = np.random.default_rng(0)
    history = History(tuple(f"layer {i}" for i in range(layers)), capacity=records)
    for step in range(records):
        states = tuple(draw.integers(0, 5, units).astype(np.uint8) for _ in range(layers))
        if step % 3:
            states = history.snapshot().states[-1]
        values = draw.normal(size=(len(LAYER_MEASURES), layers))
        history.append(
            step, {"loss": float(draw.normal())}, dict(zip(LAYER_MEASURES, values, strict=True)),
            states,
        )  # fmt: skip
    return history


def written(folder: Path, history: History, largest: int) -> None:
    folder.mkdir()
    log, before = Log(folder, largest), None
    snapshot = history.snapshot()
    for row in range(len(snapshot)):
        log.append(record_line(snapshot, row, before).encode())
        before = snapshot.states[row]
        if row == 10:
            log.append(event_line(Event(10, "change", "early")).encode())


def test_a_log_that_grows_too_long_is_thinned_and_loses_no_state_and_no_event(tmp_path):
    history = made_history(400)
    written(tmp_path / "whole", history, logging.LARGEST)
    size = (tmp_path / "whole" / "log.jsonl").stat().st_size
    written(tmp_path / "thin", history, size // 4)
    assert (tmp_path / "thin" / "log.jsonl").stat().st_size <= size // 4

    snapshot = history.snapshot()
    steps, states, events = [], (), 0
    for line in (tmp_path / "thin" / "log.jsonl").read_bytes().splitlines():
        content = parse(line, (4, 4, 4))
        if isinstance(content, Event):
            events += 1
            continue
        steps.append(content.step)
        states = content.states or states
        for x, y in zip(states, snapshot.states[content.step], strict=True):
            np.testing.assert_array_equal(x, y)
    assert events == 1
    assert steps[0] == 0
    assert steps == sorted(set(steps))
    assert steps[-30:] == list(range(370, 400))  # the newest are whole
    # Thinned a dozen times over, it still tells of the whole run. Halving the older half each time
    # would leave a hole of 232 steps.
    assert np.diff(steps).max() <= 60


def test_a_long_log_is_read_in_part_with_the_states_of_what_is_left_out(tmp_path, monkeypatch):
    run = Run(CONFIG, every=1)
    finish(run, Writer(run, tmp_path / "run"))
    size = (tmp_path / "run" / "log.jsonl").stat().st_size
    monkeypatch.setattr(reading, "READ_WHOLE", size // 5)
    monkeypatch.setattr(reading, "READ_END", 0)
    reader = Reader(tmp_path / "run")
    read, made = reader.history.snapshot(), run.history.snapshot()
    assert 10 <= len(read) <= 14
    assert read.steps[-1] == made.steps[-1]
    for step, states in zip(read.steps, read.states, strict=True):
        for x, y in zip(states, made.states[step], strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_session_keeps_its_runs_and_resumes_them(tmp_path):
    from caveats.runs.keeper import Keeper
    from caveats.runs.shelf import list_runs

    with Session(CONFIG, keeper=Keeper(tmp_path)) as session:
        assert session.settled()
        session.restart()  # a run without a step is not kept
        session.single_step()
        assert session.settled()
        first = session.keeper.folder
        session.restart(play=True)
        while session.status.state != "finished":
            pass
        second = session.keeper.folder
    states = {entry.folder: entry.manifest.standing.state for entry in list_runs(tmp_path)}
    assert states == {first: "stopped", second: "finished"}

    with Session(CONFIG, keeper=Keeper(tmp_path)) as session:
        session.resume(first)
        session.play()
        assert session.settled()
        while session.status.state != "finished":
            pass
        session.resume(tmp_path / "absent")
        assert session.settled()
        assert session.status.state == "finished"  # the present run stays
        assert "absent" in session.status.problem
        resumed = session.run
    assert resumed is not None
    assert_same(Reader(first).history, resumed.history)
    assert len(list_runs(tmp_path)) == 2


def test_a_session_goes_on_where_nothing_can_be_kept(tmp_path):
    from caveats.runs.keeper import Keeper

    (tmp_path / "file").write_text("")
    with Session(CONFIG, keeper=Keeper(tmp_path / "file")) as session:
        session.play()
        assert session.settled()
        while session.status.state != "finished":
            pass
        assert "not kept" in session.keeper.problem
