"""What is tried out on a few sampled steps of one training: whether the rows of a minibatch mix, a
language model sees the words that it is to predict, one part of the loss drowns another, and the
outputs become the same for every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from caveats.history import Event
from caveats.watching.collapse import Collapse, compares
from caveats.watching.graph import saved, shape, terms
from caveats.watching.mixing import Call, Mixed, Target, calls, mixed, sees_the_future
from caveats.watching.models import Model, named_modules
from caveats.watching.parts import HOOKS, Drowned, parts
from caveats.watching.untrained import some

__all__ = ["CHECKED", "Checks"]

CHECKED = "checked"  # the kind of the events about rows, words and parts
TWICE = 2  # passes that must agree, of minibatches that differ
CALLS = 4  # of them in all, where nothing was found


class Checks:
    """Call `root` when a sampled backward pass begins, and `sample` at its step."""

    def __init__(self, model: Model) -> None:
        self._root = model.root
        self._parameters = [p for _, p in model.parameters]
        self._plain = model.root is None or not calls(model.root, HOOKS)
        self._next = 0  # no look before this step
        self._target: Target | None = None
        self._compares = False  # whether the loss compares outputs with each other alone
        self._collapse, self._drowned = Collapse(), Drowned()
        self._before: Tensor | None = None
        self._mixes: list[Mixed] = []
        self._futures: list[float] = []
        self._tried = 0

    def root(self, step: int, loss: Any) -> None:
        """A backward pass begins at ``loss``."""
        self._target = None
        if step < self._next or getattr(loss, "grad_fn", None) is None or distributed():
            return
        try:
            found = terms(loss)
            self._compares = compares(loss)
            known = [term for term in found if term.function]
            if known:
                size = shape(known[0].outputs) or (0,)
                target = None
                if hasattr(known[0].node, "_saved_target"):
                    target = saved(known[0].node, "target")
                classes = target is not None and not target.is_floating_point()
                self._target = Target(size[0], target if classes else None)
        except (AttributeError, RuntimeError, TypeError, IndexError):  # freed, or overwritten since
            return
        if self._plain:
            self._drowned.add(parts(loss, self._parameters))

    def sample(self, step: int, live: Any) -> Iterator[Event]:
        """The sampled step, of which ``live`` has watched the passes."""
        outputs = getattr(live, "outputs", ())
        if self._compares:
            yield from self._collapse.sample(step, outputs)
        if step < self._next:
            return
        self._next = 2 * step + 1
        yield from self._drowned.look(step)
        call, target, self._target = getattr(live, "call", None), self._target, None
        root = self._root
        if root is None or call is None or target is None or self._tried >= CALLS:
            return
        if not self._another(call):
            return
        self._tried += 1
        try:
            found = mixed(root, call, target), sees_the_future(root, call, target)
        except Exception:  # a network that does not take these rows, or not once more
            self._tried = CALLS
            return
        yield from self._said(step, *found)

    def _another(self, call: Call) -> bool:
        """Whether it is a minibatch of its own: the rows of a whole graph stay the same."""
        tensors = call.tensors
        if not tensors:
            return False
        before, self._before = self._before, tensors[0].detach().reshape(-1)[:64].clone()
        return before is None or not torch.equal(before, self._before)

    def _said(self, step: int, found: Mixed | None, future: float) -> Iterator[Event]:
        assert self._root is not None
        self._mixes = [*self._mixes, found] if found is not None else []
        if found is not None and len(self._mixes) == TWICE:
            numbers = {
                "finding": "rows", "change": found.change, "ordered": found.order,
                "several": found.several, "time_first": time_first(self._root),
            }  # fmt: skip
            text = (
                "with the first half of the rows replaced by others, the outputs of the other half "
                f"change by {found.change:.0%} of their deviation"
            )
            yield Event(step, CHECKED, text, numbers)
        self._futures = [*self._futures, future] if future > 0 else []
        if len(self._futures) == TWICE:
            text = (
                "the network sees the words that it is to predict: with the second half of each "
                f"text replaced by another, the outputs of the first half change by {future:.0%} "
                "of their deviation"
            )
            yield Event(step, CHECKED, text, {"finding": "future", "change": future})


def distributed() -> bool:
    """Whether several processes train together: a pass of one alone would wait for the others."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def time_first(network: nn.Module) -> str:
    """The layers that take the first dimension for time, since that is how they were made."""
    first = [
        name for name, module in named_modules(network)
        if getattr(module, "batch_first", None) is False
    ]  # fmt: skip
    return some(first)
