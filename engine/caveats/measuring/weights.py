"""Tells which tensors of a pass are weights (parameters, buffers, and tensors computed only from
these), and which module a weight belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from caveats.measuring.passing import named_modules
from caveats.measuring.sites import keep

__all__ = ["Owner", "Weights"]


class Owner(NamedTuple):
    """The module that has a parameter, the module's path, and the parameter's name in it."""

    module: nn.Module
    path: str
    name: str


class Weights:
    """The weights of one network during one pass."""

    def __init__(self, network: nn.Module) -> None:
        # The tensor itself is kept, so that no other tensor can get its id.
        self._made: dict[int, tuple[Tensor, nn.Parameter | None]] = {}
        self._owners: dict[int, Owner] = {}
        self.used_by: dict[int, str] = {}
        self.parameters: list[nn.Parameter] = []
        for path, module in named_modules(network):
            for name, parameter in module._parameters.items():
                if parameter is not None and id(parameter) not in self._owners:
                    self._owners[id(parameter)] = Owner(module, path, name)
                    self._made[id(parameter)] = parameter, parameter
                    self.parameters.append(parameter)
            for buffer in module._buffers.values():
                if buffer is not None:
                    self._made[id(buffer)] = buffer, None

    def __contains__(self, tensor: object) -> bool:
        return id(tensor) in self._made

    def parameter(self, tensor: Tensor) -> nn.Parameter | None:
        """The parameter that a weight was computed from, the first of several."""
        return self._made[id(tensor)][1] if tensor in self else None

    def owner(self, parameter: nn.Parameter) -> Owner:
        return self._owners[id(parameter)]

    def derive(self, results: Iterable[Tensor], inputs: Iterable[Tensor]) -> None:
        """Note ``results`` as weights, because they were computed only from the weights
        ``inputs``."""
        sources = (self.parameter(tensor) for tensor in inputs)
        source = next((p for p in sources if p is not None), None)
        for result in results:
            self._made.setdefault(id(result), (result, source))

    def use(self, tensors: Iterable[Tensor], function: str) -> None:
        for tensor in tensors:
            parameter = self.parameter(tensor)
            if parameter is not None:
                self.used_by.setdefault(id(parameter), function)

    def origin(self, weight: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The parameter that ``weight`` is a view of, and a function that makes the same view of
        any tensor like the parameter; the weight itself if it is not a view."""
        base = weight._base
        if weight in self and isinstance(weight, nn.Parameter):
            return weight, keep
        if not isinstance(base, nn.Parameter) or base not in self:
            return weight, keep
        place = weight.shape, weight.stride(), weight.storage_offset() - base.storage_offset()
        size, stride = base.shape, base.stride()

        def view(like: Tensor) -> Tensor:
            if like.stride() != stride:
                like = torch.empty_strided(
                    size, stride, dtype=like.dtype, device=like.device
                ).copy_(like)
            return like.as_strided(place[0], place[1], place[2] + like.storage_offset())

        return base, view
