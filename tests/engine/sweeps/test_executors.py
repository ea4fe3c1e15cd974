"""Real processes: whatever is killed, resume ends with every cell once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.executors import dask, local, slurm

BASE = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 60},
        "network": {"widths": [4]},
        "training": {"steps": 60, "batch_size": 20, "device": "cpu"},
    }
)
PATIENCE = 240.0  # seconds: a test that passes never waits so long


def made(folder: Path, rates: int) -> Sweep:
    axis = parse_axis(f"optimizer.lr=0.01..1@{rates}log", BASE)
    return Sweep.create(folder, Plan.of(BASE, [axis]))


def nothing(task: int, word: str) -> None: ...


def every_cell_once(sweep: Sweep) -> None:
    assert sweep.progress().failed == {}
    indices = [index for index, _, _ in sweep.results()]
    assert sorted(indices) == list(range(len(sweep.plan.cells)))


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def command(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """`caveats-tui sweep resume` in a process of its own."""
    program = "from caveats_tui.cli import main; main()"
    options = options or ("--workers", "1")
    return subprocess.Popen(
        [sys.executable, "-c", program, "sweep", "resume", str(folder), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def workers(parent: int) -> list[int]:
    """The worker processes of a command, as Linux lists them."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = []
    for child in children:
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_sweep_survives_kill_9_of_its_worker_and_of_its_command(tmp_path: Path) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("workers are found through Linux's /proc")
    sweep = made(tmp_path / "s", 48)
    first = command(sweep.folder)
    until(lambda: len(sweep.missing()) < 10)
    own = workers(first.pid)
    assert len(own) == 1
    os.kill(own[0], signal.SIGKILL)
    # The command makes a new worker and goes on.
    left = len(sweep.missing())
    until(lambda: len(sweep.missing()) < left)
    orphans = workers(first.pid)
    first.kill()
    first.wait()
    # A worker whose command is gone ends by itself.
    until(lambda: not any(Path(f"/proc/{pid}/environ").exists() and alive(pid) for pid in orphans))
    assert sweep.missing() != []
    sweep.go_on()
    local(sweep, 1, nothing)
    every_cell_once(sweep)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_two_commands_on_one_folder_lose_nothing(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", 16)
    both = [command(sweep.folder), command(sweep.folder)]
    assert [process.wait(PATIENCE) for process in both] == [0, 0]
    every_cell_once(sweep)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # distributed warns of its own
def test_a_sweep_runs_on_a_dask_cluster_that_loses_a_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    sweep = made(tmp_path / "s", 24)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        killed: list[int] = []

        def kill_one(task: int, word: str) -> None:
            if not killed:
                worker = next(iter(cluster.workers.values()))
                killed.append(worker.process.process.pid)
                os.kill(killed[0], signal.SIGKILL)

        dask(sweep, None, cluster.scheduler_address, kill_one)
    assert killed
    every_cell_once(sweep)


def dask_process(place: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words, "--scheduler-file", str(place)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def scheduler_at(place: Path) -> subprocess.Popen[bytes]:
    """A scheduler in a process of its own, which writes its address to ``place``."""
    return dask_process(place, "scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1")


def worker_of(place: Path) -> subprocess.Popen[bytes]:
    words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60")
    return dask_process(place, "worker", *words)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_4096_cells_survive_kill_9_of_a_worker_of_the_command_and_of_the_scheduler(
    tmp_path: Path,
) -> None:
    pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    base = BASE.changed({"training.steps": 20})
    plan = Plan.of(base, [parse_axis("optimizer.lr=0.01..1@64log", base)], seeds=64)
    sweep = Sweep.create(tmp_path / "s", plan)
    assert len(plan.cells) == 4096
    started: list[subprocess.Popen[bytes]] = []

    def cluster(place: Path) -> tuple[subprocess.Popen[bytes], ...]:
        three = scheduler_at(place), worker_of(place), worker_of(place)
        started.extend(three)
        until(place.exists)
        return three

    def resumed(place: Path) -> subprocess.Popen[bytes]:
        address = json.loads(place.read_text())["address"]
        started.append(command(sweep.folder, "--executor", "dask", "--address", address))
        return started[-1]

    def more(tasks: int) -> None:
        """Until so many more tasks have results."""
        left = len(sweep.missing())
        until(lambda: len(sweep.missing()) <= left - tasks)

    try:
        first = tmp_path / "first.json"
        scheduler, worker, _ = cluster(first)
        killed = resumed(first)
        more(2)
        worker.kill()  # the other one goes on
        more(2)
        killed.kill()
        killed.wait()
        lost = resumed(first)
        more(2)
        scheduler.kill()
        assert lost.wait(PATIENCE) == 2
        assert sweep.missing() != []
        second = tmp_path / "second.json"
        cluster(second)
        assert resumed(second).wait(PATIENCE) == 0
    finally:
        for process in started:
            process.kill()
            process.wait()
    every_cell_once(sweep)
    assert len({name for *_, name in sweep.results()}) == 4096


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_sweep_survives_the_death_of_a_dask_scheduler(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    sweep = made(tmp_path / "s", 24)
    place = tmp_path / "scheduler.json"
    scheduler, worker = scheduler_at(place), worker_of(place)
    try:
        until(place.exists)
        address = json.loads(place.read_text())["address"]

        def kill(task: int, word: str) -> None:
            scheduler.kill()

        with pytest.raises(ConfigError, match="the Dask scheduler was lost"):
            dask(sweep, None, address, kill)
        with pytest.raises(ConfigError, match="no Dask scheduler answers at tcp://"):
            dask(sweep, None, address, nothing)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert sweep.missing() != []
    local(sweep, 1, nothing)
    every_cell_once(sweep)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_sweep_runs_on_dask_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    sweep = made(tmp_path / "s", 8)
    dask(sweep, 1, None, nothing)
    every_cell_once(sweep)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_sweep_runs_as_jobs_of_submitit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit", reason="the extra [slurm] is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    sweep = made(tmp_path / "s", 8)
    ids = slurm(sweep, nothing, cluster="local")
    assert len(ids) == 2
    until(lambda: not sweep.missing())
    every_cell_once(sweep)
    assert slurm(sweep, nothing, cluster="local") == []


@pytest.mark.slow
def test_a_file_named_like_one_of_pythons_modules_stops_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People have a signal.py or a queue.py beside their training."""
    for name in ("signal", "queue", "random"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for the module of Python')")
    monkeypatch.chdir(tmp_path)
    sweep = made(tmp_path / "sweep", 2)
    local(sweep, 1, nothing)
    every_cell_once(sweep)


def test_a_sweep_in_processes_ends_with_every_cell_once(tmp_path: Path) -> None:
    sweep = made(tmp_path / "s", 8)
    words: list[str] = []
    local(sweep, 1, lambda task, word: words.append(word))
    assert words == ["done", "done"]
    every_cell_once(sweep)
