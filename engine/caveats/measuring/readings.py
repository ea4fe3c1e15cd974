"""Takes the costly instruments' readings now and then, within a time that it is given.

It knows neither cadence nor history: the run asks what a reading would cost, and takes it when it
can afford that.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from caveats.measuring.gradient_noise import NoiseScale
from caveats.measuring.sharpness import Sharpness, preconditioner

if TYPE_CHECKING:
    from caveats.measuring.probe import Probe

__all__ = ["Sampler"]

# A first reading takes some twenty Hessian-vector products, each worth about three probes.
GUESS = 40


class Sampler:
    """The instruments of one network, on the probe's rows."""

    def __init__(self, probe: Probe) -> None:
        about = probe.network, probe.loss_function, probe.x, probe.y
        self._sharpness, self._noise = Sharpness(*about), NoiseScale(*about)
        self._cost: float | None = None
        self._curved = True  # until torch says that it cannot differentiate twice
        self.spent = 0.0  # seconds, on all readings

    def cost(self, probing: float) -> float:
        """Seconds that a reading is likely to take, where a probe takes ``probing``."""
        return GUESS * probing if self._cost is None else self._cost

    def read(self, optimizer: Any, seconds: float) -> dict[str, float]:
        """Sharpness, of the preconditioned Hessian for optimizers that precondition, and the
        gradient noise scale; the sharpness NaN where ``seconds`` did not suffice."""
        start = time.perf_counter()
        network = self._sharpness.network
        parameters = [p for p in network.parameters() if p.requires_grad]
        scale = preconditioner(optimizer, parameters)
        if scale is not None and len(scale) != len(parameters):
            scale = None
        readings = {"noise_scale": self._noise.measure(), "sharpness": math.nan}
        if self._curved:
            try:
                readings["sharpness"] = self._sharpness.measure(scale, seconds)
            except RuntimeError as error:
                # torch has no second derivative of some modules (hard_sigmoid, for one).
                if "derivative" not in str(error):
                    raise
                self._curved = False
        self._cost = time.perf_counter() - start
        self.spent += self._cost
        return readings
