"""Runs the missing tasks of a sweep: in processes of this machine, on Dask, or by Slurm.

Whatever happens to a worker, to its scheduler or to this process, results are whole or absent, so
that the sweep can be resumed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caveats.errors import ConfigError, nearest, sentence, visible
from caveats.runs.files import replace_file
from caveats.sweeps.folder import Sweep
from caveats.sweeps.work import work

__all__ = ["EXECUTORS", "dask", "dry_run", "local", "run", "slurm"]

EXECUTORS = ("local", "dask", "slurm")
ATTEMPTS = 3  # of a task whose worker dies
JOBS = "jobs.json"
WAIT = 0.5  # seconds between two looks at the futures
ANSWER = 10.0  # seconds that Dask may take to hand over the answer of a task

Report = Callable[[int, str], None]


def run(
    sweep: Sweep, executor: str, workers: int | None, address: str | None, report: Report
) -> None:
    """Run what is missing with the named executor. ``report(task, word)`` is called when a task
    ends, with the answer of `caveats.sweeps.work.work`. Slurm's jobs are submitted and not awaited.

    Raises:
        ConfigError: for an unknown executor, or one that is not there.
    """
    if executor == "local":
        local(sweep, workers, report)
    elif executor == "dask":
        dask(sweep, workers, address, report)
    elif executor == "slurm":
        slurm(sweep, report)
    else:
        raise ConfigError(
            f"--executor {visible(executor)} is unknown: {nearest(executor, EXECUTORS)}"
        )


# --- processes of this machine


# What new processes find: one thread of torch each, since one stack fills a core; and no modules in
# the present folder, where a person's signal.py would be taken for Python's own.
OF_WORKERS = {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


@contextmanager
def environment_of_workers() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in OF_WORKERS}
    os.environ.update(OF_WORKERS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with(parent: int) -> None:
    """Called in a new worker: end it when the process that made it is gone, as after kill -9."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(WAIT)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def local(sweep: Sweep, workers: int | None, report: Report) -> None:
    """Run the missing tasks in ``workers`` processes (default: one a core), until none is left or
    the sweep is cancelled. A task whose worker dies is tried again, at most three times."""
    left = sweep.missing()
    died: dict[int, int] = {}
    with environment_of_workers():
        while left and not sweep.cancel_file.exists():
            broken = pooled(sweep, left, workers or os.cpu_count() or 1, report)
            left = [t for t in left if t in broken and not sweep.is_done(t)]
            for task in list(left):
                died[task] = died.get(task, 0) + 1
                if died[task] == ATTEMPTS:
                    left.remove(task)
                    sweep.fail(task, f"its worker died {ATTEMPTS} times")
                    report(task, f"its worker died {ATTEMPTS} times")


def pooled(sweep: Sweep, tasks: Iterable[int], workers: int, report: Report) -> set[int]:
    """Run ``tasks`` in one pool; returns those that were not reported because a worker died."""
    context = multiprocessing.get_context("spawn")
    waiting = list(tasks)
    broken: set[int] = set()
    pool = ProcessPoolExecutor(workers, context, initializer=end_with, initargs=(os.getpid(),))
    try:
        # Only as many as there are workers, so that a death blames few tasks.
        futures: dict[Any, int] = {}
        while waiting or futures:
            while waiting and len(futures) < workers and not sweep.cancel_file.exists():
                task = waiting.pop(0)
                futures[pool.submit(work, str(sweep.folder), task)] = task
            if not futures:
                break
            done, _ = wait(futures, timeout=WAIT, return_when=FIRST_COMPLETED)
            for future in done:
                task = futures.pop(future)
                try:
                    report(task, future.result())
                except BrokenProcessPool:
                    broken.add(task)
            if broken:
                return broken | set(futures.values()) | set(waiting)
    except BrokenProcessPool:  # while a task was submitted
        return broken | {task} | set(futures.values()) | set(waiting)
    finally:
        pool.shutdown(cancel_futures=True)
    return broken


# --- Dask


