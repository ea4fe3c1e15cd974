"""What theory predicts for the present config, computed in a thread so that the app does not wait.

The newest request replaces older ones, and each answer belongs to one config.
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

# Gives the probe rows (rows, features), their targets, and the number of outputs that these need;
# raises ConfigError if there are none to give.
Sample = Callable[[], tuple[Any, Any, int]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """``sentence`` tells the factor per layer and is there at once; ``prediction`` comes some
    tenths of a second later and is None until then."""

    sentence: str
    prediction: Prediction | None = None


def told(theory: Factor) -> str:
    """χ, the factor per layer on squared gradients, and the factor over the whole depth."""
    if not math.isfinite(theory.per_layer):
        return theory.sentence
    return f"χ {theory.per_layer**2:.2g}; {theory.sentence}"


def completed(theory: Factor, prediction: Prediction) -> str:
    """The sentence once the prediction is there too, with the prediction's own note."""
    if (
        prediction.applies and prediction.explodes_at is None
    ) or prediction.note in theory.sentence:
        return told(theory)
    if math.isinf(theory.per_layer):  # an overflow: the prediction names its layer
        return f"{theory.sentence.partition(':')[0]}: {prediction.note}"
    return f"{told(theory)}; {prediction.note}"


class Forecaster:
    """Call `of` or `predicted` at each frame: they return what is known, and start computing what
    is not. ``forecast`` is the answer to the last call."""

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
        """What theory predicts for the network at step 0 of the run ``seen``; None while it is
        being computed, or if theory says nothing about it."""
        self.forecast = self.of(config, sample)
        if any(key.startswith("network.") for event in seen.events for key in event.changes):
            return None  # the config now describes another network than the one at step 0
        return self.forecast.prediction if self.forecast else None

    def of(self, config: RunConfig, sample: Sample) -> Forecast | None:
        """What theory predicts for a fresh run of this config, None while nothing is known yet;
        ``sample`` is called in the thread."""
        training = config.training
        seed = training.seed if config.data.validation else 0  # chooses the rows that are left
        key = config.data, config.network, training.loss, training.class_weight, seed
        if self._known is not None and self._known[0] == key:
            return self._known[1]
        if self._wanted is None or self._wanted[0] != key:
            self._wanted = key, config, sample
        # Also if this was requested before: the thread may have been ending just then.
        if not self.busy:
            self._thread = threading.Thread(target=self._work, name="theory", daemon=True)
            self._thread.start()
        return None

    def stop(self) -> None:
        """Start no further computation."""
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
            except Exception as error:  # such as out of memory; not tried again
                self._known = key, Forecast(f"no theory: {sentence(error)}")
