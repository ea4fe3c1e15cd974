"""Finds the models of a training that we did not write, from the parameters of its optimizers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from caveats.measuring.passing import named_modules, unwrapped
from caveats.models.isolation import walk

__all__ = [
    "Model", "compiled_doors", "find_models", "holds", "local", "named_modules", "parameters_of",
    "same", "script_name", "size", "trained", "union", "versions",
]  # fmt: skip

SOME = 8  # parameters, and numbers of each, that are looked at for a change


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network with the name that it has in the script. ``root`` is the network inside its
    wrappers, None for parameters that belong to no module; ``parameters`` are pairs of a name and a
    trained parameter, each parameter once."""

    name: str
    root: nn.Module | None
    parameters: tuple[tuple[str, Tensor], ...]


def find_models(parameters: Sequence[Tensor]) -> list[Model]:
    """The models that hold these parameters of an optimizer, the largest first.

    A model is the outermost module that holds one of them, without wrappers such as
    DistributedDataParallel. Parameters that belong to no module come last, as a model without
    ``root``. Looks at every object that Python's garbage collector knows: about 5 ms for 100,000.
    """
    wanted = {id(p): p for p in parameters}
    modules = [
        m for m in gc.get_objects() if issubclass(type(m), nn.Module) and "_modules" in vars(m)
    ]
    above: dict[int, list[nn.Module]] = {}
    for module in modules:
        for child in module._modules.values():
            if child is not None:
                above.setdefault(id(child), []).append(module)
    holders = [
        m for m in modules if any(id(p) in wanted for p in m._parameters.values() if p is not None)
    ]
    found: list[Model] = []
    for root in sorted(outermost(holders, above), key=lambda m: -held(m, wanted)):
        own = tuple((n, p) for n, p in trained(root) if id(p) in wanted)
        if own:
            for _, parameter in own:
                del wanted[id(parameter)]
            found.append(Model(script_name(root), root, own))
    if wanted:
        loose = tuple((f"parameter {i}", p) for i, p in enumerate(wanted.values()))
        found.append(Model("parameters", None, loose))
    return found


def outermost(holders: Iterable[nn.Module], above: dict[int, list[nn.Module]]) -> list[nn.Module]:
    """The modules that hold ``holders`` and are held by no other module, inside their wrappers."""
    roots: dict[int, nn.Module] = {}
    seen: set[int] = set()
    waiting = list(holders)
    while waiting:
        module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        parents = above.get(id(module), [])
        if parents:
            waiting.extend(parents)
        else:
            inside = unwrapped(module)
            roots[id(inside)] = inside
    return list(roots.values())


def held(module: nn.Module, wanted: dict[int, Tensor]) -> int:
    return sum(id(p) in wanted for p in module.parameters())


def trained(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Each parameter once, with its path in the network."""
    seen: set[int] = set()
    for path, module in named_modules(root):
        for name, parameter in module._parameters.items():
            if parameter is not None and id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{path}.{name}" if path else name, parameter


def compiled_doors(root: nn.Module) -> list[nn.Module]:
    """What torch.compile made of the network or of a wrapper of it."""
    return [
        m
        for m in gc.get_objects()
        if issubclass(type(m), nn.Module)
        and type(m).__name__ == "OptimizedModule"
        and "_modules" in vars(m)
        and unwrapped(m) is root
    ]


def script_name(root: nn.Module) -> str:
    """The name of the script's global variable that holds the network, perhaps in a wrapper;
    otherwise that of its class."""
    for name, value in list(vars(sys.modules["__main__"]).items()):
        if not name.startswith("_") and issubclass(type(value), nn.Module):
            try:
                if unwrapped(value) is root:
                    return name
            except Exception:  # a module that only looks like one
                continue
    return type(root).__name__


def sharded(root: nn.Module) -> bool:
    """Whether each process holds only a part of some parameter, as under FSDP2."""
    return any(hasattr(p, "to_local") for m in walk(root) for p in m._parameters.values())


def local(tensor: Tensor) -> Tensor:
    """This process's part of a tensor that may be spread over several processes."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part


def parameters_of(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def same(a: Model, b: Model) -> bool:
    return a.root is b.root and a.root is not None


def union(model: Model, other: Model) -> Model:
    """The model with the parameters of both, in the order of the network."""
    assert model.root is not None
    both = {id(p): (n, p) for m in (model, other) for n, p in m.parameters}
    order = [both.pop(id(p)) for _, p in trained(model.root) if id(p) in both]
    return replace(model, parameters=(*order, *both.values()))


def holds(root: nn.Module, parameter: Tensor) -> bool:
    return any(p is parameter for m in walk(root) for p in m._parameters.values())


def size(model: Model) -> int:
    return sum(p.numel() for _, p in model.parameters)


def versions(model: Model) -> Hashable:
    """Changes whenever the parameters are written to. A write through ``.data`` leaves no trace but
    in the values: on the CPU some of them are looked at, and elsewhere, where that would wait for
    the device, every backward pass counts as followed by a write."""
    parameters = [p for _, p in model.parameters]
    if parameters[-1].device.type != "cpu":
        return object()
    values = [p.detach().reshape(-1)[:SOME].tolist() for p in parameters[-SOME:]]
    return sum(p._version for p in parameters), tuple(x for some in values for x in some)
