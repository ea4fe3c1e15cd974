"""Several optimizers of one module tree: the history follows the steps of one of them, and the
others are counted beside it until one has to take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from caveats.watching.idle import Idle, gradient_norms
from caveats.watching.losses import Loss
from caveats.watching.models import Model, trained
from caveats.watching.training import WatchedTraining
from caveats.watching.untrained import AFTER

__all__ = ["Follower", "Turns"]

BEFORE = 2  # steps without one of the first optimizer, before that has ever stepped


class Follower:
    """An optimizer that has ``model``, a part of the network of ``training``, whose steps are those
    of another one. ``missed`` are its steps since the newest of those, ``before`` the newest loss
    at the step before this one, None where there was none."""

    def __init__(self, training: WatchedTraining, model: Model) -> None:
        self.training, self.model = training, model
        self.missed = self._steps = 0
        self._seen = -1
        self.before: Loss | None = None
        self._newest: Loss | None = None
        wiring = training.wiring
        self._idle = Idle(model.parameters, model.root, wiring.part, wiring.reached)

    def steps(self, optimizer: Any, made: int, newest: Loss | None) -> bool:
        """Call before its step; ``made`` are those of the optimizer that is followed, ``newest`` is
        the newest loss that no step was given. Returns whether this one is to be followed from now
        on."""
        self.before, self._newest = self._newest, newest
        if made != self._seen:
            self._seen, self.missed = made, 0
        self.missed += 1
        if self._steps in LOOKS:
            norms = gradient_norms(self.model.parameters)
            for event in self._idle.sample(self.training.step, norms, [], optimizer, self._steps):
                self.training.note(event)
        self._steps += 1
        return self.missed > (AFTER if made else BEFORE)

    @property
    def fits(self) -> bool:
        """Whether the network still has the layers with which its history began."""
        root = self.training.model.root
        now = set() if root is None else {id(p) for _, p in trained(root)}
        return all(id(p) in now for _, p in self.training.model.parameters)


LOOKS = frozenset({0, 1, 2, 5, AFTER, *(AFTER * 2**i for i in range(1, 16))})


class Turns:
    """The followers of each optimizer, by its id."""

    def __init__(self) -> None:
        self._of: dict[int, list[Follower]] = {}

    def add(self, optimizer: int, training: WatchedTraining, model: Model) -> Follower:
        follower = Follower(training, model)
        self._of.setdefault(optimizer, []).append(follower)
        training.shared = True
        return follower

    def leads(self, optimizer: int, follower: Follower) -> None:
        """It follows no longer."""
        self._of[optimizer].remove(follower)

    def due(
        self,
        optimizer: Any,
        made: Callable[[WatchedTraining], int | None],
        pending: Sequence[Loss],
    ) -> Iterator[Follower]:
        """The optimizer is about to step: those that take the place of the one that was followed.
        ``made(training)`` are the steps of that one, None if it is no more; ``pending`` are the
        losses that no step was given."""
        newest = pending[-1] if pending else None
        for follower in list(self._of.get(id(optimizer), ())):
            steps = made(follower.training)
            if follower.steps(optimizer, steps or 0, newest) or steps is None:
                self.leads(id(optimizer), follower)
                yield follower

    def forget(self, optimizer: int) -> None:
        self._of.pop(optimizer, None)
