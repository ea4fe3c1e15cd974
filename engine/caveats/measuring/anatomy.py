"""Finds the layers of any network by watching one pass, and says what is known of each.

It also decides how later passes are watched: by hooks alone if these see everything
(`caveats.measuring.capture`), otherwise by all functions called (`caveats.measuring.tracing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from caveats.errors import ConfigError
from caveats.facts import Anatomy, LayerFacts
from caveats.measuring.capture import capture
from caveats.measuring.passing import (
    compiled,
    device_of,
    measuring_pass,
    one_sentence,
    refuse_lazy,
    unwrapped,
)
from caveats.measuring.sites import NOTHING, Site, merged
from caveats.measuring.traced import traced
from caveats.models.isolation import same_attributes, walk

__all__ = ["Look", "aligned", "anatomy", "look", "watch"]


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one traced pass: the anatomy, a site without tensors for each layer, and
    whether hooks alone see as much. It is valid while the network's modules are ``structure``."""

    structure: list[nn.Module]
    anatomy: Anatomy
    blanks: tuple[Site, ...]
    hooks_suffice: bool

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """The name and the units of each layer."""
        return [(layer.name, layer.units) for layer in self.anatomy.layers]


def anatomy(network: nn.Module, forward: Callable[[], object]) -> Anatomy:
    """The layers that ``forward()``, a pass through ``network``, calls.

        anatomy(model, lambda: model(tokens))

    ``network`` may be wrapped by torch.compile, DataParallel or DistributedDataParallel. The pass
    does not change its training.

    Raises:
        ConfigError: if no layer with weights takes part, or if the pass fails.
    """
    inside = unwrapped(network)
    with measuring_pass(network, inside, device_of(inside)):
        return look(inside, forward, {}).anatomy


def look(network: nn.Module, forward: Callable[[], object], labels: Mapping[Any, str]) -> Look:
    """As `anatomy`, for a caller that has prepared the pass. ``labels`` are names for modules, used
    instead of their paths."""
    refuse_lazy(network)
    with one_sentence(), traced(network, labels, deltas=False) as trace:
        forward()
    with one_sentence():
        sites = merged(trace.sites)
    unobserved = dict(trace.unobserved)
    if not sites:
        why = "; ".join(f"{name}: {reason}" for name, reason in unobserved.items())
        raise ConfigError(
            "nothing to measure: no layer with weights takes part in the pass"
            + (f" ({why})" if why else "")
        )
    for site in sites:
        if site.reason:
            unobserved[site.name] = site.reason
    return Look(
        list(walk(network)),
        Anatomy(tuple(map(facts_of, sites)), tuple(unobserved.items())),
        tuple(map(blank, sites)),
        trace.hooks_suffice
        and len(sites) == len(trace.sites)
        and all(site.by_hooks for site in sites)
        and not compiled(network),
    )


@contextmanager
def watch(
    network: nn.Module, labels: Mapping[Any, str], known: Look, *, deltas: bool = True
) -> Iterator[list[Site]]:
    """Watch one pass of a network, whose earlier look is ``known``; yields the list of sites, which
    is complete when the pass is over."""
    if known.hooks_suffice:
        with (
            same_attributes(network),
            capture(network, labels, known.structure, deltas=deltas) as sites,
        ):
            yield sites
    else:
        with traced(network, labels, deltas=deltas) as trace:
            yield trace.sites


def aligned(sites: Sequence[Site], blanks: Sequence[Site]) -> list[Site]:
    """The sites of a pass, in the order of ``blanks``. A layer that took no part this time (such as
    an expert without tokens) gets a site that has only weights. Layers that took no part in the
    first pass come last."""
    found = {site.name: site for site in merged(sites)}
    return [found.pop(b.name, b) for b in blanks] + list(found.values())


def blank(site: Site) -> Site:
    return replace(
        site, x=None, z=NOTHING, pre=None, out=None, facts=None, gates=(), deltas=[], calls=(),
        taken={},
    )  # fmt: skip


def facts_of(site: Site) -> LayerFacts:
    return LayerFacts(
        site.name,
        site.kind,
        site.units,
        site.fan_in,
        None if site.facts is None else site.facts.name,
        site.normalization,
        site.residual,
        site.dropout,
        site.output,
    )
