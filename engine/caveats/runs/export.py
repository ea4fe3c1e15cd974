"""The formats that a kept run can be written in, and how a file comes to stand under its name.

Each format is a module of its own, imported when it is asked for; this one loads neither numpy nor
torch.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from caveats.choice import later
from caveats.errors import ConfigError, visible

__all__ = ["FORMATS", "export", "written"]

# Function of (folder, out), and how the file is called if nobody says.
tables, arrays = later("caveats.runs.tables"), later("caveats.runs.arrays")
tensorboard = later("caveats.runs.tensorboard")
FORMATS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "csv": (lambda folder, out: tables.to_csv(folder, out), ".csv"),
    "jsonl": (lambda folder, out: tables.to_jsonl(folder, out), ".jsonl"),
    "npz": (lambda folder, out: arrays.to_npz(folder, out), ".npz"),
    "tensorboard": (lambda folder, out: tensorboard.to_tensorboard(folder, out), "-tensorboard"),
}


def export(folder: Path, to: str, out: Path | None = None) -> Path:
    """Write the run in ``folder`` as ``to`` (a key of `FORMATS`) to ``out``, by default beside the
    present folder's files under the run's name; returns where it stands.

    Raises:
        ConfigError: for a folder that is no run, an ``out`` that is there already or cannot be
            written, and whatever the format needs that the run does not have.
    """
    function, ending = FORMATS[to]
    if out is None:
        out = Path(folder.resolve().name + ending)
    if os.path.lexists(out):
        raise ConfigError(f"{visible(out)} is there already: name another with --out")
    function(folder, out)
    return out


@contextmanager
def written(out: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """A file that takes the name ``out`` once it is whole; after an error there is none."""
    try:
        descriptor, part = tempfile.mkstemp(prefix=f".{out.name[:100]}.", dir=out.parent)
    except OSError as error:
        raise ConfigError(f"{visible(out)} cannot be written: {error.strerror}") from None
    try:
        with (
            open(descriptor, "wb")
            if binary
            else open(descriptor, "w", encoding="utf-8", newline="")
        ) as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(part, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
        os.replace(part, out)
    except OSError as error:
        raise ConfigError(f"{visible(out)} cannot be written: {error.strerror}") from None
    finally:
        Path(part).unlink(missing_ok=True)
