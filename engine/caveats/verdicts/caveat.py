"""What a caveat is: a known way to fail, with its words, its rule and its advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import Finding

__all__ = ["Caveat"]


@dataclass(frozen=True, slots=True)
class Caveat:
    """A known way to fail: its words, its rule, and what to do about it.

    ``rule`` judges one record and everything before it. ``limits`` says what does not cure it or
    what the rule cannot see. ``advice`` says in torch's terms what is worth trying, the likeliest
    first. It is used if no config is known; otherwise `caveats.remedies` changes the config.
    """

    name: str
    title: str
    definition: str
    formula: str
    source: str
    limits: str
    rule: Callable[[Evidence], Finding | None]
    advice: tuple[str, ...]
