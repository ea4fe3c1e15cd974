"""Computes recurrent layers step by step, from their definitions.

torch computes a whole sequence in one kernel, which shows neither the gates nor the gradient that
comes back through time. For a measuring pass, this computes the same values one step at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from caveats.models.activations import ACTIVATIONS, Activation

__all__ = ["GATES", "Steps", "gates_of_units", "run_level"]

# How many rows of each weight belong to a hidden unit: one for each gate.
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}

SIGMOID, TANH = ACTIVATIONS["sigmoid"], ACTIVATIONS["tanh"]
_ACTIVATIONS = {"lstm": TANH, "gru": TANH, "rnn_tanh": TANH, "rnn_relu": ACTIVATIONS["relu"]}


@dataclass(slots=True)
class Steps:
    """The values of one recurrent layer: each h (batch, hidden) in the order of computation, the
    whole states ((h,), of an LSTM (h, c)), and the inputs of its activation and its gates."""

    facts: Activation
    hidden: list[Tensor] = field(default_factory=list)
    states: list[tuple[Tensor, ...]] = field(default_factory=list)
    pre: list[Tensor] = field(default_factory=list)
    gates: list[tuple[tuple[Activation, Tensor], ...]] = field(default_factory=list)

    def stacked_gates(self) -> tuple[tuple[Activation, Tensor], ...]:
        """Each gate over all steps, (steps, batch, hidden)."""
        return tuple(
            (at_each[0][0], torch.stack([pre.detach() for _, pre in at_each]))
            for at_each in zip(*self.gates, strict=True)
        )


def step(
    kind: str,
    fed: Tensor,
    state: tuple[Tensor, ...],
    weight: Tensor,
    bias: Tensor | None,
    to: Steps,
) -> tuple[Tensor, ...]:
    """The next state from ``fed`` = W x + b (batch, gates · hidden) and the state (h,) or (h, c);
    ``weight`` and ``bias`` are those of h."""
    h = state[0]
    gates: tuple[tuple[Activation, Tensor], ...] = ()
    new: tuple[Tensor, ...]
    back = functional.linear(h, weight, bias)  # (batch, gates · hidden)
    if kind == "lstm":
        i, f, g, o = (fed + back).chunk(4, -1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        pre, gates, new = c, ((SIGMOID, i), (SIGMOID, f), (TANH, g), (SIGMOID, o)), (h, c)
    elif kind == "gru":
        r, z, n = fed.chunk(3, -1)
        back_r, back_z, back_n = back.chunk(3, -1)
        r, z = r + back_r, z + back_z
        pre = n + torch.sigmoid(r) * back_n
        update = torch.sigmoid(z)
        h = (1 - update) * torch.tanh(pre) + update * h
        gates, new = ((SIGMOID, r), (SIGMOID, z)), (h,)
    else:
        pre = fed + back
        h = torch.tanh(pre) if kind == "rnn_tanh" else torch.relu(pre)
        new = (h,)
    to.hidden.append(h)
    to.states.append(new)
    to.pre.append(pre.detach())
    to.gates.append(gates)
    return new


def run_level(
    kind: str,
    x: Tensor,
    state: tuple[Tensor, ...],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    backward: bool,
) -> tuple[Tensor, tuple[Tensor, ...], Steps]:
    """Run one direction of one level over a sequence x (steps, batch, features). Returns its
    outputs (steps, batch, hidden), the last state, and the `Steps`."""
    steps = Steps(_ACTIVATIONS[kind])
    into, across = weights
    bias, back = biases if biases else (None, None)
    fed = functional.linear(x, into, bias)  # (steps, batch, gates · hidden)
    # Unbound at once: the gradient of an index is a tensor as long as the sequence, at every step.
    at_each = fed.unbind(0)
    for now in reversed(at_each) if backward else at_each:
        state = step(kind, now, state, across, back, steps)
    outputs = steps.hidden[::-1] if backward else steps.hidden
    return torch.stack(outputs), state, steps


def gates_of_units(hidden: int, weight: Tensor) -> Tensor:
    """(gates · hidden, n), gate after gate, as (hidden, gates · n): one row for each unit."""
    return weight.reshape(-1, hidden, weight.shape[1]).transpose(0, 1).flatten(1)
