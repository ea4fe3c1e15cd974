"""Watches one pass of a network: puts a trace's hooks on its modules and takes them off again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from caveats.measuring.recognition import activation_facts
from caveats.measuring.tracing import Trace
from caveats.models.isolation import same_attributes, walk

__all__ = ["traced"]


@contextmanager
def traced(
    network: nn.Module, labels: Mapping[Any, str], *, deltas: bool = True
) -> Iterator[Trace]:
    """Watch one pass of ``network``; yields the trace, whose sites are complete when the pass is
    over. ``labels`` are names for modules, used instead of their paths."""
    trace = Trace(network, labels, deltas)
    with ExitStack() as stack:
        stack.enter_context(same_attributes(network))
        for module in walk(network):
            if (facts := activation_facts(module)) is not None:
                kept: list[Tensor] = []
                hooks = [
                    module.register_forward_pre_hook(
                        partial(trace.enter_activation, kept), with_kwargs=True
                    ),
                    module.register_forward_hook(
                        partial(trace.leave_activation, kept, facts), with_kwargs=True
                    ),
                ]
            else:
                hooks = [
                    module.register_forward_pre_hook(trace.enter),
                    module.register_forward_hook(trace.leave),
                ]
            if module is network:
                hooks += [
                    module.register_forward_pre_hook(trace.enter_network, with_kwargs=True),
                    module.register_forward_hook(trace.leave_network),
                ]
            for hook in hooks:
                stack.callback(hook.remove)
        if "torch._dynamo" in sys.modules:  # compiled code does not show its functions
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(trace)
        yield trace
    trace.finish()
