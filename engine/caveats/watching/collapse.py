"""Finds outputs that become the same for every row, in trainings whose loss compares outputs with
each other and not with targets: such a loss is at its best there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from caveats.history import Event
from caveats.watching.fitting import LAYERS, NUMBERS
from caveats.watching.graph import Term, before, children, factor_of, saved, shape, terms

__all__ = ["COLLAPSE", "Collapse", "compares"]

COLLAPSE = "collapse"  # the kind of these events
READINGS = 2  # at least, and all of them
SINCE = 3.1  # since this part of the step: where steps are short, samples triple their distance
KEPT = 16
LATE = 100  # steps: sound trainings dip to 0.055 in their first 40, and come back
SAME = 0.2  # how far the directions of the rows are apart, from 0 to 1
RISEN = 1.05  # of the narrowest: from there on they part again
FALLEN = 0.25  # of the widest they were
SHRUNK = 0.02  # of the largest deviation over the rows
APART = 0.2  # the same distance in rows that do differ
FEWEST_ROWS, FEWEST_UNITS = 8, 4
MOST_NUMBERS = 2**20
MOST_OUTPUTS = 16  # of the passes of one step
UNIT = 1e-3  # how far the length of a row may be from 1
MOST_NODES = 256  # of a loss, above the last layers
FACTORS = ("MulBackward0", "DivBackward0")
PAIRS = (*FACTORS, "SubBackward0", "MmBackward0", "BmmBackward0", "CdistBackward0",
         "MseLossBackward0")  # fmt: skip
CHANCES = ("LogSoftmaxBackward0", "SoftmaxBackward0", "LogsumexpBackward0", "CtcLossBackward0")


class Collapse:
    """Keeps, for each output of the passes of one training, how far its rows are apart."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, deque[tuple[int, float, float]]] = {}  # with the step
        self._most: dict[Hashable, tuple[float, float]] = {}
        self._said = False

    def sample(self, step: int, outputs: Sequence[tuple[Hashable, Tensor]]) -> Iterator[Event]:
        """Take in the outputs of a sampled step, each with a key that stays the same from step to
        step. Waits for the device."""
        together: dict[Hashable, list[Tensor]] = {}
        for key, tensor in outputs[:MOST_OUTPUTS]:
            together.setdefault(key, []).append(tensor)
        for key, tensors in together.items():
            found = apart(tensors)
            if found is None:
                continue
            self._seen.setdefault(key, deque(maxlen=KEPT)).append((step, *found))
            most = self._most.get(key, (0.0, 0.0))
            self._most[key] = max(most[0], found[0]), max(most[1], found[1])
        # A predictor behind the representation may give one answer while that is sound.
        now = [self._collapsed(step, key) for key in self._seen]
        said = next(iter(now), None) if step >= LATE and all(now) else None
        if (said is not None) != self._said:
            self._said = said is not None
            text, numbers = said or ("", {"over": True})
            yield Event(step, COLLAPSE, text, numbers)

    def _collapsed(self, step: int, key: Hashable) -> tuple[str, dict[str, Any]] | None:
        widest, largest = self._most[key]
        newest = [entry for entry in self._seen[key] if entry[0] >= step / SINCE]
        if len(newest) < READINGS or not widest >= APART:
            return None
        angles, sizes = [angle for _, angle, _ in newest], [size for *_, size in newest]
        if max(angles) < min(SAME, FALLEN * widest) and angles[-1] <= RISEN * min(angles):
            text = (
                "the outputs of all rows point in one direction: they are "
                f"{angles[-1]:.2g} apart, once {widest:.2g}, where 1 is all around"
            )
            return text, {"apart": angles[-1], "once": widest}
        if max(sizes) < SHRUNK * largest:
            text = (
                f"the outputs of all rows shrink to one point: they deviate by {sizes[-1]:.2g} "
                f"from their mean, once by {largest:.2g}"
            )
            return text, {"apart": sizes[-1], "once": largest}
        return None


def apart(tensors: Sequence[Tensor]) -> tuple[float, float] | None:
    """√(1 - |mean u|²) of the rows' directions u, and the deviation √ mean |z - mean z|² of the
    rows z; None for few rows or units, and for numbers that are not finite."""
    rows = [t.detach()[: max(1, MOST_NUMBERS // max(1, t[0].numel()))].flatten(1) for t in tensors]
    if any(r.shape[1] != rows[0].shape[1] for r in rows):
        return None
    z = torch.cat(rows).float()
    if z.shape[0] < FEWEST_ROWS or z.shape[1] < FEWEST_UNITS or not bool(z.isfinite().all()):
        return None
    mean = functional.normalize(z, dim=1).mean(0)
    size = (z - z.mean(0)).square().sum(1).mean().sqrt()
    return math.sqrt(max(0.0, 1 - float(mean.square().sum()))), float(size)


def compares(loss: Any) -> bool:
    """Whether a loss compares outputs with each other, and with nothing else: between it and the
    last layers two outputs meet, and no numbers of the data."""
    try:
        known = [term for term in terms(loss) if term.function]
        if known:
            return all(map(own_targets, known))
        meets = False
        for node in above_layers(loss.grad_fn):
            found = meeting(node)
            if found is None:
                return False
            meets |= found
        return meets
    except (AttributeError, RuntimeError, TypeError, IndexError):  # freed, or overwritten since
        return False


def above_layers(start: Any) -> Iterator[Any]:
    """The nodes from a loss down to the last layers, which are not among them."""
    waiting, seen = [start], {start}
    for node in waiting:
        if len(seen) > MOST_NODES:
            return
        yield node
        for child in children(node):
            if child is not None and child not in seen and child.name() not in LAYERS:
                seen.add(child)
                waiting.append(child)


def meeting(node: Any) -> bool | None:
    """Whether two outputs meet in this node; None where numbers of the data enter there, or where
    outputs become probabilities."""
    name, below = node.name(), children(node)
    if name in CHANCES:
        inner = before(node)
        return None if inner is None or inner.name() in LAYERS else False
    if name not in PAIRS or len(below) < 2 or wide(shape(node)) < FEWEST_UNITS:
        return False
    if None not in below[:2]:
        return True
    if name not in FACTORS:
        return None  # a difference to something without a gradient
    other = factor_of(node) if name == "MulBackward0" else saved(node, "other")
    if not isinstance(other, Tensor) or other.ndim < 2 or other.shape[-1] < FEWEST_UNITS:
        return False
    return True if of_length_one(other.detach()) else None


def wide(size: tuple[int, ...] | None) -> int:
    return size[-1] if size and len(size) > 1 else 0


def own_targets(term: Term) -> bool:
    """Whether the targets have a gradient too, are rows of length 1, or number the rows (each pair
    of a contrastive loss is a class of its own)."""
    if term.by_hand:
        return False
    if term.function in NUMBERS and None not in children(term.node)[:2]:
        return len(children(term.node)) > 1
    target = saved(term.node, "target").detach() if hasattr(term.node, "_saved_target") else None
    if target is None or target.ndim == 0 or len(target) < FEWEST_ROWS:
        return False
    if not target.is_floating_point():
        return target.ndim == 1 and bool((target == torch.arange(len(target)).to(target)).all())
    wide = target.ndim == 2 and target.shape[1] >= FEWEST_UNITS
    return wide and of_length_one(target)


def of_length_one(rows: Tensor) -> bool:
    """Whether rows were made so: probabilities of one class are not."""
    return bool(((rows.norm(dim=-1) - 1).abs() < UNIT).all()) and bool((rows < 0).any())
