"""The changes of config that may cure: what each one sets, and the reason that is shown with it.

Every function returns a Remedy, or None if the config already has these settings.
`caveats.remedies.ranking` chooses among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from caveats.config import RunConfig
from caveats.remedies import customary
from caveats.remedies.customary import (
    ADAM_LIKE_LR,
    DEEP,
    NARROW,
    SIX,
    SLUGGISH,
    TINY,
    bearable_lr,
    common_activation,
    fitting_lr,
    lr_is_high,
    lr_is_low,
    matching,
)
from caveats.verdicts.learning_rates import DECOUPLED
from caveats.verdicts.verdict import Remedy

__all__ = [
    "activation",
    "adam",
    "balanced",
    "bearable",
    "bias_zero",
    "centred",
    "centred_target",
    "clean_start",
    "clip",
    "combined",
    "decayed",
    "hidden_layer",
    "leaky",
    "longer",
    "lr",
    "matched_init",
    "momentum",
    "more_dropout",
    "no_dropout",
    "normalization",
    "overhaul",
    "plain_output",
    "residual",
    "scaffold",
    "scaled_target",
    "sound",
    "stable",
    "standardize",
    "steeper",
    "stopped",
    "usual_lr",
    "usual_options",
    "wider",
]

ADAMS = ("adam", "adamw", "nadam", "radam")


def bearable(config: RunConfig) -> Remedy | None:
    """A learning rate that is small enough for squared errors once signals reach every layer."""
    return stable(config) if config.optimizer.lr > bearable_lr(config) else None


def stable(config: RunConfig) -> Remedy:
    return Remedy(
        {"optimizer.lr": float(f"{customary.stable_lr(config):.2g}")},
        "the curvature of squared errors grows with depth × width, so the step must shrink with it",
    )


def lr(config: RunConfig, value: float, reason: str) -> Remedy | None:
    if math.isclose(value, config.optimizer.lr, rel_tol=1e-6):
        return None
    return Remedy({"optimizer.lr": float(f"{value:.2g}")}, reason)


def matched_init(config: RunConfig) -> Remedy | None:
    """The initialiser whose variance suits the activation, unless the present one suits it."""
    name = matching(common_activation(config))
    chosen = config.network.init
    gain = float(chosen.options.get("gain", 1.0))  # type: ignore[arg-type]
    suits = chosen.name in (name, name.replace("normal", "uniform"), "orthogonal", "lsuv")
    if suits and abs(gain - 1) < 0.5:
        return None
    factor = "2/fan_in" if name == "he_normal" else "1/fan_in"
    return Remedy(
        {"network.init": name},
        f"weights of variance {factor} keep the size of signal and gradient from layer to layer "
        f"under {common_activation(config)}, and no two units start alike",
    )


def activation(config: RunConfig, name: str, reason: str) -> Remedy | None:
    """Another activation, with the initialiser that goes with it. In a few layers any init that
    keeps the size of signals does, as a factor of 2 in the variance adds up to little."""
    if set(config.network.activations) == {name}:
        return None
    change: dict[str, Any] = {"network.activation": name}
    kept = customary.keeps_size(config) and len(config.network.widths) <= customary.COUPLE
    if not kept and config.network.init.name != matching(name):
        change["network.init"] = matching(name)
    return combined(config, Remedy(change, reason), bearable(config))


def leaky(config: RunConfig, name: str = "leaky_relu") -> Remedy | None:
    slope = "slope 0.01" if name == "leaky_relu" else "a slope above 0"
    return activation(config, name, f"{slope} on the left lets a unit that went silent come back")


def momentum(config: RunConfig) -> Remedy | None:
    if config.optimizer.name != "sgd":
        return None
    return Remedy(
        {"optimizer.name": "momentum", "optimizer.lr": config.optimizer.lr},
        "momentum 0.9 adds up steps along the floor of a ravine and cancels those across it: "
        "(√κ−1)/(√κ+1) a step in place of (κ−1)/(κ+1)",
    )


def adam(config: RunConfig, value: float = ADAM_LIKE_LR) -> Remedy | None:
    if config.optimizer.name in ADAMS:
        return None
    return Remedy(
        {"optimizer.name": "adam", "optimizer.lr": value},
        "Adam divides each gradient by its own size, so that small ones move their weights too",
    )


def normalization(config: RunConfig, name: str = "batch") -> Remedy | None:
    if config.network.normalization != "none":
        return None
    batch = config.training.batch_size
    if name == "batch" and 0 < batch < 8:
        name = "layer"  # the statistics of a few rows are mostly noise
    return Remedy(
        {"network.normalization": name},
        f"{name} normalization gives every layer inputs of mean 0 and variance 1 again",
    )


def residual(config: RunConfig) -> Remedy | None:
    widths = config.network.widths
    if config.network.residual or len(widths) < 3 or len(set(widths)) > 1:
        return None
    return Remedy(
        {"network.residual": True},
        "x + layer(x) gives the gradient a path around every layer",
    )


def wider(config: RunConfig, below: int | None = NARROW) -> Remedy | None:
    """At least 16 units a layer, where one has fewer than ``below`` (None: 8)."""
    widths = config.network.widths
    if not widths or min(widths) >= (below or NARROW):
        return None
    return Remedy(
        {"network.widths": [max(width, 16) for width in widths]},
        "a layer of N units is silent for a row with probability 2⁻ᴺ: width protects",
    )


def hidden_layer(config: RunConfig) -> Remedy | None:
    """One hidden layer, where there is none."""
    if config.network.widths:
        return None
    return Remedy(
        {"network.widths": [32]},
        "without a hidden layer a network draws only straight lines between its classes",
    )


def scaffold(config: RunConfig) -> Remedy | None:
    """What lets almost any deep network train: layer normalization and shortcuts."""
    if len(config.network.widths) < DEEP:
        return None
    change: dict[str, Any] = {"network.normalization": "layer"}
    if len(set(config.network.widths)) == 1:
        change["network.residual"] = True
    if change.items() <= config.flat().items():
        return None
    return Remedy(
        change,
        "layer normalization keeps the signal's size, and x + layer(x) gives the gradient a path "
        "around every layer",
    )


def usual_lr(config: RunConfig) -> Remedy | None:
    """The customary learning rate, if the present one is far from it."""
    if not (lr_is_high(config) or lr_is_low(config)):
        return None
    value = min(fitting_lr(config), bearable_lr(config))
    return lr(config, value, f"a usual learning rate of {config.optimizer.name}")


def clean_start(config: RunConfig) -> Remedy | None:
    """Inputs, targets, biases and weights of the usual size, and a step that suits them."""
    start = combined(
        config,
        standardize(config),
        centred_target(config),
        bias_zero(config),
        matched_init(config),
    )
    return None if start is None else combined(config, start, bearable(config))


def clip(config: RunConfig) -> Remedy | None:
    if config.optimizer.clip_norm:
        return None
    return Remedy({"optimizer.clip_norm": 1.0}, "a gradient longer than 1 is scaled down to it")


def standardize(config: RunConfig) -> Remedy | None:
    if config.data.standardize:
        return None
    return Remedy(
        {"data.standardize": True},
        "inputs of mean 0 and variance 1: the layers' variance rules assume them, and without a "
        "mean the Hessian loses its one large eigenvalue",
    )


def scaled_target(config: RunConfig) -> Remedy | None:
    if config.data.standardize_target:
        return None
    return Remedy(
        {"data.standardize_target": True},
        "a target of mean 0 and variance 1 is where the network starts, and gives gradients of "
        "the size that learning rates are made for",
    )


def balanced(config: RunConfig) -> Remedy | None:
    if config.training.class_weight == "balanced":
        return None
    return Remedy(
        {"training.class_weight": "balanced"},
        "each class counts the same in the loss, however few rows it has",
    )


def longer(config: RunConfig, times: int = 10) -> Remedy | None:
    reason = f"{times} times the steps, all else as it is"
    if config.training.epochs:
        return Remedy({"training.epochs": times * config.training.epochs}, reason)
    return Remedy({"training.steps": times * config.training.steps}, reason)


def usual_options(config: RunConfig) -> Remedy | None:
    """The optimizer's own settings where the present ones stop it: a memory over hundreds of steps,
    a divisor that is mostly eps, a decay or a clipping that leaves next to nothing."""
    options, change = config.optimizer.options, {}
    for key, (worst, usual) in customary.OPTIONS.items():
        value = options.get(key)
        if key == "weight_decay" and config.optimizer.name in DECOUPLED:
            worst *= customary.MILDER
        if isinstance(value, float) and value > worst:
            change[f"optimizer.{key}"] = usual
    if 0 < config.optimizer.clip_norm < customary.SHORT_CLIP:
        change["optimizer.clip_norm"] = 0.0
    if not change:
        return None
    return Remedy(change, "at its usual value it does not hold the steps back")


def plain_output(config: RunConfig) -> Remedy | None:
    if config.network.output_activation == "none":
        return None
    return Remedy(
        {"network.output_activation": "none"},
        "without an activation behind it the output layer reaches every number; cross_entropy and "
        "bce take care of probabilities themselves",
    )


def stopped(config: RunConfig, step: int) -> Remedy | None:
    if not customary.FEWEST_STEPS <= step < config.training.steps:
        return None
    key = "training.epochs" if config.training.epochs else "training.steps"
    if config.training.epochs:
        step = max(1, round(step / config.training.steps * config.training.epochs))
    return Remedy({key: step}, "the loss on rows held out was lowest there")


def decayed(config: RunConfig) -> Remedy | None:
    """Stronger weight decay."""
    if "weight_decay" not in config.optimizer.options:
        return None
    own = float(config.optimizer.options["weight_decay"])  # type: ignore[arg-type]
    usual = 1.0 if config.optimizer.name in DECOUPLED else 0.01
    value = max(usual, 10 * own)
    return Remedy(
        {"optimizer.weight_decay": value},
        "weights that are pulled towards 0 fit less of what is true of single rows",
    )


def more_dropout(config: RunConfig) -> Remedy | None:
    if config.network.dropout >= 0.5 or not config.network.widths:
        return None
    return Remedy(
        {"network.dropout": 0.5}, "units that may be missing cannot learn single rows together"
    )


def narrower(config: RunConfig) -> Remedy | None:
    """A quarter of the units in every layer, 4 at least."""
    widths = [max(min(width, 4), width // 4) for width in config.network.widths]
    if not any(now < before for now, before in zip(widths, config.network.widths, strict=True)):
        return None
    return Remedy({"network.widths": widths}, "fewer units have less room for single rows")


def bias_zero(config: RunConfig) -> Remedy | None:
    if config.network.bias == 0:
        return None
    return Remedy(
        {"network.bias": 0.0}, "biases of 0 let each unit fire on about half of the rows at first"
    )


def no_dropout(config: RunConfig) -> Remedy | None:
    if not config.network.dropout:
        return None
    return Remedy({"network.dropout": 0.0}, "every unit takes part in every step")


def centred_target(config: RunConfig) -> Remedy | None:
    if not config.data.options.get("offset"):
        return None
    return Remedy(
        {"data.offset": 0.0},
        "a target around 0 is where the network starts; else the first steps are all made to "
        "reach its mean",
    )


def centred(config: RunConfig) -> Remedy | None:
    """tanh instead of an activation whose output for an input of 0 is not near 0."""
    if not set(config.network.activations) & SLUGGISH:
        return None
    reason = "tanh has the same shape with a mean of 0, where its slope is 1"
    if len(config.network.widths) >= SIX:
        return activation(config, "tanh", reason)
    change = {"network.activation": "tanh", "network.init": "torch_default"}
    blind = "; random biases, because tanh without biases cannot see even functions of the data"
    return combined(config, Remedy(change, reason + blind), bearable(config))


def nonlinear(config: RunConfig) -> Remedy | None:
    """An activation for layers that have none."""
    if set(config.network.activations) != {"identity"}:
        return None
    return activation(config, "relu", "with ReLU between them the layers are no longer one line")


def steeper(config: RunConfig) -> Remedy | None:
    """ReLU instead of an activation with a small slope."""
    if not set(config.network.activations) & SLUGGISH:
        return None
    return activation(config, "relu", "ReLU's slope is 1 where it fires, sigmoid's at most 1/4")


def sure_step(config: RunConfig) -> Remedy | None:
    """Adam at a learning rate that suits the depth."""
    value = ADAM_LIKE_LR if len(config.network.widths) >= SIX else 0.01
    if config.optimizer.name not in ADAMS:
        return adam(config, value)
    return lr(config, value, "a rate at which Adam trains networks of this depth")


def overhaul(config: RunConfig) -> Remedy | None:
    """Corrects everything unusual at once, for shapes that are hard to train; the rest stays."""
    return combined(
        config,
        clean_start(config),
        steeper(config),
        scaffold(config),
        wider(config, TINY),
        sure_step(config),
    )


def sound(config: RunConfig) -> Remedy | None:
    """Sets everything to what is usual, for runs that no other change cured."""
    deep = len(config.network.widths) >= SIX
    usual: dict[str, Any] = {
        "network.activation": "elu" if deep else "relu",
        "network.init": "he_normal",
        "optimizer.name": "adam",
        "optimizer.lr": 0.002 if deep else 0.005,
        "network.bias": 0.0,
        "data.standardize": True,
        "optimizer.clip_norm": 0.0,
        "network.dropout": 0.0,
    }
    if deep:
        usual["network.normalization"] = "layer"
        usual["network.residual"] = len(set(config.network.widths)) == 1
    present = config.flat()
    change = {key: value for key, value in usual.items() if present.get(key) != value}
    if not change:
        return None
    reason = "everything at a value with which most networks of this depth train"
    if len(change) == 1:
        reason = "a value with which most networks of this depth train"
    return Remedy(change, reason)


def combined(config: RunConfig, *remedies: Remedy | None) -> Remedy | None:
    """One remedy that makes several changes; None if there are none to make. Where two change one
    setting, the later one counts; a reason is given only for changes that are made."""
    found = [r for r in remedies if r is not None]
    if not found:
        return None
    parts = [part for r in found for part in (r.parts or (r,))]
    change: dict[str, Any] = {}
    for part in parts:
        change.update(part.change)
    reasons = dict.fromkeys(part.reason for part in parts if holds(part, change))
    return Remedy(change, "; ".join(reasons), parts=tuple(parts))


def holds(part: Remedy, change: Mapping[str, Any]) -> bool:
    """Whether ``change`` makes the change that a part of it gives a reason for, which is the part's
    first, and the reason speaks of the activation that there will be."""
    key, value = next(iter(part.change.items()))
    return bool(change[key] == value) and not (
        key == "network.init" and "network.activation" in change
    )
