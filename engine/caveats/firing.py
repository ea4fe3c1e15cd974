"""Counts, on the device, for how many training minibatches each unit has not fired.

It sees the training passes that it is shown (`caveats.capture`), one in `LISTEN_EVERY`, and knows
nothing of the probe set: "silent" is the cheap live sign of what the probe then calls dead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caveats.capture import Site
from caveats.reductions import flat_units, slopes_by_group

__all__ = ["LISTEN_EVERY", "SILENT_AFTER", "Firing"]

LISTEN_EVERY = 16  # steps; hooks and reductions on each step would cost about 20 % of a small MLP
SILENT_AFTER = 8  # minibatches listened to in a row without firing


class Firing:
    """The counters of one network: in one int64 tensor, layer after layer."""

    def __init__(self) -> None:
        self._units: list[int] = []
        self._quiet_for = torch.zeros(0, dtype=torch.int64)

    @torch.no_grad()
    def update(self, sites: list[Site]) -> None:
        """Take in one training pass. A unit that cannot be flat, or whose activation nobody saw,
        counts as firing."""
        units = [len(site.module.weight) for site in sites]
        if units != self._units:
            self._units = units
            self._quiet_for = torch.zeros(
                sum(units), dtype=torch.int64, device=sites[0].z.device if sites else None
            )
        if not sites:
            return
        flat: dict[int, Tensor] = {}
        for indices, facts, pre in slopes_by_group(sites):
            if any(f.can_die for f in facts):
                flat.update(zip(indices, flat_units(facts, pre), strict=True))
        device = self._quiet_for.device
        quiet = torch.cat(
            [
                flat[i] if i in flat else torch.zeros(n, dtype=torch.bool, device=device)
                for i, n in enumerate(units)
            ]
        )
        self._quiet_for = (self._quiet_for + 1) * quiet

    def silent(self) -> list[Tensor]:
        """Per layer which units have been silent for long enough to be called so, (units,) bool."""
        return list(torch.split(self._quiet_for >= SILENT_AFTER, self._units))

    def state(self, units: Sequence[int]) -> Tensor:
        """The counters, int64, unit after unit of layers that have so many ``units``."""
        if list(units) == self._units:
            return self._quiet_for.clone()
        return torch.zeros(sum(units), dtype=torch.int64)

    def load(self, units: Sequence[int], quiet_for: Tensor, device: torch.device) -> None:
        self._units = list(units)
        self._quiet_for = quiet_for.to(device)