def dask(sweep: Sweep, workers: int | None, address: str | None, report: Report) -> None:
    """Run the missing tasks on the scheduler at ``address``, or on a LocalCluster.

    Raises:
        ConfigError: where distributed is not installed, where no scheduler answers, or where it is
            lost before all tasks are done.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ConfigError(
            "--executor dask needs distributed: pip install 'caveats-tui[dask]'"
        ) from None
    cluster = None
    try:
        if address is None:
            with environment_of_workers():
                cluster = LocalCluster(
                    n_workers=workers or os.cpu_count() or 1,
                    threads_per_worker=1,
                    dashboard_address=None,
                )
        client = Client(cluster or address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {visible(address)}: {sentence(error)}"
        ) from None
    try:
        futures = {
            client.submit(work, str(sweep.folder), task, key=f"sweep-{task}", pure=False,
                          retries=ATTEMPTS): task
            for task in sweep.missing()
        }  # fmt: skip
        awaited(sweep, client, futures, report)
    finally:
        client.close(timeout=5)
        if cluster is not None:
            cluster.close(timeout=5)


def awaited(sweep: Sweep, client: Any, futures: dict[Any, int], report: Report) -> None:
    """Report each task when it ends. It looks now and then, because waiting for futures does not
    end when the scheduler is gone."""
    lost = ConfigError(
        f"the Dask scheduler was lost: caveats-tui sweep resume {visible(sweep.folder)} goes on"
    )
    while futures:
        for future in [f for f in futures if f.status != "pending"]:
            try:
                word = ended(future) if client.status == "running" else None
            except (OSError, TimeoutError):  # the answer was on the scheduler
                raise lost from None
            if word is None:
                raise lost
            task = futures.pop(future)
            if future.status != "finished":
                sweep.fail(task, word)
            report(task, word)
        if client.status != "running":
            raise lost
        time.sleep(WAIT if futures else 0)


def ended(future: Any) -> str:
    """The answer of a task that Dask has run, or why there is none."""
    if future.status == "finished":
        return str(future.result(timeout=ANSWER))
    return f"{future.status} by Dask: {sentence(future.exception(timeout=ANSWER) or OSError())}"


# --- Slurm


def slurm(sweep: Sweep, report: Report, cluster: str = "slurm") -> list[str]:
    """Submit the missing tasks as one array of jobs, and return their ids without waiting: the
    submitting shell may go away. ``cluster`` "local" runs them in processes, as submitit's tests
    do.

    Raises:
        ConfigError: where submitit or sbatch is not there.
    """
    executor = submitit_executor(sweep, cluster)
    tasks = sweep.missing()
    if not tasks:
        return []
    jobs = executor.map_array(work, [str(sweep.folder)] * len(tasks), tasks)
    ids = [str(job.job_id) for job in jobs]
    replace_file(sweep.folder / JOBS, json.dumps({"cluster": cluster, "ids": ids}).encode())
    for task, name in zip(tasks, ids, strict=True):
        report(task, f"submitted as {name}")
    return ids


def submitit_executor(sweep: Sweep, cluster: str) -> Any:
    try:
        import submitit
    except ImportError:
        raise ConfigError(
            "--executor slurm needs submitit: pip install 'caveats-tui[slurm]'"
        ) from None
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise ConfigError(
            "--executor slurm needs sbatch, which is not on this machine: use --executor local, "
            "or --dry-run to see the script"
        )
    executor = submitit.AutoExecutor(folder=str(sweep.folder / "jobs"), cluster=cluster)
    executor.update_parameters(**parameters())
    return executor


def parameters() -> dict[str, Any]:
    """What a job asks for: one core, and time enough for a task of any usual sweep."""
    return {"timeout_min": 240, "cpus_per_task": 1, "mem_gb": 4, "name": "caveats-sweep"}


def dry_run(folder: Path, tasks: int) -> str:
    """The script that Slurm would be given: the one that submitit writes, for an array of jobs.

    Raises:
        ConfigError: where submitit is not installed.
    """
    try:
        from submitit.slurm.slurm import _make_sbatch_string
    except ImportError:
        raise ConfigError(
            "--executor slurm needs submitit: pip install 'caveats-tui[slurm]'"
        ) from None
    jobs = folder / "jobs"
    asked = parameters()
    script = _make_sbatch_string(
        command=f"{sys.executable} -u -m submitit.core._submit {jobs}",
        folder=jobs,
        job_name=asked["name"],
        time=asked["timeout_min"],
        cpus_per_task=asked["cpus_per_task"],
        mem=f"{asked['mem_gb']}GB",
        map_count=tasks,
    )
    return str(script)


def cancel_jobs(sweep: Sweep) -> None:
    """Cancel the jobs that were given to Slurm, if there are any."""
    path = sweep.folder / JOBS
    if not path.exists() or shutil.which("scancel") is None:
        return
    import subprocess

    ids = json.loads(path.read_text())["ids"]
    subprocess.run(["scancel", *{name.partition("_")[0] for name in ids}], check=False)
