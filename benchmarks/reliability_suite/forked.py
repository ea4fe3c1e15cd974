"""Runs many commands of the program, each in a process forked from one that has imported all of it:
starting anew takes four seconds of a processor, a fork a twentieth of one.

`Forked` starts ``python -m benchmarks.reliability_suite.forked``, which reads one JSON document a
line (argv, env, folder, out) and answers with the exit code, as `subprocess` gives it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

__all__ = ["Forked"]


class Forked:
    """The process from which commands are forked; ``env`` is added to this process's own."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.reliability_suite.forked"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **env},
        )  # fmt: skip

    def run(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, out: Path
    ) -> tuple[int, str]:
        """The exit code of `caveats-tui` with ``argv``, and what it printed (through ``out``)."""
        job = {"argv": list(argv), "env": dict(env), "folder": str(folder), "out": str(out)}
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(job) + "\n")
        self._child.stdin.flush()
        return int(self._child.stdout.readline()), out.read_text(errors="replace")

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


def serve() -> None:
    import caveats_tui.cli  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            one(job)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def one(job: dict[str, object]) -> NoReturn:
    """The forked process: run the program as its console script does."""
    out = os.open(str(job["out"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, to in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(number, to)
    os.environ.update(job["env"])  # type: ignore[call-overload]
    os.chdir(str(job["folder"]))
    sys.argv = ["caveats-tui", *job["argv"]]  # type: ignore[misc]
    from caveats_tui.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve()
