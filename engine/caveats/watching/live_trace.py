"""The mode that sees the functions of a training's own pass.

The pass computes what it would compute alone: every function is called once, with the arguments of
the script.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from caveats.errors import sentence
from caveats.measuring.capture import of_units
from caveats.measuring.lineage import Node
from caveats.measuring.recognition import DROPOUTS
from caveats.measuring.recurrent import GATES, Steps, run_level
from caveats.measuring.sequences import recurrent
from caveats.measuring.sites import Site
from caveats.measuring.tracing import Trace, opened
from caveats.watching.attention import attention, fused_arguments, fused_logits, some_queries
from caveats.watching.packing import call_of
from caveats.watching.unrolling import Unrolled, gates_taken

__all__ = ["LiveTrace"]

# Functions that multiply the rows of an attention with the values, and functions on the way there.
MIXING = frozenset({"matmul", "rmatmul", "bmm", "baddbmm", "einsum"})
ON_THE_WAY = frozenset({
    "to", "type", "type_as", "float", "half", "bfloat16", "masked_fill", "mul", "view", "reshape",
    "transpose", "permute", "contiguous", "getitem",
})  # fmt: skip


class Once:
    """A function that a handler is to call once; remembers its result."""

    __slots__ = ("__name__", "done", "failed", "function", "result")

    def __init__(self, function: Any) -> None:
        self.function, self.__name__ = function, getattr(function, "__name__", "")
        self.done = self.failed = False
        self.result: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            self.result = self.function(*args, **kwargs)
        except BaseException:
            self.failed = True  # an error of the script: it goes to the script
            raise
        self.done = True
        return self.result


class LiveTrace(Trace):
    """A trace that changes nothing: dropout drops, and an LSTM is called whole. ``hidden`` maps
    layers to what of them could not be taken apart, and why."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, {}, deltas=True)
        self.broken = ""
        self.hidden: dict[str, str] = {}
        self._unrolled: list[Unrolled] = []
        # The logits of each softmax that may be an attention, and the layers that made them; by the
        # id of a tensor that holds its rows.
        self._looks: dict[int, tuple[weakref.ref[Tensor], Tensor, Sequence[Node]]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.compiler.is_compiling():  # this line is traced into a compiled function
            return func(*args, **(kwargs or {}))
        kwargs = kwargs or {}
        if self.broken or self._muted or not self._watching:
            return func(*args, **kwargs)
        once = Once(func)
        try:
            return super().__torch_function__(once, types, args, kwargs)
        except Exception as error:
            if once.failed:
                raise
            self.broken = sentence(error)
            return once.result if once.done else func(*args, **kwargs)

    def _dropout(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        tensor = args[0] if args else kwargs["input"]
        share = float(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
        nodes = self.nodes([tensor])
        for node in nodes:
            for site in {*node.waiting, *node.acted} - self._fed_on:
                if of_units(site, tensor):
                    site.dropout = max(site.dropout, share)
        out = func(*args, **kwargs)
        for node in nodes:
            self.lineage.add([out], [node], node.waiting, node.acted)
        self._still(tensor, out)
        return out

    # Attention.

    def _fused(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        given = fused_arguments(args, kwargs)
        q, k, mask = given["query"], given["key"], given.get("attn_mask")
        nodes = self.nodes([q, k])
        out = self.other(name, func, args, kwargs)
        causal, scale = bool(given.get("is_causal")), given.get("scale")
        self._taken(nodes, lambda: attention(fused_logits(q, k, mask, causal, scale)))
        return out

    def other(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        out = super().other(name, func, args, kwargs)
        if name == "softmax":
            self._look(args[0] if args else kwargs["input"], out)
        elif self._looks and name in MIXING | ON_THE_WAY:
            for tensor in (a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)):
                if name in ON_THE_WAY:
                    self._still(tensor, out)
                elif (found := self._look_of(tensor)) is not None:
                    logits, nodes = found
                    self._taken(nodes, partial(attention, logits))
        return out

    def _look(self, logits: Tensor, shares: Tensor) -> None:
        """A softmax: of an attention, if its result is multiplied with the values later."""
        if logits.ndim < 3 or shares.shape != logits.shape or not logits.numel():
            return
        heads = 1
        if self._attending and logits.ndim == 3 and self._calling:
            heads = int(getattr(self._calling[-1], "num_heads", 1))
        nodes = self.nodes([logits])
        self._looks[id(shares)] = weakref.ref(shares), some_queries(logits, heads), nodes

    def _look_of(self, tensor: Tensor) -> tuple[Tensor, Sequence[Node]] | None:
        found = self._looks.get(id(tensor))
        if found is None or found[0]() is not tensor:
            return None
        return found[1], found[2]

    def _still(self, tensor: Any, out: Any) -> None:
        """``out`` holds the rows of ``tensor``, if that holds those of an attention."""
        if isinstance(out, Tensor) and (found := self._look_of(tensor)) is not None:
            self._looks[id(out)] = weakref.ref(out), *found

    def _taken(self, nodes: Sequence[Node], take: Callable[[], dict[str, float]]) -> None:
        """Give the layer that made the queries what ``take`` finds."""
        site = nearest(nodes)
        if site is None or site.taken:
            return
        try:
            site.taken.update(take())
        except Exception as error:  # an attention of a shape that is not known here
            self.hidden[site.name] = f"the rows of its attention: {sentence(error)}"

    # Recurrent layers.

    def _sequence(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        call, even = (None if kwargs else call_of(args)) or (None, None)
        if call is None or call.each != (4 if call.biased else 2) or not self._owns(call.weights):
            return self.other(name, func, args, kwargs)  # with a projection, say
        x = args[0]
        before = len(self.sites)
        out = func(*args, **kwargs)
        try:
            several = call.levels * call.directions > 1
            unrolled = Unrolled(name, call, partial(self._level, x, several), even)
        except Exception as error:
            del self.sites[before:]
            self.hidden["recurrent layers"] = sentence(error)
            return out
        unrolled.follow(out[0], out[1:])
        self._unrolled.append(unrolled)
        for site in unrolled.sites[: -unrolled.directions]:
            site.dropout = call.dropout
        last = unrolled.sites[-unrolled.directions :]
        self.lineage.add([*out], self.nodes([x]), None, last)
        return out

    def _owns(self, weights: Sequence[Tensor]) -> bool:
        return bool(weights) and weights[0] in self.weights

    def _level(
        self, x: Tensor, several: bool, own: Sequence[Tensor], fed: Tensor, h: Tensor, steps: Steps
    ) -> Site:
        nodes = self.nodes([x])
        waiting = {site: kind for node in nodes for site, kind in node.waiting.items()}
        self.lineage.add([fed], nodes, waiting, {site for node in nodes for site in node.acted})
        recurrent(self, own, [fed], h, steps, several)
        return self.sites[-1]

    def _cell(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        if kwargs or args[2] not in self.weights:
            return self.other(name, func, args, kwargs)
        out = func(*args, **kwargs)
        kind = name.removesuffix("_cell")
        x, own = args[0], [tensor for tensor in args[2:] if tensor is not None]
        states = args[1] if kind == "lstm" else (args[1],)
        if x.ndim != 2:
            return out
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            small = [w.detach().float() for w in own]
            begin = tuple(s.detach().float() for s in states)
            h, _, steps = run_level(kind, x.detach().float()[None], begin, small[:2], small[2:],
                                    False)  # fmt: skip
        recurrent(self, own, [x], h, steps, False)
        site = self.sites[-1]
        site.taken.update(gates_taken(kind, steps))
        ends = out if kind == "lstm" else (out,)
        self.lineage.add(ends, self.nodes([x]), None, [site])
        if ends[0].requires_grad:
            site.deltas = [None]
            ends[0].register_hook(partial(site.deltas.__setitem__, 0))
        return out

    def finish(self) -> None:
        for unrolled in self._unrolled:
            unrolled.finish()
        self._unrolled, self._looks = [], {}
        super().finish()

    def _open(self, name: str, func: Once, args: Any, kwargs: Any) -> Any:
        self._attending += 1
        try:
            with self:
                return Once.__call__(redirected(func), *args, **kwargs)
        finally:
            self._attending -= 1

    _HANDLERS: ClassVar[dict[str, Callable[..., Any]]] = {
        **Trace._HANDLERS,
        **dict.fromkeys(DROPOUTS, _dropout),
        "scaled_dot_product_attention": _fused,
        "multi_head_attention_forward": _open,
        **dict.fromkeys(GATES, _sequence),
        **dict.fromkeys((f"{kind}_cell" for kind in GATES), _cell),
    }


def nearest(nodes: Sequence[Node]) -> Site | None:
    """The layer closest before these tensors, on the way through the first of them."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop(0)
        if node.site is not None:
            return node.site
        if node.index not in seen:
            seen.add(node.index)
            waiting[:0] = node.parents
    return None


def redirected(once: Once) -> Once:
    once.function = opened(once.function)
    return once
