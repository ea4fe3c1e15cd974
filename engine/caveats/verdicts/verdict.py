"""What a verdict is: a caveat found in a run, how bad it is, why it happens and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["SEVERITIES", "Finding", "Remedy", "Severity", "Verdict"]

# note: it is true, but training makes progress. warning: it slows or cripples a part of the
# network. critical: training stands still, or has diverged.
Severity = Literal["note", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of config, dotted key to value, and why it should help.

    If there is no config to change (a user's own training), ``change`` is empty and ``reason`` says
    in torch's terms what to do. ``certain`` is True for the cure that an experiment was made with.
    ``parts`` are the single remedies that a combined one was made of.
    """

    change: Mapping[str, Any]
    reason: str
    certain: bool = False
    parts: tuple[Remedy, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about one record. ``layers`` are indices, first to last. ``advice`` is what
    helps in this run, in torch's terms, the likeliest first; if it is empty, that of the caveat
    holds."""

    severity: Severity
    what: str
    why: str
    layers: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A caveat found in a run. ``step`` is the step at which it was first seen, ``layers`` are
    names, ``what`` is one line with this run's numbers, ``why`` one sentence with a formula and a
    source, and ``next`` holds the remedies, the likeliest first."""

    caveat: str
    title: str
    severity: Severity
    step: int
    layers: tuple[str, ...]
    what: str
    evidence: Mapping[str, float]
    why: str
    next: tuple[Remedy, ...]


def frozen(numbers: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(dict(numbers))
