"""Takes readings of the sharpness, which is costly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from caveats.measuring.sharpness import Sharpness, preconditioner

if TYPE_CHECKING:
    from caveats.measuring.probe import Probe

__all__ = ["Readings"]


class Readings:
    """The sharpness of one network, on the probe's rows."""

    def __init__(self, probe: Probe) -> None:
        self._sharpness = Sharpness(probe.network, probe.loss_function, probe.x, probe.y)
        self._curved = True  # until torch says that it cannot differentiate twice

    def take(self, optimizer: Any) -> dict[str, float]:
        """The sharpness, of the preconditioned Hessian for optimizers that precondition; NaN if it
        could not be measured."""
        parameters = [p for p in self._sharpness.network.parameters() if p.requires_grad]
        scale = preconditioner(optimizer, parameters)
        if scale is not None and len(scale) != len(parameters):
            scale = None
        readings = {"sharpness": math.nan}
        if self._curved:
            try:
                readings["sharpness"] = self._sharpness.measure(scale)
            except RuntimeError as error:
                # torch has no second derivative of some modules (hard_sigmoid, for one).
                if "derivative" not in str(error):
                    raise
                self._curved = False
        return readings
