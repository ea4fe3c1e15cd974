"""How the parameters of one training are wired to its losses and optimizers: gathers what
`untrained`, `idle` and `unowned` look at, at the few steps at which they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from caveats.history import Event
from caveats.measuring.sites import Site
from caveats.watching.idle import Idle, gradient_norms
from caveats.watching.models import Model
from caveats.watching.unowned import Owner, unowned, unstepped, zeroed
from caveats.watching.untrained import AFTER, WIRING, Untrained

__all__ = ["Wiring"]

# Steps at which the parameters of the losses are looked at, or the first after it that is seen.
LOOKS = (AFTER, 2 * AFTER, 10 * AFTER)


class Wiring:
    """``part`` maps the ids of weights to the newest step at which they took part in a sampled
    pass, ``reached`` those of parameters to the newest at which a loss was seen to lead to them.
    ``owners()`` gives all optimizers of the process."""

    def __init__(self, model: Model, owners: Callable[[], Sequence[Owner]]) -> None:
        self.part: dict[int, int] = {}
        self.reached: dict[int, int] = {}
        self._owners = owners
        self._seen = 0  # backward passes
        self._warned = False
        self.follow(model, 0)

    def follow(self, model: Model, step: int) -> None:
        """From ``step`` on, steps are those of an optimizer that has the parameters of
        ``model``."""
        self.model, self._base = model, step
        self.untrained = Untrained(model.parameters)
        self._idle = Idle(model.parameters, model.root, self.part, self.reached)
        self._looks = list(LOOKS)
        self._forget()

    def _forget(self) -> None:
        self._found: dict[int, Tensor] = {}  # parameters of the losses
        self._blank: set[int] = set()  # those without a gradient before a backward pass

    def settled(self, step: int) -> bool:
        """Whether steps can go by unseen."""
        return step - self._base > AFTER and not self.untrained.growing

    def begins(self, step: int, leaves: Callable[[], Sequence[Tensor]]) -> None:
        """A backward pass begins; ``leaves()`` are the parameters of its loss."""
        if self.untrained.growing:
            self.untrained.begins()
        if not self._looks or step - self._base < self._looks[0]:
            return
        for owner in self._owners():
            if not owner.stepped and zeroed(owner.parameters):
                self._blank.update(id(p) for p in owner.parameters)
        self._found.update((id(p), p) for p in leaves())

    def look(self, step: int, passes: int) -> Iterator[Event]:
        """The optimizer is about to step; ``passes`` backward passes have begun in all."""
        if self.untrained.growing:
            yield from self.untrained.look(step, passes - self._seen)
        self._seen = passes
        if self._found:
            found, blank, owners = list(self._found.values()), self._blank, self._owners()
            at = self._looks.pop(0)
            self.reached.update((id(p), step) for p in found)
            self._forget()
            if at == AFTER:
                yield from unowned(step, found, owners, self.model.root)
                return
            for event in unstepped(step, found, owners, self.model, blank if self._looks else None):
                self._warned = True
                yield event

    def sample(self, step: int, sites: Sequence[Site], optimizer: Any) -> Iterator[Event]:
        """A sampled step, which shows the ``sites`` of its pass."""
        norms = gradient_norms(self._idle.parameters)
        yield from self._idle.sample(step, norms, sites, optimizer)

    def steps_after_all(self, step: int) -> Iterator[Event]:
        """An optimizer has stepped for the first time."""
        if self._warned:
            self._warned, self._looks = False, list(LOOKS[1:])
            self._base = step
            yield Event(step, WIRING, "", {"severity": "over", "finding": "never steps"})

    def nothing_steps(self, step: int) -> Iterator[Event]:
        """Backward passes go by, and no optimizer has stepped."""
        kinds = [f"{type(o.optimizer).__name__}" for o in self._owners()]
        if not self._warned:
            self._warned = True
            text = (
                f"the optimizer ({', '.join(kinds)}) never steps: gradients come and go, and no "
                "weight changes; steps here are backward passes"
            )
            said = {"severity": "critical", "finding": "never steps"}
            yield Event(step, WIRING, text, said)
