"""Counts, on the device, for how many training minibatches each unit has not fired.

It sees the training passes that it is shown (`caveats.capture`), one in `LISTEN_EVERY`, and knows
nothing of the probe set: "silent" is the cheap live sign of what the probe then calls dead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caveats.capture import Site, flat_units

__all__ = ["LISTEN_EVERY", "SILENT_AFTER", "Firing"]

LISTEN_EVERY = 16  # steps; hooks and reductions on each step would cost about 10 % of a small MLP
SILENT_AFTER = 8  # minibatches listened to in a row without firing


class Firing:
    """The counters of one network, a (units,) int64 tensor for each layer."""

    def __init__(self) -> None:
        self._quiet_for: list[Tensor] = []

    def update(self, sites: list[Site]) -> None:
        """Take in one training pass."""
        with torch.no_grad():
            for index, site in enumerate(sites):
                if len(self._quiet_for) <= index:
                    units = len(site.module.weight)
                    self._quiet_for.append(
                        torch.zeros(units, dtype=torch.int64, device=site.z.device)
                    )
                if site.facts is None or not site.facts.can_die:
                    self._quiet_for[index].zero_()
                    continue
                quiet = flat_units(site)
                assert quiet is not None
                self._quiet_for[index] = torch.where(quiet, self._quiet_for[index] + 1, 0)

    def silent(self) -> list[Tensor]:
        """Per layer which units have been silent for long enough to be called so, (units,) bool."""
        return [count >= SILENT_AFTER for count in self._quiet_for]
