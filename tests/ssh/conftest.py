"""An OpenSSH server on loopback, with keys made for the test, a client for it, and what it leaves
behind."""

from __future__ import annotations

import getpass
import importlib.util
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

# importmode=importlib keeps test folders off sys.path: loaded by its path
_SPEC = importlib.util.spec_from_file_location(
    "terminal_fixtures", Path(__file__).parents[1] / "terminal" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_fixtures = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_fixtures)
terminal = _fixtures.terminal

DEADLINE = 180  # seconds after which a test that waits in vain fails
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Sequence[str]]]:
    """``ssh(command)`` is the argv of a client that runs ``command`` in a terminal over there."""
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's server or client is not installed (Debian: openssh-server)")
    place = tmp_path_factory.mktemp("sshd")
    for key in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / key)], check=True
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {place}/host\nPidFile none\n"
        f"AuthorizedKeysFile {place}/client.pub\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.getuid() == 0:  # where sshd locks itself up; only root's sshd needs it
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(place / "config")], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    said = ""
    while "Server listening" not in said:
        line = server.stderr.readline()
        if not line:
            pytest.skip(f"sshd does not start here: {said.strip()}")
        said += line

    def client(command: str) -> Sequence[str]:
        return (
            "ssh", "-tt", "-p", str(port), "-i", str(place / "client"),
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
            "-F", "none", f"{getpass.getuser()}@127.0.0.1", command,
        )  # fmt: skip

    yield client
    server.terminate()
    server.wait()
    server.stderr.close()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """``until(what)`` waits until ``what()`` is true."""

    def wait(what: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not what():
            assert time.monotonic() < end, "it never happened"
            select.select([], [], [], 0.05)

    return wait


@pytest.fixture(scope="session")
def left_behind() -> Callable[[Path], list[str]]:
    """``left_behind(folder)``: the command lines of processes that have ``folder`` in theirs or in
    their environment, which children inherit. One that has ended has neither, also where nobody
    has waited for it."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("/proc does not tell the environment of processes here")

    def find(folder: Path) -> list[str]:
        word, found = str(folder).encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes()
                if word in line or word in (process / "environ").read_bytes():
                    found.append(line.replace(b"\0", b" ").decode(errors="replace"))
            except OSError:  # it has just ended, or is somebody else's
                continue
        return found

    return find
