"""Whether the rows of a minibatch mix, and whether a language model sees the words that it is to
predict: some rows or words are replaced by others, and the rest of the outputs must stay.

The network passes the minibatch again for it, without gradients, beside the training's own pass:
in evaluation mode, with the same random numbers each time, and everything is put back.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from caveats.measuring.capture import tensors_in
from caveats.measuring.passing import device_of
from caveats.models.isolation import same_attributes, walk

__all__ = ["Call", "Mixed", "Target", "calls", "mixed", "sees_the_future"]

FEWEST = 8  # rows
CHANGED = 0.01  # of the outputs' deviation over the rows: far more than rounding
SHIFTED = 0.9  # share of the targets that are the next word
# A network's own generators, which a pass would move on.
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
TELLS = frozenset({"print", "open", "log", "info", "debug", "warning", "write", "add_scalar"})

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a network's newest pass."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def tensors(self) -> list[Tensor] | None:
        """All tensors among them; None where something else may hold tensors too."""
        given = [*self.args, *self.kwargs.values()]
        simple = all(v is None or isinstance(v, Tensor | bool | int | float | str) for v in given)
        return [v for v in given if isinstance(v, Tensor)] if simple else None

    def made(self, change: Callable[[Tensor], Tensor]) -> Arguments:
        """Copies of the arguments, the tensors changed."""

        def of(value: Any) -> Any:
            return change(value.detach().clone()) if isinstance(value, Tensor) else value

        return tuple(map(of, self.args)), {key: of(v) for key, v in self.kwargs.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """The targets of a loss of known kind: how many ``rows`` of outputs it was given, and the
    ``classes``, None for numbers."""

    rows: int
    classes: Tensor | None


@dataclass(frozen=True, slots=True)
class Mixed:
    """By how much the outputs of other rows changed, as a share of the outputs' deviation. Their
    ``order`` matters if those change too when the rows only change places; ``several`` says whether
    each row is a sequence of its own, or has several dimensions otherwise."""

    change: float
    order: bool
    several: bool


def mixed(network: nn.Module, call: Call, target: Target) -> Mixed | None:
    """What the outputs of the second half of the rows owe to the first half. None where they owe
    it nothing, and where it cannot be told what the rows are: each must have one target and one
    row of outputs, and no other tensor may say how rows hang together (the edges of a graph)."""
    tensors = call.tensors
    if not tensors or not all(t.ndim for t in tensors) or not safe(network):
        return None
    rows = len(tensors[0])
    half = rows // 2
    if rows < FEWEST or target.rows != rows or any(len(t) != rows for t in tensors):
        return None
    if any(rows in t.shape[1:] for t in tensors if sequences(t)) or related(network, rows):
        return None
    other = torch.arange(rows)
    other[:half] = torch.arange(rows - half, rows)
    turned = torch.arange(rows)
    turned[:half] = torch.arange(half).flip(0)
    with beside(network) as passes:
        own = passes(call.made(lambda t: t))
        if own.ndim > 2 or len(own) != rows or rows in own.shape[1:]:
            return None
        again = passes(call.made(lambda t: t[other.to(t.device)]))
        change = moved(own[half:], again[half:], own)
        if not change > CHANGED:
            return None
        places = passes(call.made(lambda t: t[turned.to(t.device)]))
    order = moved(own[half:], places[half:], own) > CHANGED
    return Mixed(change, order, sequences(tensors[0]))


def sequences(rows: Tensor) -> bool:
    """Whether each row may be a sequence, or a picture: several numbers or words at each place."""
    return rows.ndim > 2 or (rows.ndim == 2 and not rows.is_floating_point())


def sees_the_future(network: nn.Module, call: Call, target: Target) -> float:
    """By how much the outputs at the first words change when only later words do, as a share of the
    outputs' deviation; 0 where they do not, or where the targets are not the next words."""
    tensors = call.tensors
    if not tensors or target.classes is None or not safe(network):
        return 0.0
    words = tensors[0]
    if words.ndim != 2 or words.is_floating_point() or words.dtype == torch.bool:
        return 0.0
    rows, length = words.shape
    if rows < 2 or length < 4 or not shifted(words, target.classes):
        return 0.0
    half = length // 2

    def later(t: Tensor) -> Tensor:
        if t.shape == words.shape and t.dtype == words.dtype:
            t[:, half:] = t[:, half:].roll(1, 0)
        return t

    with beside(network) as passes:
        own = passes(call.made(lambda t: t))
        if own.ndim != 3 or own.shape[:2] != words.shape:
            return 0.0
        change = moved(own[:, :half], passes(call.made(later))[:, :half], own[:, :half])
    return change if change > CHANGED else 0.0


