"""Whether a loss fits the outputs that it is given, as its graph shows: what they pass right before
it, how far that keeps them from their targets, and how their shapes meet.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.nn import functional

from caveats.facts import LossFacts
from caveats.measuring import constants
from caveats.watching.graph import (
    Term,
    before,
    children,
    difference,
    factor_of,
    leaf,
    named,
    past_views,
    saved,
    shape,
    signed,
    terms,
    value_of,
)
from caveats.watching.numbers import WINDOW, median, middle
from caveats.watching.untrained import leaves

__all__ = ["FEWEST", "LAYERS", "MEAN", "NUMBERS", "Fit", "Fits", "fits", "mass", "targets_of"]

FEWEST = 16  # rows of a minibatch that are taken for all
PAIRS = 16  # predictions and targets of which it is looked whether each meets each
MOST_BEFORE = 16  # nodes between a loss and the last layer before it
LAYERS = ("AddmmBackward0", "MmBackward0", "ConvolutionBackward0")
MEAN = 1  # torch's number for reduction="mean"
MOST_CLASSES = 1000  # that are counted
ROUNDED = 1e-6  # of their size, what float32 loses of targets that are found from a difference
UNIT = 1e-3  # how far the length of a row may be from 1
SAME = 1e-3  # of their size, how far rounding may move differences of float32
# What a node of torch does, and the lowest and highest number that it gives.
ACTIVATIONS = {
    "SoftmaxBackward0": ("softmax", 0.0, 1.0), "SigmoidBackward0": ("sigmoid", 0.0, 1.0),
    "TanhBackward0": ("tanh", -1.0, 1.0), "HardsigmoidBackward0": ("hard_sigmoid", 0.0, 1.0),
    "ReluBackward0": ("relu", 0.0, math.inf), "SoftplusBackward0": ("softplus", 0.0, math.inf),
    "ExpBackward0": ("exp", 0.0, math.inf), "LogSoftmaxBackward0": ("log_softmax", -math.inf, 0.0),
    "LogBackward0": ("log", -math.inf, math.inf),
    "LogSigmoidBackward0": ("log_sigmoid", -math.inf, 0.0),
}  # fmt: skip
NUMBERS = ("mse", "l1", "huber")


@dataclass(frozen=True, slots=True)
class Fit:
    """The ``facts`` of one function at one step. ``leaves`` are the ids of the parameters that the
    loss depends on, where it is negated: where some belong to another training, that may be meant.
    ``only`` is the class of all its targets, None where they are of several. ``whole`` says whether
    it is the mean over its rows, divided by nothing else."""

    facts: LossFacts
    leaves: frozenset[int] = frozenset()
    only: int | None = None
    whole: bool = False


def fits(loss: Any) -> list[Fit]:
    """Each known function that ``loss`` adds up; [] where the graph does not tell."""
    try:
        found = terms(loss)
        turned = any(term.sign < 0 for term in found)
        below = frozenset(map(id, leaves(loss))) if turned else frozenset()
        alone = len(found) == 1
        return [
            Fit(facts_of(t, alone), below, only_class(t), alone and undivided(t))
            for t in found
            if t.function
        ]
    except (AttributeError, RuntimeError, TypeError, IndexError):  # freed, or overwritten since
        return []


def facts_of(term: Term, alone: bool) -> LossFacts:
    activation, low, high = ahead(term)
    # A distance between all pairs, less that within each side, is one of distributions.
    outputs, targets = met(term) if alone or term.function != "l1" else ((), ())
    return LossFacts(
        term.function,
        activation,
        alone,
        term.sign < 0 and last_is_trained(term.outputs),
        outputs,
        targets,
        unreached(term, low, high) if activation else math.nan,
        mass(term),
    )


def last_is_trained(outputs: Any) -> bool:
    """Whether the last layer before a loss has weights that are trained: an input that is to
    deceive a network goes through layers that are not."""
    waiting = [outputs]
    for _ in range(MOST_BEFORE):
        if not waiting:
            return False
        node = waiting.pop(0)
        if node is None:
            continue
        below = children(node)
        if node.name() in LAYERS:
            weights = (before(c) if named(c, "TBackward0") else c for c in below)
            return any(c is not None and leaf(c) is not None for c in weights)
        waiting.extend(below)
    return False


def ahead(term: Term) -> tuple[str, float, float]:
    """The activation right before a loss function, and its range; "" for none that is known."""
    node = past_views(term.outputs)
    if term.function == "cross_entropy":
        node = before(node)
        if high := cosine(node):
            return "cosine", -high, high
    if named(node, "HardtanhBackward0"):
        return "hard_tanh", float(node._saved_min_val), float(node._saved_max_val)
    name, low, high = ACTIVATIONS.get("" if node is None else node.name(), ("", 0.0, 0.0))
    if name == "softmax" and (shape(node) or (0,))[signed(node._saved_dim)] == 1:
        return "softmax_of_one", 1.0, 1.0
    return name, low, high


def cosine(node: Any) -> float:
    """The largest of cosines that were multiplied or divided by a number (a temperature), 0 for
    anything else."""
    name, times = "" if node is None else node.name(), 1.0
    if name in ("MulBackward0", "DivBackward0") and sum(c is not None for c in children(node)) == 1:
        by = factor_of(node) if name == "MulBackward0" else saved(node, "other")
        if not isinstance(by, Tensor) or by.numel() != 1 or not float(by) > 0:
            return 0.0
        times = float(by) if name == "MulBackward0" else 1 / float(by)
        node = past_views(next(c for c in children(node) if c is not None))
    if not named(node, "MmBackward0"):
        return 0.0
    rows, columns = saved(node, "self"), saved(node, "mat2")
    if rows is None or columns is None:
        return 0.0
    lengths = rows.detach().norm(dim=1), columns.detach().norm(dim=0)
    unit = all(bool(((length - 1).abs() < UNIT).all()) for length in lengths)
    return times if unit else 0.0


def unreached(term: Term, low: float, high: float) -> float:
    """The share of the loss of the best constant below which no outputs from ``low`` to ``high``
    bring a loss; NaN where the targets do not tell."""
    if term.function == "cross_entropy":
        if term.by_hand:
            return math.nan
        size = shape(term.outputs) or ()
        classes = size[signed(term.outputs._saved_dim)] if size else 0
        # All but the right one at the lowest: log(1 + (classes - 1)·exp(low - high)).
        lowest = math.log1p((classes - 1) * math.exp(low - high))
        return lowest / math.log(classes) if classes > 1 else math.nan
    y = targets_of(term)
    if y is None or term.function not in (*NUMBERS, "bce", "bce_with_logits"):
        return math.nan
    if term.function in NUMBERS:
        left, best = constants.distance(y - y.clamp(low, high), term.function).mean(), 0.0
        constant = constants.constant_loss(y, term.function)
    else:
        binary = functional.binary_cross_entropy
        y = y.clamp(0, 1)
        logits = term.function == "bce_with_logits"
        nearest = y.logit().clamp(low, high).sigmoid() if logits else y.clamp(low, high)
        left, best = binary(nearest, y), float(binary(y, y))
        constant = constants.constant_loss(y, "bce")
    # What a loss of soft targets has at best is no fault of the outputs.
    return float(left - best) / (constant - best) if constant > best else math.nan


def targets_of(term: Term) -> Tensor | None:
    """The targets of a loss on numbers as (rows, columns), None where they are not known."""
    node = term.node
    if term.function == "l1" or (term.function == "mse" and term.by_hand):
        y = of_difference(term)
    elif named(children(node)[0], "ExpandBackward0"):
        return None  # the targets may be expanded too
    elif term.function in (*NUMBERS, "bce", "bce_with_logits"):
        y = saved(node, "target").detach()
    else:
        return None
    if y is None or y.ndim == 0 or len(y) < FEWEST:
        return None
    y = y.reshape(len(y), -1).float()
    return y if bool(y.isfinite().all()) else None


def of_difference(term: Term) -> Tensor | None:
    """The targets y of p - y or y - p, from p and the difference."""
    found = difference(term)
    p = value_of(term.outputs)
    if found is None or p is None or p.shape != found[1].shape:
        return None
    inner, gap = found
    y = p - gap if children(inner)[0] is not None else p + gap
    lost = ROUNDED * float(p.abs().max() + gap.abs().max())
    # Of targets that are all the same, rounding must make no spread.
    return y.mean().expand_as(y) if y.numel() and float(y.max() - y.min()) <= lost else y


# How shapes meet.


def met(term: Term) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of outputs and targets where each output meets each target, as (n, 1) and (n,) do;
    () and () else. Shapes that a script makes for this on purpose have as many dimensions."""
    if term.function not in NUMBERS or term.sign == 0:
        return (), ()
    if term.by_hand or term.function == "l1":
        found = difference(term)
        if found is None:
            return (), ()
        whole, gap = shape(found[0]), found[1]
    else:
        whole = shape(term.outputs)
        gap = saved(term.node, "self").detach() - saved(term.node, "target").detach()
    own = term.outputs
    if named(own, "ExpandBackward0"):  # torch's functions expand both before
        own = children(own)[0]
    mine = shape(own)
    if not mine or not whole or named(own, "UnsqueezeBackward0"):
        return (), ()
    count = math.prod(mine)
    if count < 2 or whole != (count, count) or mine not in ((count,), (count, 1)):
        return (), ()
    some = gap[:PAIRS, :PAIRS].double()
    apart = some - some[:1] - some[:, :1] + some[:1, :1]
    if not bool(apart.abs().max() <= SAME * some.abs().max()):
        return (), ()  # the targets are a table of their own
    return mine, ((count,) if len(mine) == 2 else (count, 1))


