"""Finds gradients that are never set back to zero, and the parameters that a loss reaches. A
finding is exact, and is reported once, as an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from caveats.history import Event

__all__ = ["AFTER", "WIRING", "Untrained", "leaves", "nearest_weight", "some"]

WIRING = "wiring"  # the kind of these events
AFTER = 20  # steps in a row, as TrainCheck asks for
WARM = 3  # steps before which a gradient may be new
FEW = 4096  # numbers of a gradient
NAMED = 4  # names in a sentence


class Untrained:
    """The findings about one optimizer and its parameters, (name, tensor) each. `look` has nothing
    more to see when ``growing`` is False."""

    def __init__(self, parameters: Sequence[tuple[str, Tensor]]) -> None:
        self._parameters = parameters
        self._grown = 0
        self._version: tuple[int, int] | None = None
        self._left: tuple[Tensor, Tensor] | None = None  # a gradient, and some of its numbers
        self._kept = False
        self.growing = True  # until a step showed that gradients are set back to zero

    def look(self, step: int, backwards: int) -> Iterator[Event]:
        """Call before each step of the optimizer, when the gradients are there; ``backwards`` is
        how many backward passes there have been since the last call."""
        if self.growing:
            grows = self._accumulates(backwards) or self._kept
            self._kept = False
            grad = next((p.grad for _, p in self._parameters if p.grad is not None), None)
            self._left = None if grad is None else (grad, numbers_of(grad))
            self.growing = grows or step < WARM
            self._grown = self._grown + 1 if grows else 0
            if self._grown >= AFTER:
                self.growing = False
                text = (
                    "gradients are never set back to zero: each step uses the sum of all gradients "
                    f"so far ({AFTER} steps in a row)"
                )
                said = {"severity": "critical", "finding": "never zeroed"}
                yield Event(step, WIRING, text, said)

    def begins(self) -> None:
        """Call before each backward pass: a gradient that is as the last step left it was not set
        to zero, whatever was done to it before that step (clipping). The last pass before a step
        counts: in a GAN the other network's passes come before this one's is set to zero."""
        if self._left is not None:
            grad, numbers = self._left
            there = any(p.grad is grad for _, p in self._parameters)
            self._kept = there and bool(numbers.any()) and numbers.equal(numbers_of(grad))

    def _accumulates(self, backwards: int) -> bool:
        """Whether the backward passes since the last step only added to a gradient: then the
        tensor is the same, and was written to once for each pass."""
        grad = next((p.grad for _, p in self._parameters if p.grad is not None), None)
        if grad is None or backwards != 1:
            self._version = None
            return False
        before, self._version = self._version, (id(grad), grad._version)
        return before is not None and before == (id(grad), grad._version - 1)


def numbers_of(grad: Tensor) -> Tensor:
    """A copy of some of the numbers of a gradient."""
    from caveats.watching.models import local

    part = local(grad).detach()
    return (part.coalesce().values() if part.is_sparse else part).reshape(-1)[:FEW].clone()


def some(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def leaves(root: Any) -> list[Tensor]:
    """The tensors that a backward pass from ``root`` leaves gradients in."""
    start = getattr(root, "grad_fn", None)
    found: list[Tensor] = []
    seen, waiting = set(), [start] if start is not None else []
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.append(variable)
        waiting.extend(after for after, _ in node.next_functions if after is not None)
    return found


def nearest_weight(root: Any) -> Tensor | None:
    """The weight that a loss depends on by the fewest functions: one of the last layer."""
    waiting = deque([getattr(root, "grad_fn", None)])
    seen = set()
    while waiting:
        node = waiting.popleft()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor) and variable.ndim > 1:
            return variable
        waiting.extend(after for after, _ in node.next_functions)
    return None
