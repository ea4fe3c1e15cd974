"""The folder of a watched command: a part for each model of each process, and what its processes
told. The first part that is begun is the folder itself; the others lie in ``parts``.

Needs no torch: the process that started the command reads it too.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caveats.errors import ConfigError
from caveats.runs.lines import is_event
from caveats.runs.log import Tail
from caveats.runs.manifest import MANIFEST, Manifest
from caveats.status import LIVE

__all__ = [
    "FIRST", "PARTS", "SETTINGS", "Events", "Notes", "claim", "environment", "finish", "parts",
    "settings", "tell",
]  # fmt: skip

SETTINGS = "CAVEATS_WATCH"
PARTS = "parts"
FIRST = ".first"  # made by the process that has the folder itself for its part
ENTRANCE = Path(__file__).with_name("entrance")
HOME = Path(__file__).parents[2]


def environment(
    folder: Path, notes: Path, argv: list[str], every: int | None, share: float,
    before: Mapping[str, str],
) -> dict[str, str]:  # fmt: skip
    """The environment for a command that is watched: ``before`` with two more entries."""
    asked = {
        "folder": str(folder.absolute()), "notes": str(notes.absolute()), "home": str(HOME),
        "argv": argv, "cwd": os.getcwd(), "every": every, "share": share,
    }  # fmt: skip
    path = [str(ENTRANCE), *filter(None, [before.get("PYTHONPATH")])]
    return {**before, SETTINGS: json.dumps(asked), "PYTHONPATH": os.pathsep.join(path)}


def settings() -> dict[str, Any]:
    """What `environment` asked for, in a process that was started with it."""
    asked: dict[str, Any] = json.loads(os.environ[SETTINGS])
    return asked


def tell(what: str, text: str = "") -> None:
    """Add a line to the notes: "python", "torch", "trains", or a "problem" with its sentence."""
    line = json.dumps({"pid": os.getpid(), "what": what, "text": text}) + "\n"
    descriptor = os.open(settings()["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def claim(folder: Path, name: str) -> Path:
    """An empty folder for one more model: ``folder`` itself for the first one. Of a distributed
    training, that of rank 0 is the first."""
    rank = os.environ.get("RANK", "0")
    if rank == "0":
        try:
            os.close(os.open(folder / FIRST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            return folder
        except FileExistsError:
            pass
    begin = re.sub(r"[^A-Za-z0-9_.]+", "", name)[:40] or "model"
    place = folder / PARTS
    place.mkdir(exist_ok=True)
    end = f"rank{rank}" if rank != "0" else str(os.getpid())
    return Path(tempfile.mkdtemp(prefix=f"{begin}-{end}-", dir=place))


def parts(folder: Path) -> list[Path]:
    """The folders of all models, the first one first."""
    found = [folder] if (folder / MANIFEST).is_file() else []
    beside = sorted(p for p in (folder / PARTS).glob("*") if (p / MANIFEST).is_file())
    return found + beside


def finish(folder: Path, exit_code: int) -> None:
    """After the command has ended: note its exit code in every part; a part that its process could
    not close was stopped with it."""
    for part in parts(folder):
        try:
            manifest = Manifest.read(part)
        except ConfigError:
            continue
        if manifest.command is not None and manifest.command.exit_code is not None:
            continue
        now = manifest.standing
        if now.state in LIVE:
            how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
            now = replace(
                now, state="stopped", problem=f"its process ended with {how}", beat=now.beat + 1,
                time=datetime.now(UTC),
            )  # fmt: skip
        command = (
            None if manifest.command is None else replace(manifest.command, exit_code=exit_code)
        )
        replace(manifest, standing=now, command=command).write(part)


@dataclass
class Notes:
    """What the processes of a command told. ``problems`` are sentences, each once."""

    path: Path
    pythons: int = 0
    torches: int = 0
    training: int = 0
    problems: list[str] = field(default_factory=list)
    _read: int = 0

    def look(self) -> None:
        try:
            data = self.path.read_bytes()
        except OSError:
            return
        new, self._read = data[self._read :], data.rfind(b"\n") + 1
        for line in new.splitlines():
            try:
                note = json.loads(line)
                what, text = note["what"], str(note["text"])
            except (ValueError, KeyError, TypeError):
                continue
            self.pythons += what == "python"
            self.torches += what == "torch"
            self.training += what == "trains"
            if what == "problem" and text not in self.problems:
                self.problems.append(text)

    @property
    def sentence(self) -> str:
        """Why nothing was watched, for a command that has ended without training."""
        if self.problems:
            return f"the instruments could not come in: {self.problems[0]}"
        if self.training:
            return "nothing was watched: no optimizer made a step"
        if self.torches:
            return "nothing was watched: no optimizer was made, and backward was not called"
        if self.pythons:
            return "nothing was watched: it did not import torch"
        return (
            "nothing was watched: it started no Python that reads its environment (python -I and "
            "-E do not, nor one for which the command sets PYTHONPATH anew)"
        )


class Events:
    """Reads the new events of every part of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tails: dict[Path, Tail] = {}

    def look(self) -> Iterator[dict[str, Any]]:
        """Each new event as a dict, with the name of its ``part``, "" for the first."""
        for part in parts(self._folder):
            tail = self._tails.setdefault(part, Tail(part, lambda size: None))
            lines: list[bytes] = []
            tail.look(lines.append)
            name = "" if part == self._folder else part.name
            for line in filter(is_event, lines):
                try:
                    yield {"part": name, **json.loads(line)}
                except ValueError:
                    continue
