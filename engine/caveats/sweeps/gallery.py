"""The gallery of atlases: named maps of many networks, each with what it shows and its lesson."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from caveats.config import RunConfig
from caveats.sweeps.plan import Plan
from caveats.sweeps.ranges import parse_axis

__all__ = ["ORDER", "Atlas", "atlas_of", "atlases"]

# As the gallery lists them.
ORDER = (
    "order_and_chaos",
    "he_against_xavier",
    "rate_and_width_sgd",
    "rate_and_width_adam",
    "born_dead_probability",
)


@dataclass(frozen=True, slots=True)
class Atlas:
    """A map worth seeing: what its ``plan`` trains, the ``view`` it is first shown in, what will be
    seen (``sentence``) and what to learn from it (``lesson``)."""

    name: str
    title: str
    sentence: str
    lesson: str
    view: str
    plan: Plan


@cache
def atlases() -> Mapping[str, Atlas]:
    """All atlases by name, in the order of the gallery."""
    place = files("caveats.sweeps").joinpath("atlases")
    return MappingProxyType(
        {name: parsed(name, place.joinpath(f"{name}.toml").read_text("utf-8")) for name in ORDER}
    )


def atlas_of(plan: Plan) -> Atlas | None:
    """The atlas of the gallery that has this plan; None for another plan."""
    document = plan.document()
    return next((a for a in atlases().values() if a.plan.document() == document), None)


def parsed(name: str, text: str) -> Atlas:
    tree = tomllib.loads(text)
    base = RunConfig.from_dict(tree["config"], f"{name}.toml")
    axes = [parse_axis(tree["x"], base), parse_axis(tree["y"], base)]
    plan = Plan.of(base, axes, tree.get("seeds", 1))
    return Atlas(name, tree["title"], tree["sentence"], tree["lesson"], tree["view"], plan)
