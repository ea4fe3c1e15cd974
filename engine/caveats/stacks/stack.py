"""Trains and measures many networks of one shape as one tensor program.

Every member gets the history that `caveats.run.Run` of its config gets, up to rounding: the same
start to the bit, the same batches, records at the same steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caveats.config import RunConfig
from caveats.config.declared import declared_layers
from caveats.data import Dataset
from caveats.facts import DataFacts, RunFacts, is_linear
from caveats.history import Event, History
from caveats.measuring.cadence import Cadence, cadence_of
from caveats.measuring.constants import constant_loss
from caveats.measuring.data_facts import data_facts
from caveats.measuring.divergence import Divergence, locate
from caveats.measuring.yardsticks import Reach, kernel_reach, linear_reach
from caveats.models.mlp import assemble, layer_name
from caveats.run import probe_rows
from caveats.stacks.batches import StackedBatches, StackedData
from caveats.stacks.dropout import Dropouts
from caveats.stacks.losses import losses_of
from caveats.stacks.measuring import (
    PASS_NUMBERS,
    Measured,
    flat_everywhere,
    hit_rates,
    measured,
    members_at_once,
)
from caveats.stacks.member_facts import facts_of, names_in, rows_to_see
from caveats.stacks.memory import device_for, refuse_too_large
from caveats.stacks.network import draw
from caveats.stacks.shape import datasets, one_shape
from caveats.stacks.sharpness import sharpness
from caveats.stacks.updates import Updates
from caveats.training.schedules import SCHEDULES
from caveats.training.trainer import check_fit

__all__ = ["Stack"]


class Member:
    """One network of a stack: its config, its history, and where it broke, if it did."""

    def __init__(self, config: RunConfig, names: tuple[str, ...], facts: RunFacts) -> None:
        self.config = config
        self.history = History(names, facts=facts)
        self.divergence: Divergence | None = None
        self.confirmed_dead = -1.0


class Stack:
    """Trains ``configs`` of one shape (`caveats.stacks.shape.Shape`), a step at a time for all.

        stack = Stack(configs)
        while not stack.finished:
            stack.advance()
        for history in stack.histories:
            judge(history)

    ``histories`` and ``divergences`` are in the order of the configs. A member that diverges stops
    where its single run would; the others go on. ``every`` is the cadence, as in `caveats.Run`.

    Raises:
        ConfigError: for configs of unlike shape, for a stack that memory cannot hold, and as
            `caveats.Run`.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        data: Sequence[Dataset] | None = None,
        every: int | Cadence | None = None,
    ) -> None:
        self._began = time.perf_counter()
        own = list(data) if data is not None else datasets(configs)
        self.shape = one_shape(configs, own)
        configs = [c.fitted(d.rows) for c, d in zip(configs, own, strict=True)]
        for config, dataset in zip(configs, own, strict=True):
            check_fit(config, dataset)
        self.device = device_for(self.shape, len(configs))
        refuse_too_large(self.shape, len(configs), self.device)
        self._cadence = cadence_of(every)
        # Inside, members with the same activations stand side by side.
        order = sorted(range(len(configs)), key=lambda i: configs[i].network.activations)
        configs, own = [configs[i] for i in order], [own[i] for i in order]
        self._data = StackedData(own, self.device)
        rows = torch.from_numpy(probe_rows(self.shape.rows)).to(self.device)
        self._probe = self._data.rows_at(rows)
        self._losses = losses_of(self.shape.loss)
        seeds = [c.training.seed for c in configs]
        first_rows = rows_to_see(own)
        self.network = draw(
            [c.network for c in configs], seeds, self.shape.features, self.shape.outputs,
            first_rows, self.device,
        )  # fmt: skip
        self._batches = StackedBatches(self._data, self.shape.batch_size, seeds)
        self._dropouts = Dropouts(
            [c.network.dropout for c in configs], seeds, self.shape.widths, self.device
        )
        self._updates = Updates([c.optimizer for c in configs], self.network.parameters())
        yardsticks = self._yardsticks(configs)
        hidden = len(self.shape.widths)
        names = tuple(layer_name(i, hidden) for i in range(hidden + 1))
        self._members = [
            Member(config, names, facts_of(config, dataset, *yardsticks[place]))
            for config, dataset, place in zip(configs, own, self._data.of.tolist(), strict=True)
        ]
        at = {place: index for index, place in enumerate(order)}
        self._all = [self._members[at[i]] for i in range(len(order))]
        self.step = 0
        self._sums = np.zeros(len(self))  # of the minibatch losses since the last record
        self._made = 0
        self._before: list[Tensor] | None = None
        units = (*self.shape.widths, self.shape.outputs)
        self._born_dead = [np.zeros((len(self), count), bool) for count in units]
        self._set_rates()
        self._record()

    def __len__(self) -> int:
        """The number of members that still train."""
        return len(self._members)

    @property
    def finished(self) -> bool:
        return not self._members or self.step >= self.shape.steps

    @property
    def configs(self) -> list[RunConfig]:
        return [member.config for member in self._all]

    @property
    def histories(self) -> list[History]:
        return [member.history for member in self._all]

    @property
    def divergences(self) -> list[Divergence | None]:
        return [member.divergence for member in self._all]

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def advance(self) -> None:
        """Make one step of every member, and measure if a record is due."""
        if self.finished:
            return
        due = self._due(self.step + 1)
        self._before = [la.weight.detach().clone() for la in self.network.layers] if due else None
        x, y = self._batches.next()
        masks = self._dropouts.draw(x.shape[2])
        parameters = self.network.parameters()
        values = self._losses(self.network.forward(x, masks), y)
        gradients = list(torch.autograd.grad(values.sum(), parameters, materialize_grads=True))
        losses = values.detach().double().cpu().numpy()
        if not math.isfinite(losses.sum()):
            going = np.isfinite(losses)
            self._stop(np.flatnonzero(~going), x)
            if not self._members:
                return
            kept = torch.from_numpy(np.flatnonzero(going)).to(self.device)
            gradients, losses = [g[kept] for g in gradients], losses[going]
        self._updates.step(self.network.parameters(), gradients, self._rates)
        self.step += 1
        self._sums += losses
        self._made += 1
        if not self._steady:
            self._set_rates()
        if due:
            self._record()

    @torch.no_grad()
    def fork(self, config: RunConfig, state: Mapping[str, Any]) -> None:
        """Go on, with every member, from the ``state`` of one single run of ``config``
        (`caveats.training.trainer.Trainer.state`): its weights, its batches, its dropout, and what
        its optimizer keeps where the members' is of the same kind."""
        first = self._members[0].config.network
        with torch.random.fork_rng(devices=[]):
            network = assemble(config.network, self.shape.features, self.shape.outputs)
        network.load_state_dict(state["network"])
        places = {id(t): place for place, t in enumerate(self.network.parameters())}
        kept = state["optimizer"]["state"]
        same = config.optimizer.name == self.shape.optimizer
        assert first.widths == config.network.widths
        for number, (own, tensor) in enumerate(self.network.beside(network)):
            own.copy_(tensor.expand_as(own))
            if same and number in kept:
                self._updates.take(places[id(own)], kept[number])
        self._batches.load(state["batches"])
        self._dropouts.load(state["dropout"])
        self.step = int(state["step"])
        self._set_rates()

    @torch.no_grad()
    def probe_scores(self) -> list[tuple[float, float]]:
        """The present loss and accuracy of each config on the probe rows; NaN for a member that has
        stopped, the accuracy also where there are no classes."""
        found = {}
        if self._members:
            x, y = self._probe.all_rows()
            output = self.network.forward(x)
            losses, accuracies = self._losses(output, y).tolist(), hit_rates(output, y)[0].tolist()
            scores = zip(losses, accuracies, strict=True)
            found = {id(m): own for m, own in zip(self._members, scores, strict=True)}
        return [found.get(id(member), (math.nan, math.nan)) for member in self._all]

    def sharpness_now(self) -> list[float]:
        """The present sharpness of each config's network on the probe rows; NaN for a member that
        has stopped."""
        found = self._curvature(0, len(self))
        own = {id(m): float(value) for m, value in zip(self._members, found, strict=True)}
        return [own.get(id(member), math.nan) for member in self._all]

    def keep(self, members: Collection[int]) -> None:
        """Stop all members but these, by the index of their config."""
        wanted = {id(self._all[index]) for index in members}
        gone = [i for i, member in enumerate(self._members) if id(member) not in wanted]
        if gone:
            self._drop(np.array(gone))

    def _due(self, step: int) -> bool:
        return self._cadence.due(step, self.shape.steps) or step >= self.shape.steps

    def _set_rates(self) -> None:
        """The learning rate of each member's next step, after its schedule."""
        settings = [member.config.optimizer for member in self._members]
        self._steady = all(s.schedule == "constant" for s in settings)
        self._rates = torch.tensor(
            [
                s.lr * float(SCHEDULES[s.schedule].make(self.step, self.shape.steps))
                for s in settings
            ],
            dtype=torch.float64,
        )

    def _stop(self, members: np.ndarray[Any, np.dtype[np.int64]], x: Tensor) -> None:
        """End these members at their present weights: their loss on ``x`` is not finite."""
        for index in members:
            member = self._members[index]
            network = self.network.member(index, member.config.network)
            with torch.random.fork_rng(devices=[]):
                if member.config.network.dropout and self.device.type == "cpu":
                    torch.set_rng_state(self._dropouts.before[index])
                where = locate(network, names_in(network, member.history.layers), x[index].T)
            self._note(member, where)
        self._record(members)
        self._drop(members)

    def _drop(self, members: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        kept = np.setdiff1d(np.arange(len(self)), members)
        self._members = [self._members[i] for i in kept]
        self._sums = self._sums[kept]
        self._born_dead = [born[kept] for born in self._born_dead]
        if not len(kept):
            return
        chosen = torch.from_numpy(kept).to(self.device)
        self.network = self.network.chosen(chosen)
        self._updates.keep(chosen)
        self._data.keep(chosen)
        self._probe.keep(chosen)
        self._batches.keep(chosen)
        self._dropouts.keep(kept.tolist())
        if self._before is not None:
            self._before = [w[chosen] for w in self._before]
        self._set_rates()

    def _note(self, member: Member, where: str) -> None:
        member.divergence = Divergence(self.step, where)
        member.history.note(Event(self.step, "diverged", where))

    def _record(self, members: np.ndarray[Any, np.dtype[np.int64]] | None = None) -> None:
        """Measure all members, or those that just stopped, and add a record to each history."""
        if members is None:
            parts = self._parts(np.arange(len(self)))
        else:
            fresh = [i for i in members if self._members[i].history.version[0] != self.step]
            parts = [(int(i), int(i) + 1) for i in fresh]
        over = members is not None or self.step >= self.shape.steps
        deep = over or self.step == 0 or self._cadence.deep(self.step)
        broken = []
        for start, stop in parts:
            found = self._measured(start, stop, deep)
            if deep:
                self._confirm(found, start, stop, over)
            self._count_born_dead(found, start, stop)
            sharp = self._sharpness(start, stop, members is not None)
            for row, index in enumerate(range(start, stop)):
                if self._append(index, found, row, sharp[row]):
                    broken.append(index)
        if members is not None:
            return
        self._sums[:] = 0.0
        self._made = 0
        self._before = None
        if broken:
            self._drop(np.array(broken))

    def _parts(self, members: np.ndarray[Any, np.dtype[np.int64]]) -> list[tuple[int, int]]:
        most = members_at_once(self.network, self._probe.rows)
        return [(i, min(i + most, len(members))) for i in range(0, len(members), most)]

    def _measured(self, start: int, stop: int, deep: bool) -> Measured:
        before = None if self._before is None else [w[start:stop] for w in self._before]
        x, y = self._probe.all_rows(slice(start, stop))
        return measured(self.network.narrowed(start, stop), self._losses, x, y, before, deep)

    def _count_born_dead(self, found: Measured, start: int, stop: int) -> None:
        """Of the units that are dead now, those that were so at the first record."""
        for layer, (dead, born) in enumerate(zip(found.dead, self._born_dead, strict=True)):
            if not self.step:
                born[start:stop] = dead
            found.layers["born_dead"][:, layer] = (dead & born[start:stop]).sum(1)

    def _confirm(self, found: Measured, start: int, stop: int, over: bool) -> None:
        """Count the dead units again on every training row, where their number has changed."""
        counted = np.nansum(found.layers["dead"], axis=1)
        confirmed = found.layers["confirmed_dead"]
        if self._probe.rows == self._data.rows:
            confirmed[:] = found.layers["dead"]
            return
        changed = [
            row
            for row, index in enumerate(range(start, stop))
            if over or counted[row] != self._members[index].confirmed_dead
        ]
        # A unit that some probe row moves is not dead on all rows, so most need no pass.
        confirmed[changed] = 0.0
        asked = [row for row in changed if counted[row]]
        most = members_at_once(self.network, min(4096, self._data.rows))
        for first in range(0, len(asked), most):
            some = torch.tensor(asked[first : first + most], device=self.device) + start
            x, _ = self._data.all_rows(some)
            confirmed[asked[first : first + most]] = flat_everywhere(self.network.chosen(some), x)
        for row in changed:
            self._members[start + row].confirmed_dead = counted[row]

    def _sharpness(self, start: int, stop: int, stopped: bool) -> np.ndarray[Any, Any]:
        over = self.step >= self.shape.steps
        if stopped or not self.step or not (over or self._cadence.reads(self.step)):
            return np.full(stop - start, math.nan)
        return self._curvature(start, stop)

    def _curvature(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        found = np.full(stop - start, math.nan)
        part = self.network.narrowed(start, stop)
        x, y = self._probe.all_rows(slice(start, stop))
        # The graph of the gradient is kept: a quarter of a measuring pass stays in the cache.
        least = min(PASS_NUMBERS // sum(p[0].numel() for p in part.parameters()),
                    members_at_once(part, self._probe.rows) // 4)  # fmt: skip
        most = max(1, least)
        for first, last in part.same_activations():
            for a in range(first, last, most):
                b = min(a + most, last)
                scale = self._updates.squares(start + a, start + b)
                found[a:b] = sharpness(part.narrowed(a, b), self._losses, x[a:b], y[a:b], scale)
        return found

    def _append(self, index: int, found: Measured, row: int, sharp: float) -> bool:
        """Write one member's record; returns whether the member just broke."""
        member = self._members[index]
        layers = {name: column[row] for name, column in found.layers.items()}
        batch_loss = self._sums[index] / self._made if self._made else math.nan
        newest = member.history.version[0]
        member.history.append(
            self.step,
            {
                "loss": found.loss[row],
                "accuracy": found.hits[0, row],
                "lowest_recall": found.hits[1, row],
                "batch_loss": batch_loss,
                "lr": float(self._rates[index]),
                "seconds": self.seconds,
                "sharpness": sharp,
            },
            layers,
        )
        # Without a step since the last record there is no batch_loss that could be NaN.
        broken = not math.isfinite(found.loss[row] + (batch_loss if self._made else 0.0))
        if not broken or member.divergence is not None:
            return False
        network = self.network.member(index, member.config.network)
        x, _ = self._probe.all_rows(slice(index, index + 1))
        where = locate(network.eval(), names_in(network, member.history.layers), x[0].T)
        self._note(member, self._since(where, newest))
        return True

    def _since(self, where: str, newest: int) -> str:
        if self.device.type == "cpu" or not where.startswith(("weights", "parameter")):
            return where
        return f"a loss or a gradient between the steps {newest} and {self.step}"

    def _yardsticks(self, configs: Sequence[RunConfig]) -> list[tuple[float, Reach, DataFacts]]:
        """Of each set of data: the loss of a constant, that of kernel regression, the scale, and
        the loss of the best linear map where a network is one."""
        linear = {
            place
            for config, place in zip(configs, self._data.of.tolist(), strict=True)
            if is_linear(declared_layers(config, self.shape.features, self.shape.outputs))
        }
        found = []
        for place in range(self._probe.sets):
            x, y = self._probe.of_set(place)
            baseline = constant_loss(y, self.shape.loss)
            reach = kernel_reach(x, y, self.shape.loss)
            straight = linear_reach(x, y, self.shape.loss) if place in linear else math.nan
            found.append((baseline, reach, data_facts(x, y, reach.recall, straight)))
        return found
