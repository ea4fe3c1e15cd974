"""Finds parameters that nothing trains: they are in no optimizer, get no gradient, or gradients
are never set back to zero. Each finding is exact, and is reported once, as an event.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caveats.history import Event

__all__ = ["AFTER", "WIRING", "Untrained", "gradient_norms", "leaves", "some"]

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
        self._idle_since: dict[int, int] = {}
        self._grown = 0
        self._version: tuple[int, int] | None = None
        self._left: tuple[Tensor, Tensor] | None = None  # a gradient, and some of its numbers
        self._kept = False
        self.growing = True  # until a step showed that gradients are set back to zero
        self._said: set[str] = set()

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
                yield from self._say(
                    step, "never zeroed", "gradients are never set back to zero: each step uses "
                    f"the sum of all gradients so far ({AFTER} steps in a row)", "critical",
                )  # fmt: skip

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

    def sample(self, step: int, norms: Sequence[float]) -> Iterator[Event]:
        """Call at sampled steps with the norm of each parameter's gradient, 0 where it has
        none."""
        idle = []
        for (name, parameter), norm in zip(self._parameters, norms, strict=True):
            if norm != 0:  # also where it is not a number
                self._idle_since.pop(id(parameter), None)
                continue
            since = self._idle_since.setdefault(id(parameter), step)
            if step - since >= AFTER:
                idle.append(name)
        if not idle:
            return
        if len(idle) == len(self._parameters):
            yield from self._say(
                step, "no gradient", f"no parameter of the optimizer had a gradient in {AFTER} "
                "steps: none of them is part of the loss", "critical",
            )  # fmt: skip
        else:
            yield from self._say(
                step, "partly", f"{some(idle)} had no gradient in {AFTER} steps: nothing trains "
                "them", "note",
            )  # fmt: skip

    def unowned(
        self, step: int, found: Iterable[Tensor], owned: set[int], root: nn.Module | None
    ) -> Iterator[Event]:
        """Name the parameters of the loss, ``found``, that are in no optimizer."""
        lost = [p for p in found if isinstance(p, nn.Parameter) and id(p) not in owned]
        if not lost:
            return
        inside = {} if root is None else {id(p): n for n, p in root.named_parameters()}
        outside = [p for p in lost if id(p) not in inside]
        names = [inside[id(p)] for p in lost if id(p) in inside]
        if outside:
            yield from self._say(
                step, "unregistered", f"{some(elsewhere(outside))} take part in the loss, but are "
                "in no optimizer and in no module of the model: layers in a plain list or dict "
                "need nn.ModuleList or nn.ModuleDict", "warning",
            )  # fmt: skip
        if names:
            yield from self._say(
                step, "unowned", f"{some(names)} get gradients, but are in no optimizer: they "
                "never change", "warning" if len(names) < len(inside) / 2 else "note",
            )  # fmt: skip

    def _say(self, step: int, kind: str, text: str, severity: str) -> Iterator[Event]:
        if kind not in self._said:
            self._said.add(kind)
            yield Event(step, WIRING, text, {"severity": severity, "finding": kind})


def numbers_of(grad: Tensor) -> Tensor:
    """A copy of some of the numbers of a gradient."""
    from caveats.watching.models import local

    part = local(grad).detach()
    return (part.coalesce().values() if part.is_sparse else part).reshape(-1)[:FEW].clone()


def some(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def elsewhere(parameters: Sequence[Tensor]) -> list[str]:
    """Names for parameters that the model does not hold: the class of a module that does."""
    holders: dict[int, str] = {}
    for module in gc.get_objects():
        if issubclass(type(module), nn.Module) and "_parameters" in vars(module):
            for name, p in module._parameters.items():
                if p is not None:
                    holders[id(p)] = f"{name} of a {type(module).__name__}"
    return [holders.get(id(p), f"a parameter of shape {tuple(p.shape)}") for p in parameters]


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


def gradient_norms(parameters: Sequence[tuple[str, Tensor]]) -> list[float]:
    """‖dLoss/dp‖ of each parameter, 0 where it has no gradient. Waits for the device."""
    from caveats.watching.models import local

    grads = [None if p.grad is None else local(p.grad) for _, p in parameters]
    dense = [g.to_dense() if g.is_sparse else g for g in grads if g is not None]
    norms = iter(torch.stack(torch._foreach_norm(dense)).cpu().tolist() if dense else [])
    return [0.0 if g is None else next(norms) for g in grads]
