"""Contexts in which a pass through a network does not change its training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["same_attributes", "undisturbed", "walk"]


def walk(network: nn.Module) -> Iterator[nn.Module]:
    """Every module once, in any order. On 36 modules it takes 12 µs; nn.Module.modules, which also
    builds every name, takes 120 µs."""
    seen: set[nn.Module] = set()
    waiting = [network]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            yield module
            waiting.extend(child for child in module._modules.values() if child is not None)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of modules may do to its training in a pass. ``foreign`` classes are neither
    torch's nor ours: their forward may do more than compute."""

    foreign: bool
    drops: bool
    averages: bool


_KINDS: dict[type[nn.Module], Kind] = {}


def kind(module: nn.Module) -> Kind:
    of = type(module)
    if of not in _KINDS:
        _KINDS[of] = Kind(
            not of.__module__.startswith(("torch.nn.", "caveats.")),
            issubclass(of, nn.modules.dropout._DropoutNd),
            issubclass(of, nn.modules.batchnorm._BatchNorm),
        )
    return _KINDS[of]


@contextmanager
def undisturbed(network: nn.Module, device: torch.device) -> Iterator[None]:
    """A pass inside this context does not change the training: dropout is off, batch norm uses the
    batch's statistics, and running averages, all other buffers and the random number generators
    (torch's, and of foreign modules numpy's and Python's) are restored afterwards."""
    generators = None
    dropouts: list[nn.Module] = []
    averages: list[nn.Module] = []
    buffers: list[tuple[nn.Module, str, Tensor, Tensor]] = []
    for module in walk(network):
        does = kind(module)
        if generators is None and does.foreign:  # 100 µs, which torch's own modules do not need
            generators = random.getstate(), np.random.get_state(legacy=False)
        if does.drops:
            # Switching takes 5 µs; at p = 0 torch's own dropout returns its input.
            if module.training and (module.p or does.foreign):
                dropouts.append(module)
        elif does.averages:
            if module.training and module.track_running_stats:
                averages.append(module)
        elif module._buffers:
            buffers += [
                (module, name, b, b.clone()) for name, b in module._buffers.items() if b is not None
            ]
    cpu_state = torch.get_rng_state()
    cuda_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        switch(dropouts, "training", False)
        switch(averages, "track_running_stats", False)
        yield
    finally:
        switch(dropouts, "training", True)
        switch(averages, "track_running_stats", True)
        with torch.no_grad():
            for module, name, buffer, before in buffers:
                module._buffers[name] = buffer.copy_(before)
        if generators is not None:
            random.setstate(generators[0])
            np.random.set_state(generators[1])
        torch.set_rng_state(cpu_state)
        if cuda_state is not None:
            torch.cuda.set_rng_state(cuda_state, device)


@contextmanager
def same_attributes(network: nn.Module) -> Iterator[None]:
    """Restores the attributes of foreign modules to which a pass inside this context assigns (a
    hidden state that is carried from batch to batch, a counter)."""
    before = [(module, dict(module.__dict__)) for module in walk(network) if kind(module).foreign]
    try:
        yield
    finally:
        for module, attributes in before:
            now = module.__dict__
            if now.keys() != attributes.keys() or any(
                now[name] is not value for name, value in attributes.items()
            ):
                module.__dict__.clear()
                module.__dict__.update(attributes)


def switch(modules: Sequence[nn.Module], name: str, on: bool) -> None:
    for module in modules:
        setattr(module, name, on)
