"""Refuses a network that cannot fit into memory before any of it is allocated: where memory runs
out, the machine may stand still for a minute first.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch

from caveats.errors import ConfigError

__all__ = ["available", "check_memory", "needed"]

# Measured as the growth of the resident memory over the first three steps: weights, gradients and
# what the measurements hold at once take 20 times the weights with SGD, 24 with Adam (4000-4000);
# a pass with gradients 1.8 times the activations (500-500-500, 60,000 rows in one batch).
WEIGHTS, ACTIVATIONS = 20.0, 1.75
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def needed(features: int, widths: Sequence[int], outputs: int, rows: int) -> tuple[int, float]:
    """The number of weights of a network, and the bytes that training it takes at least, with
    batches of ``rows`` rows."""
    weights = sum((fan_in + 1) * units for fan_in, units in pairwise((features, *widths, outputs)))
    return weights, 4.0 * (WEIGHTS * weights + ACTIVATIONS * rows * sum(widths))


def available(device: torch.device) -> int | None:
    """The bytes that are free on a device, None where that is not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    found = [free for free in (of_the_machine(), of_the_group()) if free is not None]
    return min(found, default=None)


def of_the_machine() -> int | None:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def of_the_group() -> int | None:
    """What the limit of a container leaves; None without a limit."""
    try:
        most, used = ((_GROUP / name).read_text() for name in ("memory.max", "memory.current"))
        return max(0, int(most) - int(used))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def check_memory(
    features: int, widths: Sequence[int], outputs: int, rows: int, device: torch.device
) -> None:
    """Raises ConfigError if training needs more memory than ``device`` has free; ``rows`` are those
    of a batch."""
    weights, need = needed(features, widths, outputs, rows)
    free = available(device)
    if free is not None and need > free:
        raise ConfigError(
            f"out of memory: network.widths and training.batch_size need about {need / 1e9:,.1f} "
            f"GB ({weights:,} weights, batches of {rows:,} rows), and {free / 1e9:,.1f} GB are free"
        )
