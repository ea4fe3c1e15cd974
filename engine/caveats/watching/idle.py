"""Finds parameters that an optimizer has and no gradient reaches, and says why as far as it can be
seen: their layers took part in the pass or not, the loss reaches them or not, and the gradient is
missing or exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from caveats.history import Event
from caveats.measuring.sites import Site, by_unit
from caveats.watching.fresh import copied, untouched
from caveats.watching.models import local, named_modules
from caveats.watching.untrained import AFTER, WIRING, some

__all__ = ["Idle", "gradient_norms", "layers_of"]

WIPED = "set to zero between backward() and step(): no step has one"


class Idle:
    """The findings about one optimizer and those of its parameters, (name, tensor) each, that
    belong to ``root``. ``part`` maps ids of weights to the newest step at which they took part in a
    sampled pass; it is added to. ``reached`` maps ids of parameters to the newest step at which a
    backward pass was seen to lead to them.

    A finding that no longer holds is taken back by an event of the severity "over".
    """

    def __init__(
        self,
        parameters: Sequence[tuple[str, Tensor]],
        root: nn.Module | None,
        part: dict[int, int],
        reached: Mapping[int, int],
    ) -> None:
        self.parameters = parameters
        self._root, self._part, self._reached = root, part, reached
        # By id: the step of the optimizer, that of the history, and what the parameter was like.
        self._since: dict[int, tuple[int, int, Any]] = {}
        self._padding: set[int] = set()  # ids of embeddings of which only the padding was asked
        self._sent: set[int] = set()  # ids of biases whose gradient was 0, and should not be
        self._said: dict[str, str] = {}

    def sample(
        self,
        step: int,
        norms: Sequence[float | None],
        sites: Sequence[Site],
        optimizer: Any,
        made: int | None = None,
    ) -> Iterator[Event]:
        """Call at sampled steps with `gradient_norms` and the sites of the pass; ``made`` are the
        steps of the optimizer, where they are not those of the history. Waits for the device where
        it finds something."""
        self._part.update((id(w), step) for s in sites if s.z.numel() for w in s.weights)
        idle = self._idle(
            step, step if made is None else made, norms, getattr(optimizer, "state", {})
        )
        still = {id(p) for _, p, norm in idle if norm == 0}
        self._only_padding(sites, still)
        self._sent |= sent(sites, still) if still else set()
        found = self._found(idle, optimizer)
        for kind in [k for k, severity in self._said.items() if severity != "over"]:
            if kind not in found:
                self._said[kind] = "over"
                yield Event(step, WIRING, "", {"severity": "over", "finding": kind})
        for kind, (text, severity) in found.items():
            if self._said.get(kind) != severity:
                self._said[kind] = severity
                yield Event(step, WIRING, text, {"severity": severity, "finding": kind})

    def _idle(
        self, step: int, made: int, norms: Sequence[float | None], state: Mapping[Any, Any]
    ) -> list[tuple[str, Tensor, float | None]]:
        """The parameters that have had no gradient for `AFTER` steps, with the newest one's norm.
        One that has none now was not changed meanwhile either, whether steps were sampled or
        not."""
        idle = []
        for (name, parameter), norm in zip(self.parameters, norms, strict=True):
            now = parameter._version, bool(state.get(parameter))  # fused steps count no version
            begun, at, before = self._since.get(id(parameter), (made, step, now))
            if norm or norm != norm or not parameter.requires_grad:  # also where it is no number
                self._since.pop(id(parameter), None)
                continue
            if norm is None and now != before:
                begun, at = made, step
            self._since[id(parameter)] = begun, at, now
            if made - begun >= AFTER:
                idle.append((name, parameter, norm))
        return idle

    def _only_padding(self, sites: Sequence[Site], still: set[int]) -> None:
        for site in sites:
            for module in (site.module,) if isinstance(site.module, nn.Embedding) else ():
                weight = module.weight
                if module.padding_idx is not None and site.z.numel() and id(weight) in still:
                    asked = bool(site.z.any())
                    (self._padding.discard if asked else self._padding.add)(id(weight))

    def _found(
        self, idle: Sequence[tuple[str, Tensor, float | None]], optimizer: Any
    ) -> dict[str, tuple[str, str]]:
        """The text and the severity of each finding, by its kind."""
        if not idle:
            return {}
        wiped = [(name, p) for name, p, norm in idle if self._wiped(p, norm)]
        if len(idle) == len(self.parameters):
            kind = "wiped" if wiped else "no gradient"
            return {kind: self._nothing_at_all(idle, optimizer, bool(wiped))}
        found = {}
        if wiped:
            names = layers_of([name for name, _ in wiped])
            found["partly wiped"] = f"the gradients of {some(names)} are {WIPED}", "note"
            own = {id(p) for _, p in wiped}
            idle = [entry for entry in idle if id(entry[1]) not in own]
        padding = [name for name, p, _ in idle if id(p) in self._padding]
        cut = [(name, p) for name, p, norm in idle if norm is None and self._took_part(p)]
        rest = [
            name for name, p, norm in idle if id(p) not in self._padding
            and not (norm is None and self._took_part(p))
        ]  # fmt: skip
        if padding:
            found["padding"] = (
                f"{some(layers_of(padding))}: only its padding was looked up in {AFTER} steps, "
                "so its gradient is exactly 0", "warning",
            )  # fmt: skip
        if cut:
            names = layers_of([name for name, _ in cut])
            found["cut off"] = (
                f"{some(names)} took part in the pass, but no gradient came back in {AFTER} steps: "
                "the way to the loss is cut",
                "warning" if self._by_accident(cut) else "note",
            )
        if rest and not padding and not cut and not wiped:
            found["partly"] = (
                f"{some(rest)} had no gradient in {AFTER} steps: nothing trains them", "note",
            )  # fmt: skip
        return found

    def _took_part(self, parameter: Tensor) -> bool:
        """Whether it was in a pass since it has had no gradient."""
        return self._part.get(id(parameter), -1) >= self._since[id(parameter)][1]

    def _wiped(self, parameter: Tensor, norm: float | None) -> bool:
        """Whether a backward pass gave it a gradient since none was found at a step."""
        reached = self._reached.get(id(parameter), -1) >= self._since[id(parameter)][1]
        return reached and (norm is None or id(parameter) in self._sent)

    def _nothing_at_all(
        self, idle: Sequence[tuple[str, Tensor, float | None]], optimizer: Any, wiped: bool
    ) -> tuple[str, str]:
        part = any(self._took_part(p) for _, p, _ in idle)
        given = sum(len(g["params"]) for g in getattr(optimizer, "param_groups", ()))
        meant = given > len(idle) and not self._by_accident([(n, p) for n, p, _ in idle])
        what = "they took part in the pass, but are cut off from the loss" if part else (
            "none of them is part of the loss"
        )  # fmt: skip
        text = f"no parameter of the optimizer had a gradient in {AFTER} steps: {what}"
        text = f"the gradients are {WIPED}" if wiped else text
        return text, "note" if meant else "critical"

    def _by_accident(self, idle: Sequence[tuple[str, Tensor]]) -> bool:
        """Whether these are weights as they were drawn, and not copies of what is trained."""
        modules = {} if self._root is None else dict(named_modules(self._root))
        holders = {name.rpartition(".")[0] for name, _ in idle}
        own = {id(p) for _, p in idle}
        others = [p for _, p in self.parameters if id(p) not in own]
        return untouched(modules[h] for h in holders if h in modules) and not copied(
            [p for _, p in idle], others
        )


def sent(sites: Sequence[Site], still: set[int]) -> set[int]:
    """The ids of those biases in ``still``, whose gradients are 0, that the pass gave another
    gradient: the sum of dLoss/dz."""
    found: set[int] = set()
    for site in sites:
        biases = {id(bias) for bias in site.biases} & still
        if biases and site.delta is not None and bool(by_unit(site.delta, site.axis).sum(0).any()):
            found |= biases
    return found


def layers_of(names: Sequence[str]) -> list[str]:
    """The layers of parameters with these names, each once; a parameter of the network itself
    stays as it is."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


def gradient_norms(parameters: Sequence[tuple[str, Tensor]]) -> list[float | None]:
    """‖dLoss/dp‖ of each parameter, None where it has no gradient. Waits for the device."""
    grads = [None if p.grad is None else local(p.grad) for _, p in parameters]
    dense = [g.to_dense() if g.is_sparse else g for g in grads if g is not None]
    norms = iter(torch.stack(torch._foreach_norm(dense)).cpu().tolist() if dense else [])
    return [None if g is None else next(norms) for g in grads]
