"""Takes torch's recurrent layers apart on a sampled step: computes a few rows of the minibatch
again, one step of time after the other, beside the training's own call.

From them follow the gates, the states, and how much of a gradient a step back in time keeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from caveats.measuring.recurrent import GATES, Steps, run_level
from caveats.measuring.sites import Site
from caveats.watching.packing import Call, EvenRows

__all__ = ["Unrolled", "gates_taken"]

POSITIONS = 2048  # rows times steps of time that are computed again
MOST_STEPS = 256  # of time
OPEN = 4.0  # |input| of a sigmoid beyond which a gate is near 0 or 1: σ(4) = .982
FLAT = math.atanh(0.97)  # of a tanh
STUCK = 0.5  # share of the positions

Note = Callable[[Sequence[Tensor], Tensor, Tensor, Steps], Site]


class Unrolled:
    """One call of `torch.lstm`, `gru`, `rnn_tanh` or `rnn_relu`, computed again in float64 on its
    first rows and steps, without the dropout between its levels.

    ``note`` makes a site of a level's own weights, its input, its outputs and its `Steps`; it is
    called once for each level and direction. `finish`, after the backward pass, fills in the deltas
    and ``memory`` of these ``sites``. Of a packed sequence, ``call`` is that of its ``even`` rows.
    """

    def __init__(self, kind: str, call: Call, note: Note, even: EvenRows | None = None) -> None:
        x, state, batch_first = call.x, call.h, call.batch_first
        self.directions = call.directions
        self.batch_first, self._even = batch_first, even
        self.sites: list[Site] = []
        self._steps: list[Steps] = []
        self._grads: dict[int, Tensor] = {}  # of the outputs: 0 all steps, 1 the last h, 2 c
        each = call.each
        x = x.detach()
        if x.ndim == 2:  # one sequence without a batch
            x, state = x.unsqueeze(0 if batch_first else 1), unsqueezed(state)
        x = x.transpose(0, 1) if batch_first else x
        states = state if kind == "lstm" else (state,)
        self.whole = len(x) <= MOST_STEPS
        self.length = min(len(x), MOST_STEPS)
        self.rows = max(1, min(x.shape[1], POSITIONS // max(1, self.length)))
        with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
            x = x[:, : self.rows].double()
            for level in range(call.levels):
                outputs = []
                for direction in range(self.directions):
                    at = level * self.directions + direction
                    own = call.weights[at * each : (at + 1) * each]
                    begin = tuple(
                        s[at, : self.rows].detach().double().requires_grad_() for s in states
                    )
                    small = [w.detach().double() for w in own]
                    back = direction == 1
                    fed = x[-self.length :] if back else x[: self.length]
                    h, _, steps = run_level(kind, fed, begin, small[:2], small[2:], back)
                    site = note(own, fed.detach(), h, steps)
                    site.taken.update(gates_taken(kind, steps))
                    self.sites.append(site)
                    self._steps.append(steps)
                    outputs.append(h)
                x = torch.cat(outputs, -1)  # (steps, rows, directions · hidden)
        self._top = x

    def follow(self, out: Tensor, ends: Sequence[Tensor]) -> None:
        """Remember the gradients that the training's own results will get."""
        for index, tensor in enumerate((out, *ends)):
            if tensor.requires_grad:
                tensor.register_hook(self._keeper(index))  # type: ignore[no-untyped-call]

    def _keeper(self, index: int) -> Callable[[Tensor], None]:
        def keep(grad: Tensor) -> None:
            self._grads[index] = self._grads[index] + grad if index in self._grads else grad

        return keep

    def finish(self) -> None:
        """After the backward pass."""
        with torch.autocast(self._top.device.type, enabled=False):
            for site, steps in zip(self.sites, self._steps, strict=True):
                site.taken.update(memory_taken(steps))
                site.deltas[:] = [None] * len(site.deltas)  # the hooks kept that pass too
            if self.whole and self._grads:
                self._deltas()

    def _deltas(self) -> None:
        """dLoss/dh of each step: hooks on the states (`caveats.measuring.sequences`) keep it."""
        outputs: list[Tensor] = []
        grads: list[Tensor] = []
        if 0 in self._grads:
            outputs.append(self._top)
            grads.append(self._of_outputs(self._grads[0])[:, : self.rows].double())
        for part in (0, 1):  # h and c of each level's last step
            if part + 1 in self._grads:
                grad = self._grads[part + 1]
                grad = grad.unsqueeze(1) if grad.ndim == 2 else grad
                grad = grad if self._even is None else grad[:, self._even.rows]
                for level, steps in enumerate(self._steps):
                    outputs.append(steps.states[-1][part])
                    grads.append(grad[level, : self.rows].double())
        firsts = [steps.states[0][0] for steps in self._steps]
        torch.autograd.grad(outputs, firsts, grads, retain_graph=True, allow_unused=True)

    def _of_outputs(self, grad: Tensor) -> Tensor:
        """The gradient of the outputs as (steps, rows, units)."""
        if self._even is not None:
            return self._even.of_outputs(grad)
        grad = grad.unsqueeze(0 if self.batch_first else 1) if grad.ndim == 2 else grad
        return grad.transpose(0, 1) if self.batch_first else grad


def gates_taken(kind: str, steps: Steps) -> dict[str, float]:
    """``saturated_gates``: the units of which one gate (the same for all of them) lies beyond σ(±4)
    or tanh ±.97 in half of the positions or more; nothing for a layer without gates."""
    if GATES.get(kind, 1) == 1:
        return {}
    most = 0
    inputs = list(steps.stacked_gates())
    if kind == "gru":  # of an LSTM the candidate is among the gates
        inputs.append((steps.facts, torch.stack(steps.pre)))
    for facts, pre in inputs:  # (steps, rows, hidden)
        limit = OPEN if facts.name == "sigmoid" else FLAT
        stuck = (pre.detach().abs() > limit).flatten(0, -2).double().mean(0) >= STUCK
        most = max(most, int(stuck.sum()))
    return {"saturated_gates": float(most)}


def memory_taken(steps: Steps) -> dict[str, float]:
    """``memory``: ρ = (‖δ_1‖/‖δ_n‖)^(1/(n − 1)), δ_t the gradient that an output after step n of
    the state leaves at the state of step t, along a fixed random direction (Pascanu et al. 2013).
    ``sequence`` is the number of steps. Nothing for fewer than four."""
    count = len(steps.hidden)
    if count < 4:
        return {}
    last = steps.hidden[-1]
    chance = torch.Generator().manual_seed(0)
    seed = torch.randn(last.shape, generator=chance, dtype=torch.float64).to(last.device)
    ends = (steps.states[0], steps.states[-2])  # the last state gets the seed itself
    inputs = [part for state in ends for part in state]
    found = torch.autograd.grad(last, inputs, seed, retain_graph=True, allow_unused=True)
    half = len(inputs) // 2
    norms = [
        math.sqrt(sum(float(g.square().sum()) for g in part if g is not None))
        for part in (found[:half], found[half:])
    ]
    kept = (norms[0] / norms[1]) ** (1 / (count - 2)) if norms[1] > 0 else 0.0
    return {"memory": kept, "sequence": float(count)}


def unsqueezed(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.unsqueeze(1) if state.ndim == 2 else state
    return tuple(unsqueezed(part) for part in state)
