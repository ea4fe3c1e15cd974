"""Sees the layers in one pass of the training itself: hooks on the modules and a mode for
functions, put on for that pass and taken off after it.

If something goes wrong here, the pass goes on unobserved, and ``reason`` says why.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial, update_wrapper
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from caveats.errors import sentence
from caveats.measuring.capture import tensors_in
from caveats.measuring.recognition import activation_facts
from caveats.measuring.sites import Site, merged
from caveats.models.activations import Activation
from caveats.models.isolation import walk
from caveats.watching.live_trace import LiveTrace
from caveats.watching.mixing import Call

__all__ = ["NO_PASS", "Hook", "Live", "without_hooks"]

NO_PASS = "no pass with gradients"


class Live:
    """Watches the passes of ``network`` from now on until `close`. Of several passes, it keeps
    those that belong to the newest backward pass: ``backward()`` says how many have begun, and
    ``busy()`` whether one is under way (a checkpointed part is then computed again, unobserved).

    A script that calls ``layer.forward(x)`` runs no hooks. With ``direct``, the methods ``forward``
    themselves are wrapped in their place.
    """

    def __init__(
        self,
        network: nn.Module,
        backward: Callable[[], int],
        busy: Callable[[], bool],
        direct: bool = False,
    ) -> None:
        self.reason = ""
        self.rows = 0  # of the first tensor that entered
        self.first: tuple[nn.Module, Any] | None = None  # the first layer called, and its input
        self.call: Call | None = None  # of the whole network, the newest
        self.outputs: list[tuple[Hashable, Tensor]] = []  # of what the script called
        self._network, self._backward, self._busy = network, backward, busy
        self._trace: LiveTrace | None = None
        self._began = -1  # how many backward passes there had been when the trace began
        self._depth = 0
        self._following = False
        self._thread = 0
        self._handles: list[Any] = []
        for module in walk(network):
            if isinstance(module, torch.jit.ScriptModule):
                continue
            facts, kept = activation_facts(module), list[Tensor]()
            before, after = Hook(self._before, facts, kept), Hook(self._after, facts, kept)
            if direct:
                self._handles.append(Wrapped(module, before, after))
                continue
            self._handles += [
                module.register_forward_pre_hook(before, with_kwargs=True),
                module.register_forward_hook(after, with_kwargs=True, always_call=True),
            ]

    def close(self) -> None:
        """Take every hook off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def take(self) -> tuple[list[Site], Mapping[str, str]]:
        """The sites of the newest passes, one a layer, and what was not observed, with reasons."""
        trace, self._trace = self._trace, None
        if trace is None or trace.broken or self.reason:
            self.reason = self.reason or (trace.broken if trace else NO_PASS)
            return [], {}
        trace.finish()
        unobserved = {**trace.unobserved, **trace.hidden}
        sites = merged(trace.sites)
        unobserved.update({site.name: site.reason for site in sites if site.reason})
        return sites, unobserved

    # The hooks. A module that raises has its `_after` called too, so that depths stay right.

    def _before(
        self, facts: Activation | None, kept: list[Tensor], module: nn.Module, args: Any, kw: Any
    ) -> None:
        if torch.compiler.is_compiling():
            return
        if self._depth == 0:
            self._thread = threading.get_ident()
            self._begin(module, args, kw)
        elif threading.get_ident() != self._thread:
            return
        self._depth += 1
        if self._following:
            self._guarded(self._enter, facts, kept, module, args, kw)

    def _after(
        self,
        facts: Activation | None,
        kept: list[Tensor],
        module: nn.Module,
        args: Any,
        kw: Any,
        out: Any,
    ) -> None:
        if torch.compiler.is_compiling() or threading.get_ident() != self._thread:
            return
        if self._depth == 0:
            return
        self._depth -= 1
        if self._following:
            self._guarded(self._leave, facts, kept, module, args, kw, out)
        if self._depth == 0 and self._following:
            self._following = False
            assert self._trace is not None
            self._guarded(self._trace.leave_network, module, args, out)
            self._guarded(self._given, module, args, kw, out)
            self._trace.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def _begin(self, module: nn.Module, args: Any, kw: Any) -> None:
        if self.reason or not torch.is_grad_enabled() or self._busy():
            return
        now = self._backward()
        if self._trace is None or self._began != now:
            self._trace, self._began = LiveTrace(self._network), now
            self.rows, self.first = rows_of([*args, *kw.values()]), None
            self.outputs = []
        self._trace.__enter__()  # type: ignore[no-untyped-call]
        self._following = True
        self._guarded(self._trace.enter_network, module, args, kw)

    def _given(self, module: nn.Module, args: Any, kw: Any, out: Any) -> None:
        if module is self._network:
            self.call = Call(args, kw)
        if any(t.grad_fn is not None for t in (*args, *kw.values()) if isinstance(t, Tensor)):
            return  # it goes on from what another network gives
        self.outputs += [
            ((id(module), place), tensor.detach()) for place, tensor in enumerate(tensors_in(out))
            if tensor.is_floating_point() and tensor.ndim > 1 and tensor.requires_grad
        ]  # fmt: skip

    def _enter(
        self, facts: Activation | None, kept: list[Tensor], module: nn.Module, args: Any, kw: Any
    ) -> None:
        assert self._trace is not None
        if self.first is None and layer(module):
            self.first = module, args[0] if args else None
        if facts is None:
            self._trace.enter(module, args)
        else:
            self._trace.enter_activation(kept, module, args, kw)

    def _leave(
        self,
        facts: Activation | None,
        kept: list[Tensor],
        module: nn.Module,
        args: Any,
        kw: Any,
        out: Any,
    ) -> None:
        assert self._trace is not None
        if facts is None:
            self._trace.leave(module, args, out)
        else:
            self._trace.leave_activation(kept, facts, module, args, kw, out)

    def _guarded(self, act: Callable[..., None], *args: Any) -> None:
        if self.reason:
            return
        try:
            act(*args)
        except Exception as error:  # the script must not fail because it is watched
            self.reason = sentence(error)


