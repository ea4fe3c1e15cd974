"""Writes a run as a TensorBoard event file, with the tensorboard package (an optional extra:
``pip install caveats-tui[tensorboard]``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from caveats.errors import ConfigError, visible
from caveats.history import Event
from caveats.runs.lines import Record
from caveats.runs.manifest import Manifest
from caveats.runs.reader import records

__all__ = ["to_tensorboard"]


def to_tensorboard(folder: Path, out: Path) -> None:
    """Write every number of the records into an event file in the folder ``out``, under tags such
    as "loss" and "dead/layer 1". Its time is the run's start plus the record's seconds. Numbers
    that were not measured are left out; events of the run become texts.

    Raises:
        ConfigError: if the folder is not a run, if the tensorboard package is missing, or if
            ``out`` cannot be written.
    """
    manifest = Manifest.read(folder)
    try:
        from tensorboard.compat.proto.event_pb2 import Event as Stored
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise ConfigError(
            "TensorBoard files need the tensorboard package: pip install 'caveats-tui[tensorboard]'"
        ) from None
    start = manifest.created.timestamp()
    now = start
    try:
        writer = EventFileWriter(str(out))
        try:
            for content in records(folder, manifest):
                if isinstance(content, Event):
                    summary = text_pb(f"events/{content.kind}", content.text)
                else:
                    seconds = content.scalars.get("seconds", math.nan)
                    now = start + seconds if math.isfinite(seconds) else now
                    summary = Summary(
                        value=[
                            Summary.Value(tag=tag, simple_value=value)
                            for tag, value in tagged(content, manifest)
                        ]
                    )
                writer.add_event(Stored(wall_time=now, step=content.step, summary=summary))
        finally:
            writer.close()
    except OSError as error:
        raise ConfigError(f"{visible(out)} cannot be written: {error.strerror}") from None


def tagged(record: Record, manifest: Manifest) -> Iterable[tuple[str, float]]:
    for name, value in record.scalars.items():
        if not math.isnan(value):
            yield name, value
    for name, column in record.layers.items():
        for layer, value in zip(manifest.layers, column.tolist(), strict=True):
            if not math.isnan(value):
                yield f"{name}/{layer}", value
