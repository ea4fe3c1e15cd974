"""Stands in a process that trains: hooks on every optimizer's step and on backward, and a
`WatchedTraining` for each model that they show.

Everything is put in by `Instruments.install` and taken out by `remove`; there is one in a process.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch.optim import optimizer as optimizers

from caveats.errors import sentence
from caveats.watching.budget import BUDGET, Budget
from caveats.watching.clipping import Clipping
from caveats.watching.live import without_hooks
from caveats.watching.losses import Losses
from caveats.watching.models import Model, find_models, parameters_of, same, size, union, versions
from caveats.watching.moments import LEAD
from caveats.watching.patching import Patches, closure_of, of_a_module
from caveats.watching.stepless import Stepless
from caveats.watching.stretches import Stretch
from caveats.watching.training import WatchedTraining
from caveats.watching.turns import Follower, Turns
from caveats.watching.unowned import Owner
from caveats.watching.untrained import leaves

__all__ = ["Instruments"]

clock = time.perf_counter
compiling = torch.compiler.is_dynamo_compiling  # it traces hooks too, and must find nothing there
ALWAYS = object()  # the version of a model that no optimizer steps: each backward pass is a step
HAND = 2  # backward passes without any optimizer after which parameters are updated by hand


class Instruments:
    """``trainings`` are the models found so far. ``found`` is called with each when its history
    begins. ``problem`` says why models could not be found.

    With ``only``, pairs of a model and its optimizer (or None), no other model is watched.
    """

    def __init__(
        self,
        every: int | None = None,
        share: float = BUDGET,
        found: Callable[[WatchedTraining], None] | None = None,
        only: Sequence[tuple[Model, Any]] = (),
    ) -> None:
        self.trainings: list[WatchedTraining] = []
        self.problem = ""
        self._every, self._share = every, share
        self._found = found or (lambda training: None)
        self._told: set[int] = set()
        self._only = bool(only)
        self._losses, self._clipping = Losses(), Clipping()
        self._handles: list[Any] = []
        self._patches = Patches()
        self._optimizers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._known: dict[int, list[WatchedTraining]] = {}  # of each optimizer, by id
        self._new: list[weakref.ref[Any]] = []
        self._by_hand: list[tuple[WatchedTraining, Hashable]] = []
        self._turns = Turns()
        self._begun: set[int] = set()  # the optimizers that have, by id
        self._stepless: Stepless | None = Stepless()  # until the first step
        self._stretches: dict[int, Stretch] = {}  # of each optimizer, by id
        self._calm = False  # whether every optimizer is in such a stretch
        self._inside = 0.0  # seconds that they took and no step was told of
        self.mine = True  # whether this is the process that they were put into: a fork is not
        os.register_at_fork(after_in_child=forgotten(weakref.ref(self)))
        for model, optimizer in only:
            self._add(model, optimizer)

    def install(self) -> None:
        self._handles = [
            optimizers.register_optimizer_step_pre_hook(self._before),
            optimizers.register_optimizer_step_post_hook(self._after),
        ]
        patches = self._patches
        patches.replace(torch.autograd, "backward", self._watched_backward())
        patches.around(torch.amp.GradScaler, "scale", self._scaling)
        patches.around(torch, "compile", self._compiling)
        patches.around(torch.nn.Module, "compile", self._compiling_itself)
        patches.around(torch.nn.Module, "__getstate__", self._copying)
        patches.around(torch.jit, "script", self._scripting)
        self._clipping.install(patches)
        if not self._only:
            patches.around(torch.optim.Optimizer, "__init__", self._constructing)

    def remove(self) -> None:
        """Take everything out; the histories stay."""
        for handle in self._handles:
            handle.remove()
        self._patches.undo()
        self._handles = []
        for optimizer in self._stretches:
            self._end_stretch(optimizer)
        for training in self.trainings:
            training.close()

    # What the script calls.

    def _constructing(self, before: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        before(optimizer, *args, **kwargs)
        if self.mine and not torch.compiler.is_compiling():
            self._new.append(weakref.ref(optimizer))
            self._guarded(self._discover)

    def _compiling(self, before: Any, *args: Any, **kwargs: Any) -> Any:
        made = before(*args, **kwargs)
        asked = args[0] if args else kwargs.get("model")
        if isinstance(made, torch.nn.Module):
            self._compiled()
        elif asked is not None and not of_a_module(asked) and self.mine:
            for training in self.trainings:
                training.disarm("activations are not visible in a function that is compiled")
        return made

    def _compiling_itself(self, before: Any, *args: Any, **kwargs: Any) -> None:
        before(*args, **kwargs)
        self._compiled()

    def _copying(self, before: Any, module: Any) -> dict[str, Any]:
        return without_hooks(before(module))

    def _scripting(self, before: Any, *args: Any, **kwargs: Any) -> Any:
        for training in self.trainings:
            training.disarm()  # its hooks cannot be translated; this step shows no activations
        return before(*args, **kwargs)

    def _compiled(self) -> None:
        for training in self.trainings if self.mine else ():
            self._guarded(training.was_compiled)

    def _scaling(self, before: Any, scaler: Any, outputs: Any, *args: Any, **kwargs: Any) -> Any:
        result = before(scaler, outputs, *args, **kwargs)
        self._losses.scaled(scaler, result, outputs)
        return result

    # Every step comes through the next three. Where nothing is measured they do little, and call
    # little: in a process that does something else meanwhile, a call in Python costs microseconds.

    def _watched_backward(self) -> Callable[..., None]:
        before, losses = torch.autograd.backward, self._losses

        def watched(*args: Any, **kwargs: Any) -> None:
            if losses.running or not self.mine or compiling():
                before(*args, **kwargs)  # a checkpointed part, or a backward pass inside another
                return
            start = clock()
            root = args[0] if args else kwargs.get("tensors")
            if not (self._calm and losses.plain(root)):
                self._guarded(self._backward_begins, root)
            losses.running = True
            self._inside += clock() - start
            try:
                before(*args, **kwargs)
            finally:
                losses.running = False
            if self._by_hand:
                start = clock()
                self._guarded(self._backward_ends)
                self._inside += clock() - start

        return watched

    def _before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self.mine or compiling():
            return
        start = clock()
        stretch = self._stretches.get(id(optimizer))
        if stretch is not None and stretch.left > 0 and len(args) == 1 and not kwargs:
            losses = self._losses
            pending = losses.pending
            if len(pending) == 1:
                losses.newest = pending.pop()
                stretch.losses.append(losses.newest)
            else:
                stretch.losses.append(losses.take(False))
            stretch.left = left = stretch.left - 1
            if left == 0:
                self._calm = False  # the next step is looked at, and the time when this one is over
            elif len(stretch.losses) % LEAD == 0:
                self._guarded(self._look, optimizer)
        else:
            self._guarded(self._steps, optimizer, closure_of(args, kwargs))
        self._inside += clock() - start

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._calm:
            return
        stretch = self._stretches.get(id(optimizer))
        if stretch is not None and stretch.quiet:
            if stretch.left == 0:
                stretch.over = clock()
        elif self.mine and not compiling():
            now = clock()
            self._guarded(self._stepped, optimizer, closure_of(args, kwargs), now)
            self._inside += clock() - now

    # What follows from it.

    def _backward_begins(self, root: Any) -> None:
        for training, version in self._by_hand:
            if version is ALWAYS or versions(training.model) != version:
                inside, self._inside = self._inside, 0.0
                training.after(inside, clock())
        sampled = False
        for training in self.trainings:
            sampled |= training.armed
            training.root(root)
        if not self._losses.begin(root, sampled):
            for optimizer in self._stretches:
                self._end_stretch(optimizer)
        if not self._known and not self._only and self._losses.count == HAND:
            self._losses.take(only_last=True)  # its pass was not seen: it begins with the next one
            for model in find_models(leaves(root)):
                self._by_hand.append((self._add(model, None), versions(model)))
        if self._stepless is not None and self._known:
            parameters = [p for o in self._optimizers for p in parameters_of(o)]
            if self._stepless.begins(root, parameters):
                self._stepless = None
                self._by_hand += [(t, ALWAYS) for known in self._known.values() for t in known]

    def _backward_ends(self) -> None:
        for index, (training, version) in enumerate(self._by_hand):
            now = ALWAYS if version is ALWAYS else versions(training.model)
            if now is ALWAYS or now != version:  # else gradients accumulate: it is the same step
                training.before(by_hand=True)
                self._tell(training)
                self._by_hand[index] = training, now
                if now is ALWAYS and training.history is not None:
                    training.tell(training.wiring.nothing_steps(training.step))

    def _first_step(self, optimizer: Any) -> None:
        self._begun.add(id(optimizer))
        self._stepless = None
        for training, version in self._by_hand:
            if version is ALWAYS:
                training.after(0.0, clock())
        self._by_hand = [(t, version) for t, version in self._by_hand if version is not ALWAYS]
        for training in self.trainings:
            training.tell(training.wiring.steps_after_all(training.step))

    def _look(self, optimizer: Any) -> None:
        """In the middle of a stretch."""
        for training in self._known.get(id(optimizer), ()):
            training.look(len(self._stretches[id(optimizer)].losses))

    def _steps(self, optimizer: Any, closure: bool) -> None:
        known = self._known.get(id(optimizer))
        if known is None or self._new:
            if self._only:
                return
            if known is None:
                self._new.append(weakref.ref(optimizer))
            self._discover()
            known = self._known.get(id(optimizer), [])
        if id(optimizer) not in self._begun:
            self._first_step(optimizer)
        for follower in self._turns.due(optimizer, self._made, self._losses.pending):
            self._losses.drop(follower.before)
            self._take_over(follower, optimizer)
        if known:
            self._end_stretch(id(optimizer))
        for training in known:
            training.before(optimizer, closure)
            self._tell(training)

    def _stepped(self, optimizer: Any, closure: bool, now: float) -> None:
        inside, self._inside = self._inside, 0.0
        lbfgs = closure and isinstance(optimizer, torch.optim.LBFGS)
        known = self._known.get(id(optimizer), ())
        for training in known:
            training.after(inside, now, closure, lbfgs)
            self._tell(training)
        if known and not closure:
            steps = min(training.quiet for training in known)
            if steps > 0:
                self._stretches.setdefault(id(optimizer), Stretch()).begin(steps)
                self._calm = not self._by_hand and all(
                    o in self._stretches and self._stretches[o].quiet
                    for o, its in self._known.items()
                    if its
                )

    def _end_stretch(self, optimizer: int) -> None:
        stretch = self._stretches.get(optimizer)
        self._calm = False
        if stretch is not None:
            over = clock() if stretch.left else stretch.over
            losses = stretch.end()
            if losses:
                inside, self._inside = self._inside, 0.0
                for training in self._known.get(optimizer, ()):
                    training.passed(losses, inside, over)

    def _discover(self) -> None:
        """Find the models of new optimizers. A model with several optimizers follows the one that
        has most of it, as long as that steps."""
        new = [o for ref in self._new if (o := ref()) is not None and id(o) not in self._known]
        self._new = []
        for optimizer in new:
            self._optimizers.add(optimizer)
            parameters = parameters_of(optimizer)
            self._known[id(optimizer)] = []
            weakref.finalize(optimizer, self._forget, id(optimizer)).atexit = False
            for model in find_models(parameters):
                rival = next((t for t in self.trainings[::-1] if same(t.model, model)), None)
                if rival is None:
                    self._add(model, optimizer)
                    continue
                if rival.history is None:
                    rival.model = union(rival.model, model)
                follower = self._turns.add(id(optimizer), rival, model)
                if rival.step == 0 and size(model) > size(rival.wiring.model):
                    self._turns.leads(id(optimizer), follower)
                    self._take_over(follower, optimizer)

    def _made(self, training: WatchedTraining) -> int | None:
        """The steps of the optimizer that a training follows; None if it is no more."""
        for optimizer, its in self._known.items():
            if training in its:
                stretch = self._stretches.get(optimizer)
                return training.step + (len(stretch.losses) if stretch else 0)
        return None

    def _take_over(self, follower: Follower, optimizer: Any) -> None:
        """An optimizer is followed in place of the one before; in the same history, unless layers
        were replaced meanwhile."""
        training = follower.training
        for before, its in list(self._known.items()):
            if training in its:
                self._end_stretch(before)
                its.remove(training)
                self._turns.add(before, training, training.wiring.model)
        if training.history is not None and not follower.fits:
            training.armed = False
            training.disarm()
            self._add(follower.model, optimizer)
            return
        training.follow(follower.model)
        self._known[id(optimizer)].append(training)

    def _add(self, model: Model, optimizer: Any) -> WatchedTraining:
        if optimizer is not None:
            self._optimizers.add(optimizer)
        budget = Budget(
            self._every, self._share, clock=time.perf_counter, processor=time.process_time
        )
        training = WatchedTraining(
            model, optimizer, self._losses, budget, self._owners, self._clipping
        )
        self.trainings.append(training)
        if optimizer is not None:
            self._known.setdefault(id(optimizer), []).append(training)
        elif self._only:
            self._by_hand.append((training, -1))
        return training

    def _forget(self, optimizer: int) -> None:
        """An optimizer is no more; a new one may get its id."""
        self._end_stretch(optimizer)
        self._known.pop(optimizer, None)
        self._stretches.pop(optimizer, None)
        self._begun.discard(optimizer)
        self._turns.forget(optimizer)

    def _tell(self, training: WatchedTraining) -> None:
        if training.history is not None and id(training) not in self._told:
            self._told.add(id(training))
            self._found(training)

    def _owners(self) -> list[Owner]:
        return [Owner(o, parameters_of(o), id(o) in self._begun) for o in self._optimizers]

    def _guarded(self, act: Callable[..., None], *args: Any) -> None:
        try:
            act(*args)
        except Exception as error:  # the script must not fail because it is watched
            self.problem = sentence(error)


def forgotten(instruments: weakref.ref[Instruments]) -> Callable[[], None]:
    """A function for a fork of the process, which is not watched."""

    def forget() -> None:
        found = instruments()
        if found is not None:
            found.mine = False

    return forget
