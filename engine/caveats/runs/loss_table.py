"""Writes what the graph of a loss shows as the tables [[facts.losses]] of run.toml, and reads them
back. Folders of older versions have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from caveats.facts import LossFacts
from caveats.runs.facts_table import without_none
from caveats.runs.section import Section

__all__ = ["losses_from_toml", "losses_to_toml"]

MOST = 64  # functions that a loss adds up
DIMENSIONS = 16
LARGEST = 2**40


def losses_to_toml(losses: Sequence[LossFacts]) -> dict[str, Any]:
    if not losses:
        return {}
    return {"losses": [without_none(asdict(facts)) for facts in losses]}


def losses_from_toml(facts: Section) -> tuple[LossFacts, ...]:
    """() if the table has none.

    Raises:
        ConfigError: one sentence, for an impossible value.
    """
    given = facts.sections("losses", MOST) if "losses" in facts.tree else ()
    return tuple(
        LossFacts(
            function=loss.text("function"),
            activation=loss.text("activation"),
            alone=loss.truth("alone"),
            negated=loss.truth("negated"),
            outputs=loss.wholes("outputs", DIMENSIONS, LARGEST),
            targets=loss.wholes("targets", DIMENSIONS, LARGEST),
            unreached=loss.number("unreached"),
            mass=loss.number("mass"),
            single=loss.number("single"),
            classes=loss.whole("classes"),
            passes=loss.whole("passes", low=1),
        )
        for loss in given
    )
