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
from torch import Tensor
from torch.optim import optimizer as optimizers

from caveats.errors import sentence
from caveats.watching.budget import BUDGET, Budget
from caveats.watching.live import without_hooks
from caveats.watching.losses import Losses
from caveats.watching.models import Model, find_models
from caveats.watching.moments import LEAD
from caveats.watching.stretches import Stretch
from caveats.watching.training import WatchedTraining
from caveats.watching.untrained import AFTER, leaves

__all__ = ["Instruments"]

SOME = 8
clock = time.perf_counter
compiling = torch.compiler.is_dynamo_compiling  # it traces hooks too, and must find nothing there
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
        self._losses = Losses()
        self._handles: list[Any] = []
        self._undo: list[Callable[[], None]] = []
        self._optimizers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._known: dict[int, list[WatchedTraining]] = {}  # of each optimizer, by id
        self._new: list[weakref.ref[Any]] = []
        self._by_hand: list[tuple[WatchedTraining, Hashable]] = []
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
        self._replace(torch.autograd, "backward", self._watched_backward())
        self._patch(torch.amp.GradScaler, "scale", self._scaling)
        self._patch(torch, "compile", self._compiling)
        self._patch(torch.nn.Module, "compile", self._compiling_itself)
        self._patch(torch.nn.Module, "__getstate__", self._copying)
        self._patch(torch.jit, "script", self._scripting)
        if not self._only:
            self._patch(torch.optim.Optimizer, "__init__", self._constructing)

    def remove(self) -> None:
        """Take everything out; the histories stay."""
        for handle in self._handles:
            handle.remove()
        for undo in reversed(self._undo):
            undo()
        self._handles, self._undo = [], []
        for optimizer in self._stretches:
            self._end_stretch(optimizer)
        for training in self.trainings:
            training.close()

    def _patch(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Replace a function by one that calls ``around`` with it first."""
        before = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            return around(before, *args, **kwargs)

        self._replace(owner, name, watched)

    def _replace(self, owner: Any, name: str, watched: Any) -> None:
        before = getattr(owner, name)
        watched.__name__, watched.__doc__ = name, getattr(before, "__doc__", None)
        watched.__wrapped__ = before
        setattr(owner, name, watched)

        def undo() -> None:
            if getattr(owner, name) is watched:  # else somebody has wrapped it since
                setattr(owner, name, before)

        self._undo.append(undo)

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
            elif left % LEAD == LEAD - 1:
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
            if versions(training.model) != version:
                inside, self._inside = self._inside, 0.0
                training.after(inside, clock())
        sampled = False
        for training in self.trainings:
            sampled |= training.armed
            if training.untrained.growing:
                training.untrained.begins()
            if training.step == AFTER:
                training.root(root)
        if not self._losses.begin(root, sampled):
            for optimizer in self._stretches:
                self._end_stretch(optimizer)
        if not self._known and not self._only and self._losses.count == HAND:
            self._losses.take(only_last=True)  # its pass was not seen: it begins with the next one
            for model in find_models(leaves(root)):
                self._by_hand.append((self._add(model, None), versions(model)))

    def _backward_ends(self) -> None:
        for index, (training, version) in enumerate(self._by_hand):
            now = versions(training.model)
            if now != version:  # else gradients accumulate: the step before is still going on
                training.before(by_hand=True)
                self._tell(training)
                self._by_hand[index] = training, now

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
                    o in self._stretches and self._stretches[o].quiet for o in self._known
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
        has most of it."""
        new = [o for ref in self._new if (o := ref()) is not None and id(o) not in self._known]
        self._new = []
        for optimizer in new:
            self._optimizers.add(optimizer)
            parameters = parameters_of(optimizer)
            self._known[id(optimizer)] = []
            weakref.finalize(optimizer, self._forget, id(optimizer)).atexit = False
            for model in find_models(parameters):
                rival = next((t for t in self.trainings if same(t.model, model)), None)
                if rival is None:
                    self._add(model, optimizer)
                elif size(model) > size(rival.model) and rival.step == 0:
                    self._drop(rival)
                    self._add(model, optimizer)

    def _add(self, model: Model, optimizer: Any) -> WatchedTraining:
        if optimizer is not None:
            self._optimizers.add(optimizer)
        budget = Budget(self._every, self._share, clock=time.perf_counter)
        training = WatchedTraining(model, optimizer, self._losses, budget, self._owned)
        self.trainings.append(training)
        if optimizer is not None:
            self._known.setdefault(id(optimizer), []).append(training)
        elif self._only:
            self._by_hand.append((training, -1))
        return training

    def _drop(self, training: WatchedTraining) -> None:
        training.disarm()
        self.trainings.remove(training)
        for known in self._known.values():
            if training in known:
                known.remove(training)

    def _forget(self, optimizer: int) -> None:
        """An optimizer is no more; a new one may get its id."""
        self._end_stretch(optimizer)
        self._known.pop(optimizer, None)
        self._stretches.pop(optimizer, None)

    def _tell(self, training: WatchedTraining) -> None:
        if training.history is not None and id(training) not in self._told:
            self._told.add(id(training))
            self._found(training)

    def _owned(self) -> set[int]:
        return {id(p) for o in self._optimizers for p in parameters_of(o)}

    def _guarded(self, act: Callable[..., None], *args: Any) -> None:
        try:
            act(*args)
        except Exception as error:  # the script must not fail because it is watched
            self.problem = sentence(error)


def parameters_of(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def of_a_module(function: Any) -> bool:
    """Whether it is a method of a module, as `nn.Module.compile` passes it on, or of an optimizer,
    as in torch.compile(optimizer.step)."""
    return isinstance(getattr(function, "__self__", None), torch.nn.Module | torch.optim.Optimizer)


def forgotten(instruments: weakref.ref[Instruments]) -> Callable[[], None]:
    """A function for a fork of the process, which is not watched."""

    def forget() -> None:
        found = instruments()
        if found is not None:
            found.mine = False

    return forget


def closure_of(args: Any, kwargs: Any) -> bool:
    """Whether the optimizer was called with a function that computes the loss."""
    return callable(args[1] if len(args) > 1 else kwargs.get("closure"))


def same(a: Model, b: Model) -> bool:
    return a.root is b.root and a.root is not None


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
