"""Watches one pass through any network by the torch functions that it calls.

`caveats.measuring.capture` sees only modules. This also sees F.relu, ``x @ self.weight``, the
projections of an attention and the steps of an LSTM, and follows each tensor from the layer that
computed it to the activation. It adds 50 µs to each function that is called (measured), and dropout
is off inside.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from caveats.facts import Normalization
from caveats.measuring.capture import LAYERS, hands_on, of_units, tensors_in
from caveats.measuring.lineage import Lineage, Node
from caveats.measuring.passing import named_modules
from caveats.measuring.products import PRODUCTS, Product
from caveats.measuring.recognition import (
    CLOSING,
    DIVIDING,
    DROPOUTS,
    IDENTITY,
    MULTIPLICATIONS,
    NORMALIZERS,
    SHARE_MODULES,
    SHARES,
    SUMS,
    function_facts,
    made_by_hand,
    passes,
)
from caveats.measuring.recurrent import GATES
from caveats.measuring.sequences import cell, sequence
from caveats.measuring.sites import Site, keep
from caveats.measuring.weights import Weights
from caveats.models.activations import Activation

__all__ = ["NO_PART", "Trace"]

NO_PART = "it took no part in the pass"

# Torch's modules with one weight: when called, they give their layer its name.
SINGLE = (*LAYERS, nn.modules.conv._ConvTransposeNd, nn.Embedding, nn.EmbeddingBag)


class Trace(TorchFunctionMode):
    """Fills ``sites`` in during one pass. After it, ``unobserved`` holds the parameters with more
    than one dimension that belong to no site, each with the reason. See `traced`."""

    def __init__(self, network: nn.Module, labels: Mapping[Any, str], deltas: bool) -> None:
        super().__init__()
        self.sites: list[Site] = []
        self.unobserved: dict[str, str] = {}
        self.hooks_suffice = True
        self._labels, self.deltas = labels, deltas
        self._paths = {module: path for path, module in named_modules(network)}
        self.weights = Weights(network)
        self.lineage = Lineage()
        self._calling: list[nn.Module] = []
        self._attending = 0
        self._muted = 0  # inside an activation module: ignore the functions that it calls
        self._watching = True
        self._returned = False
        self._settled: set[Site] = set()
        self._fed_on: set[Site] = set()
        self._versions: dict[Site, tuple[Tensor, int, Tensor, int]] = {}
        self._shares: dict[int, tuple[Tensor, set[Site], bool]] = {}  # by the id of a softmax

    # The method that handles each function; this mode is off inside.
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._muted or not self._watching:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "").strip("_")
        handler = self._HANDLERS.get(name)
        if handler is not None:
            return handler(self, name, func, args, kwargs)
        return self._activation(name, func, args, kwargs)

    def _activation(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        tensor = args[0] if args else kwargs.get("input")
        node = self.lineage.of(tensor)
        named = {key: value for key, value in kwargs.items() if key != "input"}
        known = None if node is None else function_facts(name, args[1:], named)
        if node is None or known is None:
            return self.other(name, func, args, kwargs)
        facts, inplace = known
        inplace = inplace or func.__name__ == name + "_"
        pre = tensor.detach().clone() if inplace and node.waiting else tensor.detach()
        out = func(*args, **kwargs)
        self._activated(node, facts, pre, out)
        return out

    def _activated(
        self, node: Node, facts: Activation, pre: Tensor, out: Tensor, by_module: bool = False
    ) -> None:
        """Find the layer of an activation: ``facts`` turned ``pre``, at ``node``, into ``out``."""
        acted = set(node.acted)
        for site, normalization in node.waiting.items():
            if site in self._settled:
                continue
            if not of_units(site, pre):
                site.reason = "an activation follows after its units were rearranged"
                continue
            site.normalization = normalization
            site.by_hooks = by_module and site.module is not None and site is self.sites[-1]
            self._settle(site, facts, pre, out.detach())
            acted.add(site)
        if facts is IDENTITY:  # a placeholder: another may come
            self._settled -= node.waiting.keys()
            self.lineage.add([out], [node], node.waiting, acted)
        else:
            self.lineage.add([out], [node], None, acted, bends=True)

    def _settle(self, site: Site, facts: Activation, pre: Tensor, out: Tensor) -> None:
        self._settled.add(site)
        site.facts, site.pre, site.out, site.reason = facts, pre, out, ""
        self._versions[site] = pre, pre._version, out, out._version

    def _stays_linear(self, tensors: Iterable[Any]) -> None:
        """Mark layers whose outputs reach ``tensors`` without an activation as linear."""
        for tensor in tensors:
            node = self.lineage.of(tensor)
            if node is None:
                continue
            for site, normalization in node.waiting.items():
                if site not in self._settled:
                    site.normalization = normalization
                    if site.facts is IDENTITY:
                        self._settled.add(site)
                    else:
                        self._settle(site, IDENTITY, site.z, site.z)
            self._fed_on.update(node.waiting, node.acted)

    def _product(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        product = PRODUCTS[name](args, kwargs, self.weights)
        source = self.weights.parameter(product.weight)
        if source is None or product.x in self.weights or product.weight.ndim < 2:
            return self.other(name, func, args, kwargs)
        z = func(*args, **kwargs)
        weight, view = self.weights.origin(product.weight)
        site = Site(
            self._name(source, product.weight),
            "attention" if self._attending else product.kind,
            (weight,),
            () if product.bias is None else (product.bias,),
            axis=product.axis,
            x=product.x.detach() if product.x.is_floating_point() else None,
            z=z.detach(),
            orient=product.orient if view is keep else composed(product, view),
            module=self._caller(product.weight),
            fan_in=product.fan_in,
            deltas=[None],
        )
        self.add(site, [product.x], z)
        if self.deltas and z.requires_grad:
            z.register_hook(partial(site.deltas.__setitem__, 0))
        return z

    def add(self, site: Site, inputs: Sequence[Tensor], z: Tensor, bends: bool = False) -> bool:
        self._stays_linear(inputs)
        parents = self.nodes(inputs)
        if not z.is_floating_point() or z.numel() == 0 or z.ndim < -site.axis:
            kind = "empty" if z.numel() == 0 else str(z.dtype).removeprefix("torch.")
            self.unobserved[site.name] = f"its output is {kind}"
            self.lineage.add([z], parents)
            self.hooks_suffice = False
            return False
        site.units = z.shape[site.axis]
        self.sites.append(site)
        if bends:
            self._settled.add(site)
            self.lineage.add([z], parents, None, [site], site, bends=True)
        else:
            self.lineage.add([z], parents, {site: "none"}, (), site)
        return True

    def _caller(self, weight: Tensor) -> nn.Module | None:
        """The module whose call is running, if the weight is its only weight."""
        module = self._calling[-1] if self._calling else None
        if isinstance(module, SINGLE) and module.weight is weight:
            return module
        return None

    def _name(self, source: nn.Parameter, weight: Tensor) -> str:
        module = self._caller(weight)
        if module is not None:
            return self._labels.get(module) or self._paths.get(module) or "layer"
        owner = self.weights.owner(source)
        name = owner.name.removesuffix("_weight")
        if name == "weight":
            return self._labels.get(owner.module) or owner.path or "layer"
        name = f"{owner.path}.{name}" if owner.path else name
        if weight.numel() != source.numel() and weight._base is source and weight.ndim == 2:
            start = weight.storage_offset() // source.stride(0)
            return f"{name}[{start}:{start + len(weight)}]"
        return name

    def _normalization(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        self.weights.use(tensors_of([*args[1:], *kwargs.values()]), "")
        out = func(*args, **kwargs)
        for node in self.nodes([args[0] if args else kwargs["input"]]):
            kind = NORMALIZERS[name]
            waiting = {
                s: kind if before == "none" else before for s, before in node.waiting.items()
            }
            self.lineage.add([out], [node], waiting, node.acted)
        return out

    def _dropout(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """Dropout, switched off: otherwise every measurement would drop other units."""
        tensor = args[0] if args else kwargs["input"]
        share = float(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
        for node in self.nodes([tensor]):
            for site in {*node.waiting, *node.acted} - self._fed_on:
                if of_units(site, tensor):
                    site.dropout = max(site.dropout, share)
        training = args[2] if len(args) > 2 else kwargs.get("training", False)
        if share and training:
            self.hooks_suffice = False
        return tensor

    def _attention(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        if len(args) > 4:
            args = (*args[:4], 0.0, *args[5:])
        return self.other(
            name, func, args, {**kwargs, "dropout_p": 0.0} if len(args) < 5 else kwargs
        )

    def _open(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a function of torch.nn.functional so that the functions that it calls are seen."""
        self._attending += 1
        try:
            with self:
                return opened(func)(*args, **kwargs)
        finally:
            self._attending -= 1

    def _multiplication(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        operands = tensors_of([*args, *kwargs.values()])
        nodes = self.nodes(operands)
        if len(nodes) < 2 or nodes[0] is nodes[1] or operands[0].shape != operands[1].shape:
            return self.other(name, func, args, kwargs)
        a, b = nodes
        out = func(*args, **kwargs)
        gated = (a.acted & b.waiting.keys()) | (b.acted & a.waiting.keys())
        for site in gated:
            facts = made_by_hand(site.z, out)
            self._settle(site, facts or IDENTITY, site.z, out.detach())
            site.by_hooks = False
            if facts is None:
                site.facts = site.pre = site.out = None
                site.reason = "its activation is computed by hand, and is none that is known"
        self._stays_linear(operands)
        self.lineage.add([out], nodes, None, gated | a.acted | b.acted, bends=True)
        return out

    def other(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        inputs = tensors_of([*args, *kwargs.values()])
        out = func(*args, **kwargs)
        results = inputs[:1] if name == "setitem" else tensors_of([out])
        if not inputs or not results:
            return out
        if all(tensor in self.weights for tensor in inputs):
            self.weights.derive(results, inputs)
            return out
        self.weights.use(inputs, name)
        nodes = self.nodes(inputs)
        results = [result for result in results if result.is_floating_point()]
        if not nodes or not results:
            return out
        closing = name in CLOSING or name.endswith("loss")
        waiting: dict[Site, Normalization] = {}
        if closing:
            self._shared(name, inputs[0], results[0])
            self._stays_linear(inputs)
        elif passes(name):
            for node in nodes:
                waiting.update(node.waiting)
            for site in waiting.keys() & self._fed_on:
                del waiting[site]
            if len(nodes) == 2 and name in DIVIDING and inputs[1].shape[-1:] == (1,):
                # Scaled by a function of its own mean: an RMS norm computed by hand.
                own = nodes[1].acted & nodes[0].waiting.keys()
                waiting.update({site: "rms" for site in own if waiting[site] == "none"})
        acted = set() if closing else {s for node in nodes for s in node.acted} - self._fed_on
        if not closing and not passes(name):
            for site in {site for node in nodes for site in node.waiting} - self._settled:
                site.reason = f"what follows it, {name}, is not a known activation"
                acted.add(site)
        self.lineage.add(results, nodes, waiting, acted)
        if name in SUMS and len(nodes) == 2:
            self.lineage.mark_residual(*nodes)
        return out

    def _shared(self, name: str, logits: Tensor, shares: Tensor) -> None:
        """Keep the layers whose outputs a softmax takes, in case its result is the network's."""
        node = self.lineage.of(logits) if name in SHARES else None
        if node is not None and (sites := node.waiting.keys() - self._fed_on):
            by_module = bool(self._calling) and isinstance(self._calling[-1], SHARE_MODULES)
            by_module = by_module and hands_on(self.sites[-1].z, logits)
            self._shares[id(shares)] = shares, sites, by_module

    def nodes(self, tensors: Iterable[Any]) -> list[Node]:
        return [node for tensor in tensors if (node := self.lineage.of(tensor)) is not None]

    # Called by hooks of the modules.
    def enter(self, module: nn.Module, args: Any) -> None:
        self._calling.append(module)
        self.hooks_suffice &= bool(args)  # hooks see no keywords, as in layer(input=x)

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._calling.pop()

    def enter_activation(
        self, kept: list[Tensor], module: nn.Module, args: Any, kwargs: Any
    ) -> None:
        self._muted += 1
        self.hooks_suffice &= bool(args)
        tensor = tensors_of([*args, *kwargs.values()])[0]
        kept.append(tensor.detach().clone() if getattr(module, "inplace", False) else tensor)

    def leave_activation(
        self,
        kept: list[Tensor],
        facts: Activation,
        module: nn.Module,
        args: Any,
        kwargs: Any,
        out: Tensor,
    ) -> None:
        self._muted -= 1
        pre = kept.pop()
        if self._muted or not self._watching:
            return
        node = self.lineage.of(tensors_of([*args, *kwargs.values()])[0])
        if self.sites and (node is None or self.sites[-1] not in node.waiting):
            self.hooks_suffice &= not of_units(self.sites[-1], pre)  # else hooks go wrong
        if node is not None:
            self._activated(node, facts, pre.detach(), out, by_module=True)

    def enter_network(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._watching = True
        for tensor in tensors_of([*args, *kwargs.values()]):
            if self.lineage.of(tensor) is None:
                self.lineage.add([tensor], [])

    def leave_network(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note the network's result: what the loss computes after it is not part of the network."""
        self._watching, self._returned = False, True
        results = tensors_in(output)
        last = self.sites[-1] if self.sites else None
        for result, node in [(r, n) for r in results if (n := self.lineage.of(r)) is not None]:
            _, shared, by_module = self._shares.get(id(result), (result, set(), False))
            for site in ({*node.waiting, *node.acted} - self._fed_on) | shared:
                site.output = True
            if last is not None and last in shared:
                last.by_hooks = last.module is not None and by_module
            if last is not None and last in node.waiting and last not in self._settled:
                last.by_hooks = last.module is not None and hands_on(last.z, result)
            fed_on = set(self._fed_on)
            self._stays_linear([result])
            self._fed_on = fed_on

    def finish(self) -> None:
        """After the pass: find what was overwritten and what was not observed."""
        if not self._returned and self.sites:
            self.sites[-1].output = True
        for site, (pre, pre_version, out, out_version) in self._versions.items():
            # Overwritten later, as by `h = gelu(z); h += x`: it cannot be used.
            if pre._version != pre_version:
                site.facts, site.pre = None, None
                site.reason = "the input of its activation was overwritten"
            if out._version != out_version:
                site.out = None
        seen = {id(w) for site in self.sites for w in site.weights}
        seen |= {id(self.weights.parameter(w)) for site in self.sites for w in site.weights}
        for parameter in self.weights.parameters:
            function = self.weights.used_by.get(id(parameter))
            if parameter.ndim < 2 or id(parameter) in seen or function == "":
                continue
            owner = self.weights.owner(parameter)
            name = f"{owner.path}.{owner.name}" if owner.path else owner.name
            if owner.path not in self.unobserved:
                self.unobserved[name] = (
                    f"it is used by {function}, which is not taken apart" if function else NO_PART
                )
        for site in self.sites:
            if site.facts is None:
                site.reason = site.reason or "no function that uses its output was observed"

    _HANDLERS: ClassVar[dict[str, Callable[..., Any]]] = {
        **dict.fromkeys(PRODUCTS, _product),
        **dict.fromkeys(NORMALIZERS, _normalization),
        **dict.fromkeys(DROPOUTS, _dropout),
        **dict.fromkeys(MULTIPLICATIONS, _multiplication),
        "scaled_dot_product_attention": _attention,
        "multi_head_attention_forward": _open,
        **dict.fromkeys(GATES, sequence),
        **dict.fromkeys((f"{kind}_cell" for kind in GATES), cell),
    }


def composed(product: Product, view: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda weight: product.orient(view(weight))


def tensors_of(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among arguments or results, also those in lists and tuples (one level deep)."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found.extend(item for item in value if isinstance(item, Tensor))
    return found


@cache
def opened(function: Any) -> Any:
    """``function`` without its check whether a mode handles it as a whole."""
    names = {**function.__globals__, "has_torch_function": lambda tensors: False}
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
