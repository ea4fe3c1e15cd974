"""Estimates a stack before anything is allocated: where it trains fastest, and its memory; refuses
one that cannot fit."""

from __future__ import annotations

from itertools import pairwise

import torch

from caveats.errors import ConfigError
from caveats.measures import LAYER_MEASURES, SCALARS
from caveats.measuring.probe import PROBE_ROWS
from caveats.stacks.measuring import PASS_NUMBERS
from caveats.stacks.shape import Shape
from caveats.stacks.updates import RULES
from caveats.training.device import choose_device
from caveats.training.memory import available

__all__ = ["device_for", "most_members", "needed", "refuse_too_large"]

FLOAT, INDEX = 4, 8  # bytes of a number
LEFT_OF_HEAP = 6_000  # bytes a layer (measured)
FIRST_RECORDS = 64  # room that a history begins with
MOST = 2**16  # where it is not known what is free
SHARE = 0.8  # of what is free; the rest is for other programs


def parameters(shape: Shape) -> tuple[int, int]:
    """The numbers of one member: all parameters, and the weights alone."""
    sizes = [shape.features, *shape.widths, shape.outputs]
    weights = sum(a * b for a, b in pairwise(sizes))
    extra = {"none": 0, "rms": 1}.get(shape.normalization, 2) * sum(shape.widths)
    return weights + sum(sizes[1:]) + extra, weights


def device_for(shape: Shape, members: int) -> torch.device:
    """Where ``members`` networks of this shape train together.

    Raises:
        ConfigError: for a device that this machine does not have.
    """
    every, _ = parameters(shape)
    products = members * every * (shape.batch_size or shape.rows)
    return choose_device(shape.device, products, single=False).device


def needed(shape: Shape, members: int) -> int:
    """Bytes that ``members`` networks of this shape take at the most while they train."""
    every, weights = parameters(shape)
    batch = shape.batch_size or shape.rows
    units = sum(shape.widths)
    # Weights, gradients, the optimizer's state, and the weights before a step that is measured.
    kept = members * (every * (2 + len(RULES[shape.optimizer].names)) + weights)
    # The batch; what enters and leaves each activation; and while gradients flow back, one more of
    # the widest layer.
    widest = max((*shape.widths, shape.outputs))
    copies = 3 if shape.normalization == "none" else 5
    training = members * batch * (shape.features + copies * units + 3 * shape.outputs + widest)
    # The largest measuring pass is that of the sharpness, which keeps the graph of the gradient:
    # about six tensors for each layer's units, and eight of all parameters (measured).
    rows = min(PROBE_ROWS, shape.rows)
    at_once = min(members, max(1, PASS_NUMBERS // (rows * widest)))
    measuring = at_once * (6 * rows * (units + shape.outputs) + 8 * every)
    records = members * FIRST_RECORDS * 8
    records *= len(LAYER_MEASURES) * (len(shape.widths) + 1) + len(SCALARS) + 1
    data = 2 * shape.rows * (shape.features + shape.outputs)
    # The order of the batches, and what drawing the layers one by one leaves of the heap.
    each = members * (INDEX * shape.rows + LEFT_OF_HEAP * (len(shape.widths) + 1))
    return FLOAT * (kept + max(training, measuring) + data) + records + each


def most_members(shape: Shape, device: torch.device) -> int:
    """How many networks of this shape fit in memory at once.

    Raises:
        ConfigError: if not even one fits.
    """
    refuse_too_large(shape, 1, device)
    free = available(device)
    if free is None:
        return MOST
    room, one = SHARE * free, needed(shape, 1)
    each = max(1, needed(shape, 2) - one)
    return max(1, int((room - one) / each) + 1)


def refuse_too_large(shape: Shape, members: int, device: torch.device) -> None:
    """Raises ConfigError if ``members`` networks of this shape do not fit."""
    wanted, free = needed(shape, members), available(device)
    if free is not None and wanted > SHARE * free:
        raise ConfigError(
            f"{members:,} network{'s' * (members != 1)} of network.widths = {list(shape.widths)} "
            f"would need {told(wanted)} of memory, and {told(free)} are free: "
            "make widths or training.batch_size smaller"
        )


def told(size: int) -> str:
    """A number of bytes in words: "2 MB"."""
    for power, unit in enumerate(("KB", "MB", "GB"), 1):
        amount = size / 1000**power
        if amount < 1000:
            return f"{amount:.3g} {unit}"
    return f"{amount:,.0f} GB"
