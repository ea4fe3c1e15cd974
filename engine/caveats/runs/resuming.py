"""Restores a kept run as a `caveats.run.Run` at its checkpoint, to continue it or to measure it.

Nothing is written before it is known that the folder is sound and no other process writes it.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from caveats.errors import ConfigError, sentence, visible
from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.measuring.cadence import Cadence
from caveats.run import Run
from caveats.runs import checkpoint
from caveats.runs.claim import GONE_AFTER, claimed
from caveats.runs.log import LOG
from caveats.runs.manifest import Manifest
from caveats.runs.reader import Reader
from caveats.runs.writer import BEAT, Writer
from caveats.status import LIVE

__all__ = ["restore", "resume"]


def restore(folder: Path, every: int | Cadence | None = None) -> Run:
    """The run in ``folder`` as it was at its checkpoint, bit for bit on the same machine, with its
    records up to that step. Nothing is written.

    Raises:
        ConfigError: one sentence, if the folder is not a run, if the data have changed, or if the
            checkpoint is missing, damaged, of a newer version or of another network.
    """
    manifest = Manifest.read(folder)
    saved = checkpoint.read(folder)
    where = visible(folder / checkpoint.CHECKPOINT)
    try:
        run = Run(saved.config, every=every)
    except (MemoryError, RuntimeError) as error:
        raise ConfigError(f"{where}: {sentence(error)}") from None
    if run.dataset.crc32 != manifest.data_crc32:
        raise ConfigError(
            f"{visible(folder)} was trained on other data: {visible(run.dataset.name)} has changed "
            "since"
        )
    history = until(Reader(folder).history, saved.step, saved.events)
    if history.layers != run.history.layers:
        raise ConfigError(f"{where} is of another network than {LOG}")
    checkpoint.load_into(run, saved, history, where)
    if not len(history):  # the log is gone or holds no record: measure the weights as they are
        run.record()
    return run


def until(history: History, step: int, events: int) -> History:
    """The records up to ``step`` and the first ``events`` events."""
    snapshot = history.snapshot()
    kept = History(history.layers)
    for row, at in enumerate(snapshot.steps):
        if at <= step:
            kept.append(
                int(at),
                dict(zip(SCALARS, snapshot.table[row], strict=True)),
                dict(zip(LAYER_MEASURES, snapshot.cube[row], strict=True)),
                snapshot.states[row],
            )
    for event in snapshot.events[:events]:
        kept.note(event)
    return kept


def resume(folder: Path, every: int | Cadence | None = None) -> tuple[Run, Writer]:
    """Continue the run in ``folder``: returns the run at its checkpoint, and the writer that keeps
    it in the same folder. Records after the checkpoint are dropped, because the run makes them
    again.

    Raises:
        ConfigError: as `restore`, and if another process is still writing the run, or is just
            beginning to.
    """
    Manifest.read(folder)  # before the claim: what is no run gets no file
    with claimed(folder):
        manifest = Manifest.read(folder)
        refuse_if_alive(folder, manifest)
        run = restore(folder, every)
        writer = Writer(run, folder, resumed=manifest)
    run.history.note(Event(run.step, "resumed", f"resumed at step {run.step:,}"))
    return run, writer


def refuse_if_alive(folder: Path, manifest: Manifest) -> None:
    """Raises ConfigError if another process still writes the run. Locks are not reliable on a
    network file system; instead, a living process updates run.toml every two seconds."""
    now = manifest.standing
    if now.state not in LIVE:
        return
    if manifest.host == socket.gethostname() and manifest.pid != os.getpid():
        try:
            os.kill(manifest.pid, 0)
        except ProcessLookupError:
            return
        except OSError:
            pass  # the process exists, but belongs to another user
    if (datetime.now(UTC) - now.time).total_seconds() > GONE_AFTER:
        return
    deadline = time.monotonic() + 2.5 * BEAT
    while time.monotonic() < deadline:
        time.sleep(BEAT / 4)
        then = Manifest.read(folder)
        if then.standing.state not in LIVE:
            return
        if (then.standing.beat, then.starts) != (now.beat, manifest.starts):
            raise ConfigError(
                f"{visible(folder)} is being trained by process {then.pid} on "
                f"{visible(then.host)}: stop it first, or look with open"
            )
