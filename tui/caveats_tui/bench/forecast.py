"""What theory predicts for the config at hand, computed beside the app in a thread of its own.

It knows no widget; the newest request wins, and what it gives belongs to one config.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveats.errors import ConfigError, sentence
from caveats.theory import Factor, Prediction, factor, predict

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.history import Snapshot

__all__ = ["Forecast", "Forecaster", "Sample"]

# Gives the probe rows (rows, features), their targets, and how many outputs those need; raises
# ConfigError where they cannot be had.
Sample = Callable[[], tuple[Any, Any, int]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """``sentence`` is the factor a layer, at once; ``prediction`` comes some tenths of a second
    later, None until then."""

    sentence: str
    prediction: Prediction | None = None


def told(theory: Factor) -> str:
    """χ, the factor on squared gradients, and what it comes to over the depth."""
    if not math.isfinite(theory.per_layer):
        return theory.sentence
    return f"χ {theory.per_layer**2:.2g}; {theory.sentence}"


def completed(theory: Factor, prediction: Prediction) -> str:
    """What is told once the prediction is there too: its own word on what it cannot say."""
    if (
        prediction.applies and prediction.explodes_at is None
    ) or prediction.note in theory.sentence:
        return told(theory)
    if math.isinf(theory.per_layer):  # an overflow: the prediction knows the rows and the layer
        return f"{theory.sentence.partition(':')[0]}: {prediction.note}"
    return f"{told(theory)}; {prediction.note}"


class Forecaster:
    """Ask `of` or `predicted` at each frame: they give what is known and begin what is not.
    ``forecast`` is what was known at the last question."""

    def __init__(self) -> None:
        self.forecast: Forecast | None = None
        self._known: tuple[Any, Forecast] | None = None
        self._wanted: tuple[Any, RunConfig, Sample] | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether the thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def predicted(self, config: RunConfig, sample: Sample, seen: Snapshot) -> Prediction | None:
        """What theory says of the network that the run ``seen`` began with, None while, or where,
        it says nothing."""
        self.forecast = self.of(config, sample)
        if any(key.startswith("network.") for event in seen.events for key in event.changes):
            return None  # it is of another network than the one that began
        return self.forecast.prediction if self.forecast else None

    def of(self, config: RunConfig, sample: Sample) -> Forecast | None:
        """What theory says of a fresh run of this config, None while nothing is known yet;
        ``sample`` is called in the thread."""
        key = config.data, config.network, config.training.loss
        if self._known is not None and self._known[0] == key:
            return self._known[1]
        if self._wanted is None or self._wanted[0] != key:
            self._wanted = key, config, sample
        # Also where this was wanted before: the thread may have been at its end just then.
        if not self.busy:
            self._thread = threading.Thread(target=self._work, name="theory", daemon=True)
            self._thread.start()
        return None

    def stop(self) -> None:
        """Begin nothing more."""
        self._wanted = None

    def _work(self) -> None:
        done = None
        while True:
            wanted = self._wanted
            if wanted is None or wanted is done:
                return
            key, config, sample = wanted
            done = wanted
            try:
                rows, targets, outputs = sample()
                theory = factor(config, rows.shape[1], float((rows**2).mean()))
                self._known = key, Forecast(told(theory))
                prediction = predict(config, rows, targets, outputs)
                self._known = key, Forecast(completed(theory, prediction), prediction)
            except ConfigError as error:
                self._known = key, Forecast(f"no theory: {error}")
            except Exception as error:  # out of memory, say: else it would be begun each frame
                self._known = key, Forecast(f"no theory: {sentence(error)}")
