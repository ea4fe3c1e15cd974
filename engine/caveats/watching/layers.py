"""The layers of a watched model: those that a pass showed, and those that only their weights
show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from caveats.facts import Kind, LayerFacts
from caveats.measuring.anatomy import aligned, blank, facts_of
from caveats.measuring.passing import named_modules
from caveats.measuring.sites import Site
from caveats.watching.models import Model, local

__all__ = ["Layers"]

MOST = 1000  # layers of one model that are kept


class Layers:
    """Fixed when the first pass was seen. ``facts`` has one entry a layer; ``unobserved`` maps
    layers to what is not known of them, and why."""

    def __init__(self, model: Model, sites: Sequence[Site], unobserved: Mapping[str, str]) -> None:
        order = {id(p): i for i, (_, p) in enumerate(model.parameters)}
        seen = {id(w) for site in sites for w in site.weights}
        bare = [s for s in bare_sites(model) if id(s.weights[0]) not in seen]
        self.unobserved = {
            **unobserved,
            **{s.name: s.reason for s in bare if s.name not in unobserved},
        }
        observed = {site.name: facts_of(site) for site in sites}
        blanks = [blank(site) for site in sites]
        for site in bare:
            at = order[id(site.weights[0])]
            place = next(
                (i for i, b in enumerate(blanks) if order.get(first_id(b), -1) > at), len(blanks)
            )
            blanks.insert(place, site)
        names: dict[str, int] = {}
        for index, site in enumerate(blanks[:MOST]):
            names.setdefault(site.name, index)
        self.blanks = [blanks[i] for i in names.values()]
        self.names = tuple(names)
        self.units = [s.units or int(s.weight.shape[0]) for s in self.blanks]
        self.facts: tuple[LayerFacts, ...] = tuple(
            replace(observed.get(s.name) or facts_of(s), units=u)
            for s, u in zip(self.blanks, self.units, strict=True)
        )

    def align(self, sites: Sequence[Site]) -> list[Site]:
        """The sites of a later pass in this order; layers without a site have only weights."""
        return aligned(sites, self.blanks)[: len(self.blanks)]


def first_id(site: Site) -> int:
    return id(site.weights[0]) if site.weights else 0


def bare_sites(model: Model) -> list[Site]:
    """A site for each weight with several dimensions, by its weights alone."""
    modules = {} if model.root is None else dict(named_modules(model.root))
    sites = []
    for name, parameter in model.parameters:
        if parameter.ndim < 2 or parameter.numel() == 0:
            continue
        path, _, own = name.rpartition(".")
        module = modules.get(path)
        label = path if own == "weight" and path else name
        sites.append(bare_site(label, parameter, module))
    if not sites:  # a model of vectors and numbers only
        sites = [bare_site(n, p, None) for n, p in model.parameters if p.numel()]
    return sites


def bare_site(name: str, parameter: Tensor, module: nn.Module | None) -> Site:
    weight = local(parameter)
    shape = weight.shape if weight.ndim else (1,)
    return Site(
        name,
        kind_of(module),
        (parameter,),
        orient=as_rows,
        units=int(shape[0]) or 1,
        fan_in=max(1, weight.numel() // max(1, int(shape[0]))),
        reason="only its weights were seen",
    )


def as_rows(weight: Tensor) -> Tensor:
    weight = local(weight)
    return weight if weight.ndim > 1 else weight.reshape(-1, 1)


def kind_of(module: nn.Module | None) -> Kind:
    if isinstance(module, nn.modules.conv._ConvNd):
        return "conv"
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return "recurrent"
    if isinstance(module, nn.MultiheadAttention):
        return "attention"
    return "embedding" if isinstance(module, nn.Embedding) else "linear"
