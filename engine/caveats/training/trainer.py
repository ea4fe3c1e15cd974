"""The training loop: makes one step after another on one device, and measures nothing.

`Trainer.state` holds all that is needed to continue with exactly the same numbers.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from caveats.data import Dataset
from caveats.errors import ConfigError
from caveats.models.mlp import build, swap_activations, swap_dropout
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.models.section import NetworkConfig
from caveats.training.captured import (
    RecordedStep,
    Recorder,
    cuda_graph,
    differs,
    why_not_recorded,
)
from caveats.training.device import Chosen, choose_device
from caveats.training.losses import LOSSES, output_units
from caveats.training.memory import needed
from caveats.training.objective import CLASS_WEIGHTS, Objective
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES
from caveats.training.section import OptimizerConfig, TrainingConfig

__all__ = ["Batches", "Recipe", "Trainer", "device_for"]

PLAIN_STEPS = 12  # before one is recorded; the first ten are measured anyway
NOT_YET = "recorded after the first steps"


class Recipe(Protocol):
    """The parts of a config that a trainer needs."""

    @property
    def network(self) -> NetworkConfig: ...
    @property
    def optimizer(self) -> OptimizerConfig: ...
    @property
    def training(self) -> TrainingConfig: ...


def device_for(config: Recipe, dataset: Dataset) -> Chosen:
    """Where a network of this config trains on these data, and why if the config says "auto".

    Raises:
        ConfigError: for a device that this machine does not have.
    """
    settings, network = config.training, config.network
    rows = settings.batch_size or dataset.rows
    weights, _ = needed(dataset.features, network.widths, dataset.outputs, rows)
    return choose_device(settings.device, weights * rows, network.dropout)


def leave_a_core() -> None:
    """Let torch use all cores but one, unless OMP_NUM_THREADS sets a number.

    torch's threads wait for one another by spinning. When a screen or another job needed a core
    too, small networks were seen to train at a thirtieth of their speed.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1)))


class Batches:
    """Minibatches of (x, y) in a new random order each epoch. Rows left over that do not fill a
    batch are skipped in that epoch. ``size`` 0 means all rows, in their own order."""

    def __init__(self, x: Tensor, y: Tensor, size: int, seed: int) -> None:
        self.x, self.y, self.size = x, y, size
        self.generator = torch.Generator().manual_seed(seed)
        self._start_epoch()

    def _start_epoch(self) -> None:
        self.epoch_state = self.generator.get_state()
        self.offset = 0
        self._shuffle()

    def _shuffle(self) -> None:
        if not self.size:
            self._x, self._y = self.x, self.y
            return
        order = torch.randperm(len(self.x), generator=self.generator).to(self.x.device)
        # One gather per epoch, then slices. On 1,797 rows of 64, x[order] takes five times as long.
        self._x, self._y = self.x.index_select(0, order), self.y.index_select(0, order)

    def resize(self, size: int) -> None:
        """Change the batch size from the next batch on; the order of the epoch stays."""
        if bool(size) != bool(self.size):
            self.size = size
            self._start_epoch()
        self.size = size

    def next(self) -> tuple[Tensor, Tensor]:
        if not self.size:
            return self._x, self._y
        if self.offset + self.size > len(self.x):
            self._start_epoch()
        rows = slice(self.offset, self.offset + self.size)
        self.offset += self.size
        return self._x[rows], self._y[rows]

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch_state, "offset": self.offset}

    def load(self, state: dict[str, Any]) -> None:
        self.epoch_state = state["epoch"]
        self.generator.set_state(self.epoch_state)
        self._shuffle()
        self.offset = state["offset"]


def objective_of(config: Recipe, data: Dataset, like: Tensor) -> Objective:
    """The loss that ``config`` asks for on ``data``; its class weights are of the kind and on the
    device of ``like``."""
    settings, weights = config.training, None
    if data.classes is not None:
        counts = np.bincount(data.y, minlength=data.classes)
        weights = CLASS_WEIGHTS[settings.class_weight].make(counts)
    return Objective(
        settings.loss,
        data.classes,
        probabilities=OUTPUT_ACTIVATIONS[config.network.output_activation].probabilities,
        weights=None
        if weights is None
        else torch.tensor(weights, dtype=like.dtype, device=like.device),
    )


