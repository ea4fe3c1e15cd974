"""A pass for measuring through anybody's network: it finds the network inside its wrappers, runs it
eagerly, leaves no trace in its training, and says in one sentence why it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from caveats.errors import ConfigError, sentence
from caveats.models.isolation import undisturbed, walk

__all__ = [
    "compiled",
    "device_of",
    "measuring_pass",
    "named_modules",
    "one_sentence",
    "refuse_lazy",
    "scalar_loss",
    "unwrapped",
]


def inner(network: nn.Module) -> nn.Module | None:
    """What a wrapper wraps; None for a network that is no wrapper."""
    if type(network).__name__ == "OptimizedModule":  # torch.compile's; its file is slow to import
        return network.get_submodule("_orig_mod")
    if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        found: nn.Module = network.module
        return found
    return None


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself, out of torch.compile, DataParallel and DistributedDataParallel."""
    while (wrapped := inner(network)) is not None:
        network = wrapped
    return network


def compiled(network: nn.Module) -> bool:
    """Whether torch.compile has any part of the network."""
    return any(
        type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None
        for module in walk(network)
    )


def device_of(network: nn.Module) -> torch.device:
    """Where the network begins."""
    first = next(network.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def named_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module once with its path, without the steps that torch.compile puts in."""
    for path, module in network.named_modules():
        yield ".".join(part for part in path.split(".") if part != "_orig_mod"), module


@contextmanager
def measuring_pass(wrapper: nn.Module, network: nn.Module, device: torch.device) -> Iterator[None]:
    """For a forward pass and the gradients of its loss; ``wrapper`` holds ``network``, or is it."""
    with ExitStack() as stack:
        stack.enter_context(undisturbed(network, device))
        # Whoever measures may be evaluating: gradients are wanted all the same.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        # Cached, a parametrized weight (spectral norm) is one tensor for the whole of the pass.
        stack.enter_context(parametrize.cached())
        while (wrapped := inner(wrapper)) is not None:
            stack.enter_context(bypassed(wrapper, wrapped))
            wrapper = wrapped
        yield


@contextmanager
def bypassed(wrapper: nn.Module, wrapped: nn.Module) -> Iterator[None]:
    """A call of ``wrapper`` is one of ``wrapped``: its own forward may talk to other processes."""
    before = dict(wrapper.__dict__)
    wrapper.__dict__["forward"] = wrapped.__call__
    try:
        yield
    finally:
        if "forward" in before:
            wrapper.__dict__["forward"] = before["forward"]
        else:
            del wrapper.__dict__["forward"]


def refuse_lazy(network: nn.Module) -> None:
    """A pass would give lazy layers their weights, which is for training to do.

    Raises:
        ConfigError: for a layer that was never called and so has no weights.
    """
    for path, module in named_modules(network):
        if any(is_lazy(p) for p in module._parameters.values() if p is not None):
            raise ConfigError(
                f"{path or type(module).__name__} has no weights yet: pass one batch through the "
                "network before it is measured"
            )


@contextmanager
def one_sentence() -> Iterator[None]:
    """A pass inside that fails says so in one sentence.

    Raises:
        ConfigError: for any error of the pass. Out of memory stays what it is.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        words = sentence(error)
        if words.startswith("out of memory"):
            raise
        raise ConfigError(f"the network fails on the rows to measure on: {words}") from error


def scalar_loss(loss: Any, weights: list[Tensor]) -> Tensor:
    """The loss, if gradients can come of it.

    Raises:
        ConfigError: for anything but one real number that depends on the weights.
    """
    if not isinstance(loss, Tensor):
        raise ConfigError(f"the loss to measure is a {type(loss).__name__}, not a tensor")
    if loss.numel() != 1 or not loss.is_floating_point():
        kind = str(loss.dtype).removeprefix("torch.")
        raise ConfigError(
            f"the loss to measure is a {kind} tensor of shape {tuple(loss.shape)}, not one real "
            "number"
        )
    if not loss.requires_grad and any(weight.requires_grad for weight in weights):
        raise ConfigError(
            "the loss to measure does not depend on the weights: it was computed without gradients"
        )
    return loss.reshape(())
