"""An OpenSSH server on loopback, with keys made for the test, and a client for it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

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
