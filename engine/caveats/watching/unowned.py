"""Finds parameters that take part in a loss and are in no optimizer, or only in optimizers that
never step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from caveats.history import Event
from caveats.models.isolation import walk
from caveats.watching.fresh import copied, untouched
from caveats.watching.idle import layers_of
from caveats.watching.models import Model, find_models, trained
from caveats.watching.untrained import WIRING, some

__all__ = ["Owner", "unowned", "unstepped", "zeroed"]


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """An optimizer, its parameters, and whether it has stepped."""

    optimizer: Any
    parameters: Sequence[Tensor]
    stepped: bool


def unowned(
    step: int, found: Iterable[Tensor], owners: Sequence[Owner], root: nn.Module | None
) -> Iterator[Event]:
    """Name the parameters of the losses, ``found``, that are in no optimizer. ``root`` is the
    network whose steps are counted."""
    owned = {id(p) for owner in owners for p in owner.parameters}
    lost = [p for p in found if isinstance(p, nn.Parameter) and id(p) not in owned]
    if not lost:
        return
    inside = {} if root is None else {id(p): n for n, p in trained(root)}
    mine = [p for p in lost if id(p) in inside]
    others = find_models([p for p in lost if id(p) not in inside])
    listed = [m for m in others if m.root is None or (root is not None and in_a_list(m.root, root))]
    networks = [m for m in others if m not in listed]
    if listed:
        yield told(
            step, "unregistered", f"{some([n for m in listed for n in elsewhere(m)])} take part in "
            "the loss, but are in no optimizer and in no module of the model: layers in a plain "
            "list or dict need nn.ModuleList or nn.ModuleDict", "warning",
        )  # fmt: skip
    texts, severe = [], False
    trains = [p for p in found if id(p) in owned]
    if mine:
        names = [inside[id(p)] for p in mine]
        texts.append(f"{some(names)} get gradients, but are in no optimizer: they never change")
        severe |= len(names) < len(inside) / 2 or by_accident(mine, root, trains)
    for model in networks:
        held = [p for _, p in model.parameters]
        twin = twins(owners)
        texts.append(
            f"{model.name} ({counted(held)}) gets gradients, but is in no optimizer: it never "
            "changes" + (f", and {twin}" if twin else "")
        )
        severe |= bool(twin) or by_accident(held, model.root, trains)
    if texts:
        yield told(step, "unowned", "; ".join(texts), "warning" if severe else "note")


def unstepped(
    step: int,
    found: Iterable[Tensor],
    owners: Sequence[Owner],
    model: Model,
    blank: set[int] | None,
) -> Iterator[Event]:
    """Name the parameters of the losses, ``found``, whose optimizers have never stepped; with
    ``blank``, if their ids are in it."""
    stepped = {id(p) for owner in owners if owner.stepped for p in owner.parameters}
    wanted = {id(p) for p in found} - stepped
    texts = []
    for owner in owners:
        own = [p for p in owner.parameters if id(p) in wanted]
        if owner.stepped or not own or (blank is not None and not {id(p) for p in own} <= blank):
            continue
        layers = named(own, model)
        whose = "its" if len(layers) == 1 else "their"
        texts.append(
            f"{some(layers)} got gradients, but {whose} optimizer "
            f"({type(owner.optimizer).__name__}, {counted(owner.parameters)}) never steps"
        )
    if texts:
        yield told(step, "never steps", "; ".join(texts), "warning")


def zeroed(parameters: Iterable[Tensor]) -> bool:
    """Whether none of them holds a gradient other than 0. Waits for the device."""
    return not any(p.grad is not None and bool(p.grad.any()) for p in parameters)


def named(parameters: Sequence[Tensor], model: Model) -> list[str]:
    """The layers of these parameters: of the model, or of other networks by their names in the
    script."""
    names: list[str] = []
    for other in find_models(parameters):
        layers = layers_of([n for n, _ in other.parameters])
        prefix = "" if other.root is model.root or other.root is None else f"{other.name}."
        names += [prefix + layer for layer in layers]
    return names


def by_accident(lost: Sequence[Tensor], root: nn.Module | None, trains: Sequence[Tensor]) -> bool:
    """Whether these are weights of ``root`` as they were drawn, and no copies of those that are
    trained."""
    own = {id(p) for p in lost}
    holders = [] if root is None else [
        m for m in walk(root) if any(id(p) in own for p in m._parameters.values())
    ]  # fmt: skip
    return untouched(holders) and not copied(lost, trains)


def twins(owners: Sequence[Owner]) -> str:
    """Whether two optimizers that step hold the same parameters, in words; "" if none do."""
    seen: set[frozenset[int]] = set()
    for owner in owners:
        if not owner.stepped:
            continue
        own = frozenset(id(p) for p in owner.parameters)
        if own in seen:
            return f"two optimizers hold the same {counted(owner.parameters)} instead"
        seen.add(own)
    return ""


def in_a_list(layer: nn.Module, root: nn.Module) -> bool:
    """Whether a module of the network holds a layer in a plain list, tuple or dict."""
    return any(
        holds(value, layer) for m in walk(root) for key, value in vars(m).items()
        if key not in ("_modules", "_parameters", "_buffers")
    )  # fmt: skip


def holds(value: Any, layer: nn.Module) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list | tuple) and any(v is layer or holds(v, layer) for v in value)


def elsewhere(model: Model) -> list[str]:
    """Names for parameters that no module of the model holds."""
    if model.root is None:
        return [f"a parameter of shape {tuple(p.shape)}" for _, p in model.parameters]
    return [f"{name} of a {type(model.root).__name__}" for name, _ in model.parameters]


def counted(parameters: Sequence[Tensor]) -> str:
    return f"{len(parameters)} parameter" + "s" * (len(parameters) != 1)


def told(step: int, kind: str, text: str, severity: str) -> Event:
    return Event(step, WIRING, text, {"severity": severity, "finding": kind})
