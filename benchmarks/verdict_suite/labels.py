"""Says what is wrong with a trained network without the verdicts: by outcome, oracle, intervention.

Outcome: its loss is compared with that of well-trained networks of the same shape on the same data.
Oracle: exact counts at the start and at the end. Intervention: the caveat's cure alone changes the
outcome.

Dead, copied and saturated units, deltas that fade or grow, and divergence are defined here as the
rules define them. If label and verdict agree on these, two implementations agree; that does not
show that the definition is right. The outcome shows that such a network has failed. Steps, ravine,
not zero-centred, and deltas that had faded or grown only at the start are shown by intervention. A
plateau is a failed network for which no intervention found the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks.verdict_suite.interventions import FAULTY, SLOWER, Trial, gain
from benchmarks.verdict_suite.oracle import Facts
from benchmarks.verdict_suite.sampling import SOUND_LR, matched
from benchmarks.verdict_suite.training import Sample, Store

from caveats.config import RunConfig

__all__ = ["FAMILY", "Label", "kind_of", "label"]

HEALTHY, LEARNABLE = 0.75, 0.2
FAMILY = ("step_too_large", "step_too_small", "ravine", "plateau")
# "step alone" repairs everything except the step, because several faults can hide one another.
NETWORK = ("init", "relu", "init_adam", "relu_adam", "normalized", "step alone")
STEPS = frozenset(("step_too_large", "step_too_small"))
STANDS = 0.05  # share of the way; a network that got no further is at the constant predictor's loss


@dataclass(frozen=True)
class Label:
    """``kind`` is healthy, faulty, between or hopeless (no network of that shape learns the data).
    ``score`` is the share of the way from the constant predictor (0) to the reference (1)."""

    kind: str
    score: float
    reference: float  # the best reference's gain
    caveats: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()  # neither shown nor refuted by the interventions
    interventions: dict[str, float] = field(default_factory=dict)


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
    kind, score = kind_of(gain(sample.outcome), reference)
    if kind != "faulty":
        return Label(kind, score, reference)
    trial = Trial(config, store, reference, score)
    steps, control = steps_at_fault(sample, trial)
    caveats = counted(sample) | steps
    for at_fault in (depth_at_fault, descent_at_fault, signs_at_fault):
        caveats |= at_fault(sample, trial)
    if abs(score) < STANDS and not caveats:
        caveats = {"plateau"}  # at a constant's loss, and no intervention explains it
    unknown = STEPS if control < FAULTY and not STEPS & caveats else frozenset()
    return Label("faulty", score, reference, frozenset(caveats), unknown, trial.tried)


def kind_of(reached: float, reference: float) -> tuple[str, float]:
    """The kind, and the share of the reference's gain that was reached."""
    if reference < LEARNABLE:
        return "hopeless", math.nan
    score = reached / reference
    return "healthy" if score >= HEALTHY else "between" if score >= FAULTY else "faulty", score


def counted(sample: Sample) -> set[str]:
    """Caveats from the oracle's counts at the end. The rules count the same with the probe's code,
    so this compares two implementations."""
    end = sample.end
    shares = {"dying_relu": end.dead, "symmetry": end.copied, "saturation": end.saturated}
    if sample.outcome["diverged"]:
        return set()
    return {name for name, share in shares.items() if share >= 0.5}


def depth_at_fault(sample: Sample, trial: Trial) -> set[str]:
    """Deltas that fade or grow over the layers. At the end this compares two implementations; if
    only at the start, an intervention on the network shows it."""
    caveats = set()
    diverged = bool(sample.outcome["diverged"])
    end = sample.end
    # If deltas fade behind units that saturated or died during training, those units are the
    # fault; but not if deltas had faded before the first step.
    whole = end.dead < 1 and end.copied < 0.5 and end.saturated < 0.5
    faded = fades(sample.start)
    stays = end.delta_ratio <= 1e-3 and (faded or (whole and end.delta_ratio > 0))
    if not diverged and (stays or (faded and trial.heals(*NETWORK))):
        caveats.add("vanishing_gradient")
    # Batch normalization alone makes deltas grow by 1.2112 a layer (Yang et al. 2019).
    network = trial.config.network
    own = 1.2112 ** len(network.widths) if network.normalization == "batch" else 1.0
    grown = sample.start.delta_ratio >= 100 * own
    if diverged or (grown and (end.delta_ratio >= 100 * own or trial.heals(*NETWORK))):
        caveats.add("exploding_gradient")
    return caveats


def cuts(start: Facts) -> bool:
    """Whether some layer passes nothing on from the first step."""
    # A hard_tanh layer that is wholly beyond its bounds has no slope: it cuts as a dead one does.
    walled = start.saturated >= 1 and start.delta_ratio == 0
    return start.dead >= 1 or start.copied >= 0.5 or walled


def fades(start: Facts) -> bool:
    return start.delta_ratio <= 1e-3 and not cuts(start)


def steps_at_fault(sample: Sample, trial: Trial) -> tuple[set[str], float]:
    """What is wrong with the step, shown by interventions alone; and how far a sound network gets
    with a customary step (NaN if the run's own step trains it).

    The step is at fault if changing it alone cures the run, or if it alone breaks a sound network
    of this shape on these data that does clearly better with a customary step. If a customary step
    does not train that sound network either, this test shows nothing.
    """
    caveats = set()
    settings = trial.config.optimizer
    large = settings.lr > SOUND_LR[settings.name]
    alone = trial.score("step alone")
    control = trial.score("step reset") if alone < FAULTY else math.nan
    reset = control >= max(alone, 0.0) + 0.25
    # From a sound start a small enough step lowers the loss, so a run that diverged made too large
    # a step.
    overshot = bool(sample.outcome["diverged"]) and 1e-3 < sample.start.delta_ratio < 100
    if trial.heals(*SLOWER) or overshot or (large and (reset or trial.heals("lr reset"))):
        caveats.add("step_too_large")
    if trial.heals("lr*10", "lr*100") or (not large and (reset or trial.heals("lr reset"))):
        caveats.add("step_too_small")
    return caveats, control


def descent_at_fault(sample: Sample, trial: Trial) -> set[str]:
    """A ravine: plain SGD gets less far than another optimizer with the same network, shown by
    intervention."""
    start, diverged = sample.start, bool(sample.outcome["diverged"])
    plain = trial.config.optimizer.name == "sgd"
    plain = plain and not (cuts(start) or fades(start) or diverged)
    if plain and not trial.heals(*SLOWER) and trial.heals("momentum", "adam"):
        return {"plateau" if abs(trial.own) < STANDS else "ravine"}
    return set()


def signs_at_fault(sample: Sample, trial: Trial) -> set[str]:
    """Data or units that are not zero-centred, shown by intervention."""
    # Sigmoid also differs from tanh in its slope; tanh + 1 has tanh's slope and sigmoid's sign.
    units, slope = trial.score("centred units"), trial.score("slope alone")
    if trial.heals("centred data") or (trial.heals("centred units") and units >= slope + 0.25):
        return {"not_zero_centred"}
    return set()
