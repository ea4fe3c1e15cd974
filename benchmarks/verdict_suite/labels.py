"""Says what is wrong with a trained network without the verdicts: by outcome, oracle, intervention.

outcome: its loss against that of well-trained networks of the same shape on the same data; oracle:
exact counts at the start and at the end; intervention: the caveat's own cure, alone, changes the
outcome.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks.verdict_suite.sampling import SOUND_LR
from benchmarks.verdict_suite.training import Outcome, Sample, Store

from caveats.config import RunConfig

__all__ = ["FAMILY", "Label", "label"]

HEALTHY, FAULTY, LEARNABLE = 0.75, 0.5, 0.2
FAMILY = ("step_too_large", "step_too_small", "ravine", "plateau")
SLOWER = ("lr/10", "lr/100")
CENTRED = ("tanh", "sigmoid", "softsign", "hard_tanh", "tanh_plus_one", "hard_sigmoid")


@dataclass(frozen=True)
class Label:
    """``kind`` is healthy, faulty, between or hopeless (nobody learns that data with that shape).
    ``score`` is the way made from the constant predictor (0) to the reference (1)."""

    kind: str
    score: float
    reference: float  # the best reference's gain
    caveats: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()  # neither shown nor refuted by what was tried
    interventions: dict[str, float] = field(default_factory=dict)


def gain(outcome: Outcome) -> float:
    """The way made from the constant predictor (0) to perfection (1), by loss or, where classes
    are told apart, by accuracy if that is kinder: sure and mostly right is not a broken network.
    """
    loss, baseline = outcome["loss"], outcome["baseline"]
    if not math.isfinite(loss):
        return -math.inf
    by_loss = (baseline - loss) / baseline
    accuracy, chance = outcome["accuracy"], math.exp(-baseline)  # of balanced classes
    if math.isnan(accuracy):
        return by_loss
    return max(by_loss, (accuracy - chance) / (1 - chance))


def matched(activation: str) -> str:
    if activation == "selu":
        return "lecun_normal"
    return "xavier_normal" if activation in CENTRED else "he_normal"


def references(config: RunConfig, store: Store) -> float:
    """The best gain of well-trained networks of the same widths on the same data."""
    deep = len(config.network.widths) >= 6
    common: dict[str, Any] = {
        "optimizer.name": "adam", "optimizer.lr": 0.003 if deep else 0.01,
        "optimizer.clip_norm": 0.0, "network.bias": 0.0, "network.dropout": 0.0,
        "data.standardize": True, "training.batch_size": 64, "training.seed": 0,
        "network.normalization": "layer" if deep else "none", "network.residual": deep,
    }  # fmt: skip
    name = config.network.activations[0]
    best = -math.inf
    for activation in ("relu", name, "tanh"):
        change = {**common, "network.activation": activation, "network.init": matched(activation)}
        best = max(best, gain(store.changed(config, change)))
        if best > 0.85:
            break
    return best


def label(sample: Sample, store: Store) -> Label:
    config = sample.config
    reference = max(references(config, store), gain(sample.outcome))
    if reference < LEARNABLE:
        return Label("hopeless", math.nan, reference)
    score = gain(sample.outcome) / reference
    if score >= HEALTHY:
        return Label("healthy", score, reference)
    if score >= FAULTY:
        return Label("between", score, reference)
    trial = Trial(config, store, reference)

    def heals(*names: str) -> bool:
        """Clearly better: past half of the way, and a quarter of it further on."""
        floor = max(score, 0.0)
        return any(trial.score(n) >= max(FAULTY, floor + 0.25) for n in names)

    caveats = set()
    diverged = bool(sample.outcome["diverged"])
    start, end = sample.start, sample.end
    if end.dead >= 0.5 and not diverged:
        caveats.add("dying_relu")
    if end.copied >= 0.5 and not diverged:
        caveats.add("symmetry")
    if end.saturated >= 0.5 and not diverged:
        caveats.add("saturation")
    # "step alone" repairs the whole network and leaves the step: several faults hide one another.
    network = ("init", "relu", "init_adam", "relu_adam", "normalized", "step alone")
    # A hard_tanh layer that is wholly beyond its bounds has no slope: it cuts as a dead one does.
    walled = start.saturated >= 1 and start.delta_ratio == 0
    cut = start.dead >= 1 or start.copied >= 0.5 or walled
    # Where deltas fade behind units that saturated or died since, those are the fault; not where
    # they had faded before the first step.
    whole = end.dead < 1 and end.copied < 0.5 and end.saturated < 0.5
    faded = start.delta_ratio <= 1e-3 and not cut
    stays = end.delta_ratio <= 1e-3 and (faded or (whole and end.delta_ratio > 0))
    if not diverged and (stays or (faded and heals(*network))):
        caveats.add("vanishing_gradient")
    # Batch normalization alone makes deltas grow by 1.2112 a layer (Yang et al. 2019).
    batch = config.network.normalization == "batch"
    own = 1.2112 ** len(config.network.widths) if batch else 1.0
    grown = start.delta_ratio >= 100 * own
    if diverged or (grown and (end.delta_ratio >= 100 * own or heals(*network))):
        caveats.add("exploding_gradient")
    # The step is at fault where changing it alone heals, or where it alone breaks a sound network
    # of this shape on this data, which does clearly better at a customary one. Where a customary
    # step does not train that network either, what the step alone does to it shows nothing.
    customary = SOUND_LR[config.optimizer.name]
    large = config.optimizer.lr > customary
    alone = trial.score("step alone")
    control = trial.score("step reset") if alone < FAULTY else math.nan
    reset = control >= max(alone, 0.0) + 0.25
    # From a sound start a step that is small enough goes down: what diverged made one too large.
    overshot = diverged and 1e-3 < start.delta_ratio < 100
    if heals(*SLOWER) or overshot or (large and (reset or heals("lr reset"))):
        caveats.add("step_too_large")
    if heals("lr*10", "lr*100") or (not large and (reset or heals("lr reset"))):
        caveats.add("step_too_small")
    plain = config.optimizer.name == "sgd" and not (cut or faded or diverged)
    stands = abs(score) < 0.05
    if plain and not heals(*SLOWER) and heals("momentum", "adam"):
        caveats.add("plateau" if stands else "ravine")
    # Sigmoid differs from tanh by its slope too; tanh + 1 has tanh's slope and sigmoid's sign.
    units, slope = trial.score("centred units"), trial.score("slope alone")
    if heals("centred data") or (heals("centred units") and units >= slope + 0.25):
        caveats.add("not_zero_centred")
    if stands and not caveats:
        caveats.add("plateau")  # at a constant's loss, and nothing that was tried explains it
    steps = frozenset(("step_too_large", "step_too_small"))
    unknown = steps if control < FAULTY and not steps & caveats else frozenset()
    return Label("faulty", score, reference, frozenset(caveats), unknown, trial.tried)


class Trial:
    """Interventions on one config, made when they are first asked for."""

    def __init__(self, config: RunConfig, store: Store, reference: float) -> None:
        self.config, self.store, self.reference = config, store, reference
        self.changes = interventions(config)
        self.tried: dict[str, float] = {}

    def score(self, name: str) -> float:
        """The share of the way to the reference; -inf for an intervention that does not apply."""
        if name not in self.changes:
            return -math.inf
        if name not in self.tried:
            reached = gain(self.store.changed(self.config, self.changes[name]))
            self.tried[name] = reached / self.reference
        return self.tried[name]


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
    # Data moved away from 0 by a shift; raw pixels differ in size too, which proves nothing here.
    shifted = not config.data.standardize and config.data.options.get("shift")
    if shifted:
        changes["centred data"] = {"data.standardize": True}
    if name in ("sigmoid", "tanh_plus_one", "softplus", "hard_sigmoid"):
        changes["centred units"] = {"network.activation": "tanh"}
        if name != "tanh_plus_one":
            changes["slope alone"] = {"network.activation": "tanh_plus_one"}
    return changes
