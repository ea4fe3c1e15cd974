"""What a run is doing: the states that it can be in, and what those who look are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LIVE", "STATES", "State", "Status"]

State = Literal["loading", "paused", "running", "finished", "diverged", "failed", "stopped"]
STATES: tuple[State, ...] = get_args(State)
# While a run is in one of these, a process is at work on it.
LIVE: frozenset[State] = frozenset({"loading", "paused", "running"})


@dataclass(frozen=True, slots=True)
class Status:
    """What the worker is doing: ``speed`` in steps a second (0 unless running), ``problem`` the
    sentence about what went wrong, ``run_number`` counting the runs of this session from 1."""

    state: State = "loading"
    step: int = 0
    speed: float = 0.0
    run_number: int = 0
    device: str = ""
    problem: str = ""