# What log-probabilities and classes say.


def mass(term: Term) -> float:
    """What the exponentials of the outputs of an nll or kl_div add up to over the classes, the
    median of all rows; 1 if they are log-probabilities, NaN where not known."""
    if term.function == "nll":
        logs, axis = saved(term.node, "self").detach(), 1
        if logs.ndim == 1:
            axis = 0
    elif term.function == "kl_div":
        node = past_views(term.outputs)
        found = value_of(node)
        if found is None or found.ndim == 0:
            return math.nan
        logs, axis = found, -1
    else:
        return math.nan
    return float(logs.float().exp().sum(axis).median())


def undivided(term: Term) -> bool:
    """Whether a loss is the mean of torch's own function."""
    averaged = getattr(term.node, "_saved_reduction", None) == MEAN
    return averaged and not term.by_hand and abs(term.factor - 1) < ROUNDED


def only_class(term: Term) -> int | None:
    """The class of all targets of a minibatch, None where there are several."""
    if term.function not in ("cross_entropy", "nll") or term.by_hand:
        return None
    target = saved(term.node, "target")
    kept = target[target != signed(term.node._saved_ignore_index)]
    if len(kept) < FEWEST:
        return None
    low, high = kept.aminmax()
    return int(low) if low == high else None


class Fits:
    """The functions that the loss of one training adds up, over its newest sampled steps."""

    def __init__(self) -> None:
        self._steps: deque[dict[Any, LossFacts]] = deque(maxlen=WINDOW)
        self._taken = 0
        self._single = 0
        self._classes: set[int] = set()

    def add(self, found: Sequence[Fit], own: set[int], maximizes: bool) -> None:
        """Take in those of one step, of a training that has its ``own`` parameters (by id) and an
        optimizer that ``maximizes`` its loss or not."""
        if not found:
            return
        step: dict[Any, LossFacts] = {}
        for fit in found:
            alike = fit.leaves <= own
            facts = replace(fit.facts, negated=alike and fit.facts.negated != maximizes)
            step.setdefault(kind_of(facts), facts)
        passes = max(Counter(fit.facts.function for fit in found if fit.whole).values(), default=1)
        step = {kind: replace(facts, passes=passes) for kind, facts in step.items()}
        self._steps.append(step)
        self._taken += 1
        only = {fit.only for fit in found}
        if None not in only and len(only) == 1 and len(self._classes) < MOST_CLASSES:
            self._single += 1
            self._classes |= only  # type: ignore[arg-type]

    @property
    def facts(self) -> tuple[LossFacts, ...]:
        """Those that are in most of these steps."""
        most = len(self._steps) / 2
        kinds = dict.fromkeys(kind for step in self._steps for kind in step)
        seen = ([step[kind] for step in self._steps if kind in step] for kind in kinds)
        return tuple(self._merged(each) for each in seen if len(each) > most)

    def _merged(self, seen: Sequence[LossFacts]) -> LossFacts:
        return replace(
            seen[0],
            unreached=middle([facts.unreached for facts in seen]),
            mass=middle([facts.mass for facts in seen]),
            passes=int(median([facts.passes for facts in seen])),
            single=middle([self._single / self._taken]),
            classes=len(self._classes),
        )


def kind_of(facts: LossFacts) -> tuple[Any, ...]:
    return facts.function, facts.activation, facts.alone, facts.negated, bool(facts.outputs)
