"""The facts of a watched training: what is known by now of its data and its optimizer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from caveats.facts import RunFacts
from caveats.measuring.optimizing import optimizer_facts
from caveats.watching.clipping import Kept
from caveats.watching.data import Data

__all__ = ["facts_now"]


def facts_now(facts: RunFacts, data: Data, optimizer: Any, kept: Kept) -> RunFacts:
    """``facts`` with what is known by now."""
    now = data.beside(facts)
    if optimizer is not None:
        with suppress(ValueError):
            known = optimizer_facts(optimizer)
            now = replace(
                now, optimizer=replace(known, clip_norm=kept.bound, clip_keeps=kept.share)
            )
    return now
