"""Sees the layers of a compiled network: on a sampled step the minibatch passes once more, eagerly,
beside the compiled pass.

The training's own pass is not touched. The second one has dropout off, moves no running average and
no random number, and gets the gradient that the training's own outputs get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from caveats.errors import sentence
from caveats.measuring.capture import tensors_in
from caveats.measuring.passing import device_of
from caveats.measuring.sites import Site
from caveats.models.isolation import same_attributes, undisturbed
from caveats.watching.live import NO_PASS, Hook, Live

__all__ = ["Shadow"]


class Shadow:
    """Watches the first pass from now on until `close`, as `caveats.watching.live.Live` does.
    ``doors`` are the modules that torch.compile made of ``network``."""

    def __init__(
        self, network: nn.Module, doors: Sequence[nn.Module], busy: Callable[[], bool]
    ) -> None:
        self.reason = ""
        self.rows = 0
        self.first: tuple[nn.Module, Any] | None = None
        self._network, self._busy = network, busy
        self._live: Live | None = None
        self._outputs: list[Tensor] = []  # of the second pass
        self._grads: dict[int, Tensor] = {}  # of the training's own outputs
        self._handles = [
            door.register_forward_hook(Hook(self._after), with_kwargs=True) for door in doors
        ]
        self._compiled = network._compiled_call_impl
        if self._compiled is not None:  # by network.compile()
            network.__dict__["_compiled_call_impl"] = self._called
        elif not doors:  # only parts of it are compiled
            after = Hook(self._after)
            self._handles.append(network.register_forward_hook(after, with_kwargs=True))

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._compiled is not None:
            self._network.__dict__["_compiled_call_impl"] = self._compiled
            self._compiled = None

    def _called(self, *args: Any, **kwargs: Any) -> Any:
        assert self._compiled is not None
        out = self._compiled(*args, **kwargs)
        self._after(self._network, args, kwargs, out)
        return out

    def _after(self, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        if self._live is not None or torch.compiler.is_compiling() or self._busy():
            return
        if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors_in(out)):
            return
        try:
            self._again(args, kwargs, out)
        except Exception as error:  # the script must not fail because it is watched
            self.reason = sentence(error)

    def _again(self, args: Any, kwargs: Any, out: Any) -> None:
        network = self._network
        self._live = live = Live(network, lambda: 0, lambda: False)
        try:
            with (
                undisturbed(network, device_of(network)),
                same_attributes(network),
                torch.compiler.set_stance("force_eager"),
            ):
                own = network.__dict__.pop("_compiled_call_impl", None)
                try:
                    again = network(*args, **kwargs)
                finally:
                    if own is not None:
                        network.__dict__["_compiled_call_impl"] = own
        finally:
            live.close()
        self.rows, self.first = live.rows, live.first
        self._outputs = tensors_in(again)
        for index, tensor in enumerate(tensors_in(out)):
            if tensor.requires_grad:
                tensor.register_hook(partial(self._keep, index))  # type: ignore[no-untyped-call]

    def _keep(self, index: int, grad: Tensor) -> None:
        self._grads[index] = self._grads[index] + grad if index in self._grads else grad

    def take(self) -> tuple[list[Site], Mapping[str, str]]:
        """The sites of the second pass, one a layer, and what was not observed, with reasons."""
        live = self._live
        if live is None or self.reason:
            self.reason = self.reason or NO_PASS
            return [], {}
        pairs = [
            (self._outputs[i], grad)
            for i, grad in self._grads.items()
            if i < len(self._outputs) and self._outputs[i].requires_grad
        ]
        weights = [p for p in self._network.parameters() if p.requires_grad]
        if pairs and weights:
            outputs, grads = zip(*pairs, strict=True)
            torch.autograd.grad(outputs, weights, grads, retain_graph=True, allow_unused=True)
        found = live.take()
        self.reason = live.reason
        self._outputs, self._grads, self._live = [], {}, None
        return found
