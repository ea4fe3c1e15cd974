"""Changes one thing of a config, trains it again, and says how far that network gets.

It holds the cure of each caveat; `labels` says what follows if a cure works.
"""

from __future__ import annotations

import math
from typing import Any

from benchmarks.verdict_suite.sampling import SOUND_LR, matched
from benchmarks.verdict_suite.training import Outcome, Store

from caveats.config import RunConfig

__all__ = ["FAULTY", "SLOWER", "Trial", "gain", "healed"]

FAULTY = 0.5  # share of the way to the reference; a network that gets less far has failed
SLOWER = ("lr/10", "lr/100")


def gain(outcome: Outcome, chance: float | None = None) -> float:
    """The share of the way from the constant predictor (0) to perfection (1). It is measured by
    loss or, for classes, by accuracy if that is higher: a network that is mostly right is not
    broken.

    ``chance`` is the accuracy of the constant predictor; the default is that of balanced classes
    whose entropy is the baseline.
    """
    loss, baseline = outcome["loss"], outcome["baseline"]
    if not math.isfinite(loss):
        return -math.inf
    by_loss = (baseline - loss) / baseline
    accuracy = outcome["accuracy"]
    if math.isnan(accuracy):
        return by_loss
    chance = math.exp(-baseline) if chance is None else chance
    return max(by_loss, (accuracy - chance) / (1 - chance))


class Trial:
    """Interventions on one config, whose own run got ``own`` of the way to ``reference``. Each is
    trained when it is first asked for."""

    def __init__(self, config: RunConfig, store: Store, reference: float, own: float) -> None:
        self.config, self.store, self.reference, self.own = config, store, reference, own
        self.changes = interventions(config)
        self.tried: dict[str, float] = {}

    def score(self, name: str) -> float:
        """The share of the way to the reference; -inf if the intervention does not apply."""
        if name not in self.changes:
            return -math.inf
        if name not in self.tried:
            reached = gain(self.store.changed(self.config, self.changes[name]))
            self.tried[name] = reached / self.reference
        return self.tried[name]

    def heals(self, *names: str) -> bool:
        """Whether one of these interventions does clearly better."""
        return any(healed(self.own, self.score(name)) for name in names)


def healed(before: float, after: float) -> bool:
    """Whether a network became clearly better: it got more than half of the way to the reference,
    and a quarter of the way further than before."""
    return after >= max(FAULTY, max(before, 0.0) + 0.25)


def interventions(config: RunConfig) -> dict[str, dict[str, Any]]:
    """One change each."""
    lr, name = config.optimizer.lr, config.network.activations[0]
    init = {"network.init": matched(name)}
    relu = {"network.activation": "relu", "network.init": "he_normal"}
    adam = {"optimizer.name": "adam", "optimizer.lr": 0.003}
    changes: dict[str, dict[str, Any]] = {
        "lr/10": {"optimizer.lr": lr / 10},
        "lr/100": {"optimizer.lr": lr / 100},
        "lr*10": {"optimizer.lr": lr * 10},
        "lr*100": {"optimizer.lr": lr * 100},
        "init": init,
        "relu": relu,
        "init_adam": {**init, **adam},
        "relu_adam": {**relu, **adam},
        "normalized": {"network.normalization": "layer"},
    }
    if config.optimizer.name == "sgd":
        changes["momentum"] = {"optimizer.name": "momentum", "optimizer.lr": lr}
        changes["adam"] = adam
    deep = len(config.network.widths) >= 6
    sound: dict[str, Any] = {
        "network.activation": "relu", "network.init": "he_normal", "network.bias": 0.0,
        "network.dropout": 0.0, "network.normalization": "layer" if deep else "none",
        "network.residual": deep, "data.standardize": True,
    }  # fmt: skip
    customary = SOUND_LR[config.optimizer.name] / (3 if deep else 1)
    changes["step alone"] = sound
    changes["step reset"] = {**sound, "optimizer.lr": customary}
    changes["lr reset"] = {"optimizer.lr": customary}
    # Only data moved away from 0 by a shift: raw pixels also differ in size, so prove nothing.
    shifted = not config.data.standardize and config.data.options.get("shift")
    if shifted:
        changes["centred data"] = {"data.standardize": True}
    if name in ("sigmoid", "tanh_plus_one", "softplus", "hard_sigmoid"):
        changes["centred units"] = {"network.activation": "tanh"}
        if name != "tanh_plus_one":
            changes["slope alone"] = {"network.activation": "tanh_plus_one"}
    return changes
