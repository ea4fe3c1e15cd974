"""Makes a measuring pass through any network: finds the network inside its wrappers, runs it
eagerly, and does not change its training. If the pass fails, one sentence says why.
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
    """The network that a wrapper holds; None for a network that is not a wrapper."""
    if type(network).__name__ == "OptimizedModule":  # torch.compile's; its file is slow to import
        return network.get_submodule("_orig_mod")
    if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        found: nn.Module = network.module
        return found
    return None


def unwrapped(network: nn.Module) -> nn.Module:
    """The network inside torch.compile, DataParallel and DistributedDataParallel."""
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
    """Where the network begins: where its first parameter is."""
    # On 36 modules nn.Module.parameters takes 20 µs to start, this less than 1 µs.
    waiting = [network]
    while waiting:
        module = waiting.pop()
        for parameter in module._parameters.values():
            if parameter is not None:
                return parameter.device
        waiting.extend(child for child in reversed(module._modules.values()) if child is not None)
    return torch.device("cpu")


def named_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module once with its path, without the steps that torch.compile puts in."""
    for path, module in network.named_modules():
        yield ".".join(part for part in path.split(".") if part != "_orig_mod"), module


@contextmanager
def measuring_pass(wrapper: nn.Module, network: nn.Module, device: torch.device) -> Iterator[None]:
    """The context for a forward pass and the gradients of its loss; ``wrapper`` holds ``network``,
    or is the network itself."""
    with ExitStack() as stack:
        stack.enter_context(undisturbed(network, device))
        # The caller may be under no_grad; measuring needs gradients.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        # With the cache, a parametrized weight (spectral norm) is one tensor during the whole pass.
        stack.enter_context(parametrize.cached())
        while (wrapped := inner(wrapper)) is not None:
            stack.enter_context(bypassed(wrapper, wrapped))
            wrapper = wrapped
        yield


@contextmanager
def bypassed(wrapper: nn.Module, wrapped: nn.Module) -> Iterator[None]:
    """Make a call of ``wrapper`` call ``wrapped`` directly, because the wrapper's own forward may
    communicate with other processes."""
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
    """Refuse lazy layers: a measuring pass would create their weights, which only training may do.

    Raises:
        ConfigError: if a layer was never called and so has no weights.
    """
    for path, module in named_modules(network):
        if any(is_lazy(p) for p in module._parameters.values() if p is not None):
            raise ConfigError(
                f"{path or type(module).__name__} has no weights yet: pass one batch through the "
                "network before it is measured"
            )


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turns an error of the pass inside this context into one sentence.

    Raises:
        ConfigError: for any error of the pass, except out of memory, which is raised unchanged.
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
    """The loss, if it has gradients.

    Raises:
        ConfigError: if it is not one real number that depends on the weights.
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