class Trainer:
    """A network in training. ``step`` counts the updates made; `train_step` makes the next one.

    Raises:
        ConfigError: if config and data do not fit (a batch larger than the data, a loss that needs
            classes), or if the device does not exist.
    """

    def __init__(self, config: Recipe, dataset: Dataset) -> None:
        check_fit(config, dataset)
        self.config, self.dataset = config, dataset
        self.device, self.why_device = device_for(config, dataset)
        if self.device.type == "cpu":
            leave_a_core()
        self.x = torch.tensor(dataset.x, device=self.device)  # (rows, features)
        self.y = torch.tensor(dataset.y, device=self.device)
        seed = config.training.seed
        self.outputs = output_units(config.training.loss, dataset.classes, dataset.outputs)
        self.network = build(
            config.network, dataset.features, self.outputs, seed, torch.tensor(dataset.x[:512])
        ).to(self.device)
        self.loss_function = objective_of(config, dataset, self.x)
        self.batches = Batches(self.x, self.y, config.training.batch_size, seed)
        self.optimizer = self._make_optimizer()
        self.step = 0
        self.stuck = False
        self.last_x = self.x[:0]
        self._reads_losses = self.device.type == "cpu"
        self._dropout_state = self._first_dropout_state(seed)
        # Steps that are recorded and played again; ``recording`` says in words whether they are.
        self._recorder: Recorder = cuda_graph
        self._cannot_record = False  # once it has failed, it is not tried again
        self._recorded: RecordedStep | None = None
        self._forget_recording()
        self._set_lr()

    @property
    def unit(self) -> Tensor:
        """The size of one unit of each target in its own measure, (targets,): other than 1 where
        targets were standardized."""
        std = self.dataset.target_std
        sizes = np.ones(self.dataset.outputs) if std is None else std
        return torch.tensor(sizes, dtype=torch.float64, device=self.device)

    def _make_optimizer(self) -> Any:
        settings = self.config.optimizer
        return OPTIMIZERS[settings.name].make(
            self.network.parameters(), lr=settings.lr, **settings.options
        )

    @property
    def lr(self) -> float:
        """The learning rate of the next step, after the schedule."""
        settings = self.config.optimizer
        factor = SCHEDULES[settings.schedule].make(self.step, self.config.training.steps)
        return settings.lr * float(factor)

    def _set_lr(self) -> None:
        """Store the learning rate of the next step in the optimizer, as torch's schedulers do."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr

    def train_step(self, listened: bool = False) -> Tensor:
        """Make one update; returns the minibatch loss, a scalar still on the device.

        On the CPU, where reading a loss costs 1 µs, a loss that is not finite makes no update: it
        sets ``stuck``, and the weights that gave this loss on ``last_x`` stay. On a GPU reading the
        loss would wait for the device, so the update is always made.

        On CUDA, steps after the first few are recorded as a graph and played again, with the same
        numbers. A step that hooks listen to (``listened``) is made as it is.
        """
        x, y = self.batches.next()
        recorded = self._recorded
        if recorded is not None and not listened and recorded.fits(x, y):
            loss = recorded(x, y)
        elif self._may_record and recorded is None and self.step >= self._record_from:
            loss = self._first_recorded(x, y)
        else:
            loss = self._plain_step(x, y)
        if not self.stuck:
            self.step += 1
            if self.config.optimizer.schedule != "constant":
                self._set_lr()
        return loss

    def _plain_step(self, x: Tensor, y: Tensor) -> Tensor:
        drawn = self._dropout_state
        with self.own_dropout():
            loss = self.loss_function(self.network(x), y)
        detached: Tensor = loss.detach()
        if self._reads_losses and not math.isfinite(detached.item()):
            self.stuck, self.last_x, self._dropout_state = True, x, drawn
            return detached
        for group in self.optimizer.param_groups:
            # On 18 tensors this takes 2 µs, and optimizer.zero_grad 20: it reports to the profiler.
            for parameter in group["params"]:
                parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.optimizer.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimizer.clip_norm)
        self.optimizer.step()
        return detached

    def _first_recorded(self, x: Tensor, y: Tensor) -> Tensor:
        """Record a step, compare it with the same step as it is, and keep the recording only if
        both agree. What stays is the step as it is."""
        kept: list[Tensor] = []

        def plain() -> Tensor:
            kept.append(self._plain_step(x, y))
            return kept[0]

        settings = self.config.optimizer
        try:
            recorded = RecordedStep(
                self.network, self.loss_function, self.optimizer, settings.clip_norm,
                settings.schedule == "constant", x, y, self._recorder,
            )  # fmt: skip
            off = differs(self.network, self.optimizer, plain, lambda: recorded(x, y))
        except RuntimeError as error:  # also out of memory: the step as it is needs less
            said = (str(error).splitlines() or [type(error).__name__])[0]
            self._give_up_recording(f"the step cannot be recorded: {said}")
            return kept[0] if kept else self._plain_step(x, y)
        if off == 0:  # not a bit may differ: a continued run repeats its steps to the bit
            self._recorded, self.recording = recorded, ""
        else:
            self._give_up_recording(f"the recorded step was off by {off:.1g}")
        return kept[0]

    def _forget_recording(self) -> None:
        """Record again after a few steps: tensors that a recording used have been replaced."""
        self._recorded = None
        self._record_from = self.step + PLAIN_STEPS
        if self._cannot_record:
            return
        why = why_not_recorded(self.device, self.config.network.dropout)
        self._may_record, self.recording = not why, why or NOT_YET

    def _give_up_recording(self, why: str) -> None:
        self._may_record, self._cannot_record, self.recording = False, True, why

    def change(self, config: Recipe) -> None:
        """Continue with a config that differs only in live keys; the weights stay.

        The optimizer's state (momentum and the like) stays too, even under new options, unless the
        optimizer itself or the set of parameters changes.

        Raises:
            ConfigError: if the new config does not fit the data.
        """
        check_fit(config, self.dataset)
        old, self.config = self.config, config
        parameters = list(self.network.parameters())
        swap_activations(self.network, old.network.activations, config.network.activations)
        swap_dropout(self.network, config.network.dropout)
        self.batches.resize(config.training.batch_size)
        same_parameters = list(map(id, parameters)) == list(map(id, self.network.parameters()))
        fresh = self._make_optimizer()
        if old.optimizer.name == config.optimizer.name and same_parameters:
            take_options(self.optimizer, fresh)
        else:
            self.optimizer = fresh
        self._set_lr()
        self._forget_recording()

    def state(self) -> dict[str, Any]:
        """All that a bit-exact continuation needs, except the config and the data. It is a copy:
        further steps do not change it."""
        return copy.deepcopy(
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "batches": self.batches.state(),
                "dropout": self._dropout_state,
            }
        )

    def load(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self._set_lr()
        self.batches.load(state["batches"])
        self._dropout_state = state["dropout"]
        self._forget_recording()

    def _first_dropout_state(self, seed: int) -> Tensor:
        generator = torch.Generator(self.device if self.device.type == "cuda" else "cpu")
        return generator.manual_seed(seed).get_state()

    @contextmanager
    def own_dropout(self) -> Iterator[None]:
        """Give torch's global generator this run's state for one pass, and take it back afterwards.

        Dropout draws from the global generator; this way neither another run in the process nor a
        probe can change the masks.
        """
        if not self.config.network.dropout:
            yield
            return
        before = self._read_rng()
        self._write_rng(self._dropout_state)
        try:
            yield
        finally:
            self._dropout_state = self._read_rng()
            self._write_rng(before)

    def _read_rng(self) -> Tensor:
        if self.device.type == "cuda":
            return torch.cuda.get_rng_state(self.device)
        return torch.get_rng_state()

    def _write_rng(self, state: Tensor) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)


def take_options(optimizer: Any, fresh: Any) -> None:
    """Copy the options of ``fresh``, an optimizer of the same kind and parameters; the state of
    ``optimizer`` stays."""
    for group, new in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        group.update({key: value for key, value in new.items() if key != "params"})
    if isinstance(optimizer, torch.optim.SGD | torch.optim.RMSprop):
        start_or_end_momentum(optimizer)


def start_or_end_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Make or drop the momentum buffers of an optimizer that has them only if its momentum is not
    0. Without them RMSprop fails; kept, they would be outdated when momentum starts again."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if not group["momentum"] and state:
                state.pop("momentum_buffer", None)
            elif state and "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter)


def check_fit(config: Recipe, dataset: Dataset) -> None:
    """Raises ConfigError if the data do not allow what the config asks for."""
    rows, size = len(dataset.x), config.training.batch_size
    if size > rows:
        raise ConfigError(
            f"training.batch_size = {size} is larger than the {rows} rows of {dataset.name}: "
            f"use at most {rows}, or 0 for all rows at once"
        )
    if config.network.normalization == "batch" and config.network.widths and (size or rows) == 1:
        raise ConfigError(
            "network.normalization = 'batch' cannot average over batches of one row: "
            "use training.batch_size = 2 or more, or 'layer'"
        )
    if dataset.classes is None:
        check_numbers(config.training, dataset)


def check_numbers(training: TrainingConfig, dataset: Dataset) -> None:
    """Raises ConfigError for a loss or a weight that numbers as targets do not allow."""
    loss = LOSSES[training.loss]
    if loss.classes_only:
        raise ConfigError(
            f"training.loss = {loss.name!r} needs classes, but the targets of "
            f"{dataset.name} are numbers: use 'mse'"
        )
    if loss.shares_only:
        for values in (dataset.y, *(dataset.held_out or ())[1:]):
            low, high = float(values.min()), float(values.max())
            if low < 0 or high > 1:
                raise ConfigError(
                    f"training.loss = {loss.name!r} needs classes or numbers from 0 to 1, but the "
                    f"targets of {dataset.name} go from {low:g} to {high:g}: use 'mse'"
                )
    if training.class_weight != "none":
        raise ConfigError(
            f"training.class_weight = {training.class_weight!r} needs classes, but the targets of "
            f"{dataset.name} are numbers: use 'none'"
        )
