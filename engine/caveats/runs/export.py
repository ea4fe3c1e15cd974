"""The formats that a kept run can be exported to, and the safe writing of an export's file.

Each format is a module of its own, imported when it is used; this module loads neither numpy nor
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
from caveats.runs.files import remove

__all__ = ["FORMATS", "export", "written"]

# A function of (folder, out), and the default name of the file.
tables, arrays = later("caveats.runs.tables"), later("caveats.runs.arrays")
tensorboard = later("caveats.runs.tensorboard")
FORMATS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "csv": (lambda folder, out: tables.to_csv(folder, out), ".csv"),
    "jsonl": (lambda folder, out: tables.to_jsonl(folder, out), ".jsonl"),
    "npz": (lambda folder, out: arrays.to_npz(folder, out), ".npz"),
    "tensorboard": (lambda folder, out: tensorboard.to_tensorboard(folder, out), "-tensorboard"),
}


def export(folder: Path, to: str, out: Path | None = None) -> Path:
    """Write the run in ``folder`` in the format ``to`` (a key of `FORMATS`) to ``out``; returns
    ``out``. By default it is in the current folder, under the run's name.

    Raises:
        ConfigError: if ``folder`` is not a run, if ``out`` exists or cannot be written, or if the
            run lacks what the format needs.
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
    """A file that is renamed to ``out`` when it is complete; after an error there is no file."""
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
        remove(Path(part))
