"""Runs many commands of the program, each in a process forked from one that has imported all of it:
starting anew takes four seconds of a processor, a fork a twentieth of one.

`Forked` starts ``python -m benchmarks.reliability_suite.forked``, which reads one JSON document a
line (argv, env, folder, and out or terminal) and answers with two: the pid of the process, and at
its end its exit code, as `subprocess` gives it. The process ends as any other of Python's does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Forked", "ForkedProcess"]


class ForkedProcess:
    """What `subprocess.Popen` offers, for a process of the other process."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._answers = answers

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = line(self._answers)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired where it has not ended ``timeout`` seconds later."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._answers], [], [], left)[0]:
                raise subprocess.TimeoutExpired("caveats-tui", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # its exit code is on its way
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forked:
    """The process from which commands are forked; ``env`` is its environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.reliability_suite.forked"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=dict(env),
        )  # fmt: skip
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._jobs, self._answers = self._child.stdin, self._child.stdout.fileno()
        self.pid = self._child.pid

    def start(self, **job: object) -> ForkedProcess:
        """`caveats-tui` with ``argv`` and ``env``, in the ``folder``; at the ``terminal`` of this
        name, or printing to the file ``out``. One at a time."""
        self._jobs.write(json.dumps(job).encode() + b"\n")
        return ForkedProcess(line(self._answers), self._answers)

    def run(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, out: Path
    ) -> tuple[int, str]:
        """The exit code of `caveats-tui` with ``argv``, and what it printed (through ``out``)."""
        job = self.start(argv=list(argv), env=dict(env), folder=str(folder), out=str(out))
        return job.wait(), out.read_text(errors="replace")

    def close(self) -> None:
        self._jobs.close()
        self._child.wait()


def line(descriptor: int) -> int:
    """The number on the next line. Raises RuntimeError at the end."""
    text = b""
    while not text.endswith(b"\n"):
        if not (more := os.read(descriptor, 1)):
            raise RuntimeError("the process from which commands are forked has ended")
        text += more
    return int(text)


def serve() -> None:
    import caveats
    import caveats_tui

    for package in (caveats, caveats_tui):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for text in sys.stdin:
        job = json.loads(text)
        child = os.fork()
        if child == 0:
            become(job)
            from caveats_tui.cli import main

            main()
        _, status = os.waitpid(child, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def become(job: Mapping[str, object]) -> None:
    """The forked process: what a shell does for the program's console script."""
    if "terminal" in job:
        os.setsid()
        taken = [os.open(str(job["terminal"]), os.O_RDWR)] * 3  # the session's own by this
    else:
        out = os.open(str(job["out"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        taken = [os.open(os.devnull, os.O_RDONLY), out, out]
    os.write(1, b"%d\n" % os.getpid())
    for number, to in enumerate(taken):
        os.dup2(to, number)
    for descriptor in set(taken):
        os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(number, "w" if number else "r", buffering=1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(job["env"])  # type: ignore[call-overload]
    os.chdir(str(job["folder"]))
    sys.argv = ["caveats-tui", *job["argv"]]  # type: ignore[misc]


if __name__ == "__main__":
    serve()
