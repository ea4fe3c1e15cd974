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
from caveats.watching.training import WatchedTraining
from caveats.watching.wiring import leaves

__all__ = ["Instruments"]

SOME = 8
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
        self.mine = True  # whether this is the process that they were put into: a fork is not
        os.register_at_fork(after_in_child=forgotten(weakref.ref(self)))
        for model, optimizer in only:
            self._add(model, optimizer)

    def install(self) -> None:
        self._handles = [
            optimizers.register_optimizer_step_pre_hook(self._before),
            optimizers.register_optimizer_step_post_hook(self._after),
        ]
        self._patch(torch.autograd, "backward", self._backward)
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
        for training in self.trainings:
            training.close()

    def _patch(self, owner: Any, name: str, around: Callable[..., Any]) -> None:
        """Replace a function by one that calls ``around`` with it first."""
        before = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            return around(before, *args, **kwargs)

        watched.__name__, watched.__doc__ = name, getattr(before, "__doc__", None)
        watched.__wrapped__ = before  # type: ignore[attr-defined]
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

    def _backward(self, before: Any, *args: Any, **kwargs: Any) -> None:
        root = args[0] if args else kwargs.get("tensors")
        if not self.mine or torch.compiler.is_compiling():
            before(*args, **kwargs)
            return
        self._guarded(self._backward_begins, root)
        self._losses.running += 1
        try:
            before(*args, **kwargs)
        finally:
            self._losses.running -= 1
        if self._losses.running == 0:
            self._guarded(self._backward_ends)

    # What follows from it.

    def _backward_begins(self, root: Any) -> None:
        if self._losses.running:
            return  # a checkpointed part, or a backward pass inside another
        for training, version in self._by_hand:
            if versions(training.model) != version:
                training.after()
        self._losses.begin(root, any(training.armed for training in self.trainings))
        for training in self.trainings:
            training.root(root)
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

    def _before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.mine and not torch.compiler.is_compiling():
            self._guarded(self._steps, optimizer, closure_of(args, kwargs))

    def _steps(self, optimizer: Any, closure: bool) -> None:
        if self._only and id(optimizer) not in self._known:
            return
        if id(optimizer) not in self._known:
            self._new.append(weakref.ref(optimizer))
        if self._new:
            self._discover()
        for training in self._known.get(id(optimizer), ()):
            training.before(optimizer, closure)
            self._tell(training)

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.mine and not torch.compiler.is_compiling():
            self._guarded(self._stepped, optimizer, closure_of(args, kwargs))

    def _stepped(self, optimizer: Any, closure: bool) -> None:
        for training in self._known.get(id(optimizer), ()):
            training.after(closure, isinstance(optimizer, torch.optim.LBFGS))
            self._tell(training)

    def _discover(self) -> None:
        """Find the models of new optimizers. A model with several optimizers follows the one that
        has most of it."""
        new = [o for ref in self._new if (o := ref()) is not None and id(o) not in self._known]
        self._new = []
        for optimizer in new:
            self._optimizers.add(optimizer)
            parameters = parameters_of(optimizer)
            self._known[id(optimizer)] = []
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
