"""Whether one part of a loss drowns another: how near a part of known kind is to what a constant
output would have, and how hard the other parts pull at the weights that both reach.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from caveats.history import Event
from caveats.measuring import constants
from caveats.watching.births import nodes
from caveats.watching.fitting import MEAN, targets_of
from caveats.watching.graph import Term, difference, saved, shape, signed, terms
from caveats.watching.numbers import middle

__all__ = ["HOOKS", "Drowned", "Part", "parts"]

ACCUMULATE = "torch::autograd::AccumulateGrad"
PARTS = "parts"  # the kind of these events
LATE = 90  # steps from which a part that has learned nothing counts
FIRST = 2  # looks, at which nothing was learned yet
HARD = 10.0  # times as hard as a part pull the others at first
FAR = 100.0  # the same, which hides it even where the others learn
UNLEARNT = 0.95  # of the way from a constant's loss is still to go
WEIGHTED = 0.99  # a part with a smaller weight is meant to count less
HOOKS = frozenset({"register_hook", "retain_grad"})
MOST_NUMBERS = 2**24  # of the parameters whose gradients are compared
MOST = 4  # parts of one loss that are looked at


@dataclass(frozen=True, slots=True)
class Part:
    """One ``function`` that a loss adds up. ``left`` is the share of the way from the loss of the
    best constant to the lowest loss that is still to go: 1 where nothing was learned. ``pull`` is
    the length of the gradient of all other parts over that of this one, at the weights that both
    reach."""

    function: str
    left: float
    pull: float


def parts(loss: Any, parameters: Sequence[Tensor]) -> list[Part]:
    """The parts of known kind of a loss that adds up several. The gradient passes back once more
    for each of them, and once for all; no gradient of the training is written to. [] where the
    graph does not tell, or where a pass back could do more than compute."""
    try:
        found = terms(loss)
        known = [t for t in found if t.function and t.sign and weight(t) > WEIGHTED]
        asked = few(parameters)
        if len(found) < 2 or not known or not asked or not plain(loss, asked):
            return []
        lefts = [(t, left(t)) for t in known[:MOST]]
        lefts = [(t, share) for t, share in lefts if math.isfinite(share)]
        if not lefts:
            return []
        whole = gradients(GradientEdge(loss.grad_fn, 0), torch.ones_like(loss), asked)
        return [Part(t.function, share, pull(t, whole, asked)) for t, share in lefts]
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, IndexError):
        # The graph was freed, or overwritten since.
        return []


def weight(term: Term) -> float:
    """How often the mean of a part counts in the loss; NaN where its rows count otherwise."""
    averaged = not term.by_hand and getattr(term.node, "_saved_reduction", None) == MEAN
    return term.factor * (1 if averaged else math.prod(shape(term.outputs) or ()))


def plain(loss: Any, asked: Sequence[Tensor]) -> bool:
    """Whether a pass back only computes: functions of a script, parts that are computed again
    (checkpoints) and hooks on parameters may do more."""
    if any(p._backward_hooks for p in asked) or hooked():
        return False
    for node in nodes(loss.grad_fn):
        if type(node).__module__ != "builtins":
            return False
        for name in dir(node) if node.name() != ACCUMULATE else ():
            if name.startswith("_saved_"):
                saved(node, name[len("_saved_") :])  # raises where a hook brings it back
    return True


def hooked() -> bool:
    """Whether a function of the script that is running puts hooks on tensors, or keeps their
    gradients: a pass back would call these, and add to those."""
    frame = sys._getframe()
    while frame is not None:
        if not HOOKS.isdisjoint(frame.f_code.co_names):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def few(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Those of which the gradients take little memory."""
    kept, numbers = [], 0
    for parameter in parameters:
        if parameter.requires_grad and numbers + parameter.numel() <= MOST_NUMBERS:
            kept.append(parameter)
            numbers += parameter.numel()
    return kept


def pull(term: Term, whole: Sequence[Tensor | None], asked: Sequence[Tensor]) -> float:
    size = shape(term.node) or ()
    given = torch.full(size, term.sign * term.factor, dtype=torch.float32)
    device, kind = asked[0].device, term.node._input_metadata[0].dtype
    own = gradients(GradientEdge(term.node, 0), given.to(device, kind), asked)
    mine = others = 0.0
    for part, total in zip(own, whole, strict=True):
        if part is None or total is None:
            continue
        here, rest = float(part.square().sum()), float((total - part).square().sum())
        if here > 0 and rest > 0:
            mine, others = mine + here, others + rest
    return math.sqrt(others / mine) if mine > 0 else math.nan


def gradients(
    edge: GradientEdge, given: Tensor, asked: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(edge, asked, given, retain_graph=True, allow_unused=True)


def left(term: Term) -> float:
    """NaN where it is not known."""
    node, function = term.node, term.function
    if function == "cross_entropy" and not term.by_hand:
        logs, target = saved(node, "self").detach(), saved(node, "target")
        classes = int(logs.shape[1 if logs.ndim > 1 else 0])
        kept = signed(node._saved_ignore_index)
        return float(functional.nll_loss(logs, target, ignore_index=kept)) / math.log(classes)
    y = targets_of(term)
    if y is None:
        return math.nan
    if function in ("bce", "bce_with_logits"):
        p = saved(node, "self").detach().reshape(y.shape).float()
        p = p.sigmoid() if function == "bce_with_logits" else p
        now, least = binary(p, y), binary(y, y)
        return (now - least) / (constants.constant_loss(y, "bce") - least)
    gap = gap_of(term) if function in ("mse", "l1") else None
    constant = constants.constant_loss(y, function) if gap is not None else 0.0
    if gap is None or not constant > 0:
        return math.nan
    return float(constants.distance(gap.reshape(y.shape).float(), function).mean()) / constant


def binary(p: Tensor, y: Tensor) -> float:
    return float(functional.binary_cross_entropy(p, y))


def gap_of(term: Term) -> Tensor | None:
    """Outputs less targets."""
    if term.by_hand or term.function == "l1":
        found = difference(term)
        return None if found is None else found[1]
    outputs, targets = saved(term.node, "self"), saved(term.node, "target")
    gap: Tensor = (outputs - targets).detach()
    return gap


class Drowned:
    """The parts of one training's loss over its looks. A part drowns if it has learned nothing at
    the two newest looks, while the others pulled many times as hard at the shared weights."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Part]] = defaultdict(list)
        self._said = ""

    def add(self, found: Sequence[Part]) -> None:
        names = [part.function for part in found]
        for part in found:
            if names.count(part.function) == 1:  # else it is not known which is which
                self._seen[part.function].append(part)

    def look(self, step: int) -> Iterator[Event]:
        """Say what is found now, and take back what is over."""
        found = [part for name in self._seen if (part := self._drowns(step, name)) is not None]
        name = found[0].function if found else ""
        if name != self._said:
            self._said = name
            numbers = {"part": name, "left": found[0].left, "pull": found[0].pull} if name else {}
            yield Event(step, PARTS, name, numbers)

    def _drowns(self, step: int, name: str) -> Part | None:
        seen = self._seen[name]
        if step < LATE or len(seen) < FIRST + 2:
            return None
        pulls = [part.pull for part in seen]
        usual = max(middle(pulls[:FIRST]), middle(pulls))
        idle = min(part.left for part in seen[-2:]) > UNLEARNT
        learns = any(
            other[-1].left < UNLEARNT / 2 for key, other in self._seen.items() if key != name
        )
        return (
            Part(name, seen[-1].left, usual) if idle and usual > (FAR if learns else HARD) else None
        )
