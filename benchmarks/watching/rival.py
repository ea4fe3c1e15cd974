"""torchmortem 0.1.1 on the same trainings: ``pip install torchmortem==0.1.1``.

Its Autopsy watches at its default settings; findings of severity WARNING or CRITICAL count.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from benchmarks.watching.zoo import STEPS, train
from torch import nn

__all__ = ["flagged_by_torchmortem", "has_torchmortem"]


def has_torchmortem() -> bool:
    try:
        return version("torchmortem") == "0.1.1"
    except PackageNotFoundError:
        return False


def flagged_by_torchmortem(name: str, fault: str, seed: int, optimizer: str) -> bool | None:
    """Whether it warns of this run; None if it is not installed or fails."""
    if not has_torchmortem():
        return None
    from torchmortem import Autopsy

    opened: list[Autopsy] = []

    def began(model: nn.Module, of_model: torch.optim.Optimizer) -> Callable[[float], object]:
        autopsy = Autopsy(model, optimizer=of_model)
        autopsy.__enter__()
        opened.append(autopsy)
        spare_ranks(autopsy, model, of_model, 0)
        steps = iter(range(1, STEPS + 1))

        def after(loss: float) -> None:
            autopsy.step(loss=loss)
            spare_ranks(autopsy, model, of_model, next(steps))

        return after

    try:
        train(name, fault, seed, kind=optimizer, began=began)
    except RuntimeError:  # its backward hooks forbid activations in place
        return None
    finally:
        for autopsy in opened:
            autopsy.detach()
            atexit.unregister(autopsy._atexit_handler)
    findings = opened[0].get_report().findings
    return any(f.severity.name in ("WARNING", "CRITICAL") for f in findings)


def spare_ranks(autopsy: Any, model: nn.Module, optimizer: Any, step: int) -> None:
    """Its rank collector decomposes every layer's outputs in every pass and keeps those of one
    step in fifty. Let it see only that one: this changes no finding."""
    rank = next(c for c in autopsy._collectors if c.name == "rank")
    rank.detach()
    if autopsy._sampling.should_collect(rank.name, rank.cost, step):
        rank.attach(model, optimizer, autopsy._sampling)