def shifted(words: Tensor, classes: Tensor) -> bool:
    """Whether the target at a word is the word after it."""
    rows, length = words.shape
    if classes.numel() not in (rows * length, rows * (length - 1)):
        return False
    wanted = classes.reshape(rows, -1)[:, : length - 1]
    kept = wanted >= 0  # -100 is no target
    return bool(kept.any()) and float((wanted == words[:, 1:])[kept].float().mean()) > SHIFTED


def moved(own: Tensor, again: Tensor, whole: Tensor) -> float:
    """√ mean (own - again)² over the deviation of ``whole`` over its rows; NaN if that is 0."""
    gap = (own - again).square().mean().sqrt()
    return float(gap / (whole - whole.mean(0)).square().mean().sqrt())


def related(network: nn.Module, rows: int) -> bool:
    """Whether the network keeps a tensor that may say which of these rows belong together."""
    buffers = (b for m in walk(network) for b in m._buffers.values() if b is not None)
    return any(b.is_sparse or b.shape[-2:] == (rows, rows) for b in buffers)


def safe(network: nn.Module) -> bool:
    """Whether a pass does nothing but compute, as far as can be seen: nobody's hooks, no random
    numbers of its own, no words on the screen or in a file, no normalization over the rows that is
    meant."""
    for module in walk(network):
        if module._forward_hooks or module._forward_pre_hooks:
            return False
        if any(isinstance(value, GENERATORS) for value in vars(module).values()):
            return False
        if isinstance(module, torch.jit.ScriptModule):
            return False
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            return False
    return not calls(network, TELLS)


def calls(network: nn.Module, names: frozenset[str]) -> bool:
    """Whether a method of a script's modules, once they are made, uses one of these names."""
    kinds = {type(module) for module in walk(network)}
    foreign = (kind for kind in kinds if not kind.__module__.startswith("torch.nn."))
    methods = (v for kind in foreign for name, v in vars(kind).items() if name != "__init__")
    codes = (getattr(method, "__code__", None) for method in methods)
    return any(code is not None and not names.isdisjoint(code.co_names) for code in codes)


@contextmanager
def beside(network: nn.Module) -> Iterator[Callable[[Arguments], Tensor]]:
    """A function that gives the outputs of a pass in evaluation mode, in float32; each pass begins
    with the same random numbers, and leaves everything as it was."""
    training = [module for module in walk(network) if module.training]
    device = device_of(network)

    def passes(arguments: Arguments) -> Tensor:
        args, kwargs = arguments
        with (
            same_numbers(device),
            same_buffers(network),
            same_attributes(network),
            same_lists(network),
        ):
            return outputs(network(*args, **kwargs))

    try:
        for module in training:
            module.__dict__["training"] = False
        with torch.no_grad():
            yield passes
    finally:
        for module in training:
            module.__dict__["training"] = True


@contextmanager
def same_numbers(device: torch.device) -> Iterator[None]:
    """Puts the generators of random numbers back."""
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)


@contextmanager
def same_buffers(network: nn.Module) -> Iterator[None]:
    """Puts back the buffers that were written to, and no others: a graph may need them."""
    kept = [
        (module, name, b, b._version, b.clone())
        for module in walk(network) for name, b in module._buffers.items() if b is not None
    ]  # fmt: skip
    try:
        yield
    finally:
        for module, name, buffer, version, before in kept:
            module._buffers[name] = buffer
            if buffer._version != version:
                buffer.copy_(before)


@contextmanager
def same_lists(network: nn.Module) -> Iterator[None]:
    """Puts back what the lists, dicts and sets of modules hold."""
    kept = [
        (value, value.copy())
        for module in walk(network) for key, value in module.__dict__.items()
        if isinstance(value, list | dict | set | deque) and not key.startswith("_")
    ]  # fmt: skip
    try:
        yield
    finally:
        for value, before in kept:
            value.clear()
            value.extend(before) if isinstance(value, list | deque) else value.update(before)


def outputs(found: Any) -> Tensor:
    """The first numbers that a network gives.

    Raises:
        ValueError: if it gives none.
    """
    given: Sequence[Tensor] = [t for t in tensors_in(found) if t.is_floating_point()]
    given = [t for t in given if t.ndim > 1 or t.numel() > 1] or given
    if not given:
        raise ValueError("the network gives no numbers")
    return given[0].detach().float() if given[0].ndim else given[0].detach().float().reshape(1)
