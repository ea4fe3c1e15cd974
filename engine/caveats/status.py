"""The states that a run can be in, and the status that a session shows of its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LIVE", "STATES", "State", "Status"]

State = Literal["loading", "paused", "running", "finished", "diverged", "failed", "stopped"]
STATES: tuple[State, ...] = get_args(State)
# In these states a process is working on the run.
LIVE: frozenset[State] = frozenset({"loading", "paused", "running"})


@dataclass(frozen=True, slots=True)
class Status:
    """What the worker is doing. ``speed`` is in steps a second (0 unless running), ``problem`` is a
    sentence about what went wrong, ``run_number`` counts the runs of this session from 1;
    ``why_device`` says why "auto" has taken the device."""

    state: State = "loading"
    step: int = 0
    speed: float = 0.0
    run_number: int = 0
    device: str = ""
    problem: str = ""
    why_device: str = ""