class Hook(partial[None]):
    """A function on a module that copies of the module are not to have."""


class Wrapped:
    """The method ``forward`` of one module, with a function before and one after it until
    `remove`."""

    def __init__(self, module: nn.Module, before: Hook, after: Hook) -> None:
        self._forward, self._before, self._after = module.forward, before, after
        self._module, self._own = module, module.__dict__.get("forward")
        update_wrapper(self, module.forward)
        module.__dict__["forward"] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._before(self._module, args, kwargs)
        out = None
        try:
            out = self._forward(*args, **kwargs)
        finally:
            self._after(self._module, args, kwargs, out)
        return out

    def remove(self) -> None:
        self.put_back(self._module.__dict__)

    def put_back(self, attributes: dict[str, Any]) -> None:
        if self._own is None:
            attributes.pop("forward", None)
        else:
            attributes["forward"] = self._own


def without_hooks(state: dict[str, Any]) -> dict[str, Any]:
    """What a copy of a module, also one in a file, is made of: its attributes without what `Live`
    has put on it for a step."""
    state = dict(state)
    for hooks, *marks in HOOKS:
        own = {key for key, hook in state.get(hooks, {}).items() if isinstance(hook, Hook)}
        for name in (hooks, *marks) if own else ():
            state[name] = OrderedDict((k, v) for k, v in state[name].items() if k not in own)
    if isinstance(wrapped := state.get("forward"), Wrapped):
        wrapped.put_back(state)
    return state


HOOKS = (
    ("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    ("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
)


def layer(module: nn.Module) -> bool:
    """Whether a module has weights, and no parts that could have others."""
    own = module._parameters.values()
    return not module._modules and any(p is not None and p.ndim > 1 for p in own)


def rows_of(values: list[Any]) -> int:
    """The length of the first tensor among the arguments; 1 where there is none."""
    for value in values:
        if isinstance(value, Mapping):
            value = next((v for v in value.values() if isinstance(v, Tensor)), None)
        if isinstance(value, PackedSequence):
            return int(value.batch_sizes[0])
        if isinstance(value, Tensor) and value.ndim:
            return len(value)
    return 1
