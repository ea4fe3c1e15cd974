"""What is customary in a config: learning rates, initialisers and shapes that train well.

It knows no run and proposes no change: rules hold a config against it, remedies lead back to it.
"""

from __future__ import annotations

import math

from caveats.config import RunConfig
from caveats.data.catalogue import DATASETS
from caveats.training.stability import stability_limit

__all__ = [
    "ADAM_LIKE",
    "DEEP",
    "NARROW",
    "ODD",
    "SIX",
    "SLUGGISH",
    "TINY",
    "bearable_lr",
    "common_activation",
    "customary_lr",
    "drops_most",
    "fitting_lr",
    "hard_shape",
    "leads_nowhere",
    "lr_is_far_above",
    "lr_is_far_below",
    "lr_is_high",
    "lr_is_low",
    "matching",
]

# Initialisers whose variance keeps signal and gradient from layer to layer, by activation
# (He et al. 2015; Glorot & Bengio 2010; Klambauer et al. 2017).
XAVIER = frozenset(
    ("tanh", "tanh_plus_one", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign", "sin", "identity")
)

# Odd, and so is a network of these without biases: it starts blind to whatever is even in its data.
ODD = frozenset(("tanh", "hard_tanh", "softsign", "sin"))
# A sigmoid's slope is at most 1/4, and its mean is off 0.
SLUGGISH = frozenset(("sigmoid", "hard_sigmoid", "softplus", "tanh_plus_one"))

# Learning rates that train small networks well, and how far one may stray before it is suspect.
CUSTOMARY = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "muon": 0.01,
}
ADAM_LIKE = 0.003
SIX, DEEP, NARROW = 6, 10, 8
DESCENT = ("sgd", "momentum", "nesterov")  # these follow the gradient itself, however small it is
# lr/(1−β) times units times steps, and lr times steps. Of the faulty networks sampled 9 in 10 that
# stay below bear a step too small as their label; of those twice as far on, 1 in 2.
SHORTEST_DESCENT, SHORTEST_WALK = 20.0, 0.07
TINY = 5  # units of a layer, below which chance decides whether anything gets through


def matching(name: str) -> str:
    if name == "selu":
        return "lecun_normal"
    return "xavier_normal" if name in XAVIER else "he_normal"


def common_activation(config: RunConfig) -> str:
    names = config.network.activations
    return names[0] if names else "identity"


def customary_lr(optimizer: str) -> float:
    return CUSTOMARY.get(optimizer, ADAM_LIKE)


def fitting_lr(config: RunConfig) -> float:
    """The customary learning rate, or a third of it in six layers and more."""
    value = customary_lr(config.optimizer.name)
    return value / 3 if len(config.network.widths) >= SIX else value


def bearable_lr(config: RunConfig) -> float:
    """The largest learning rate that squared errors bear at a matched start; infinite where
    gradients are divided by their size, or the targets are classes.

    Their curvature λ is that of the tangent kernel, which grows as depth times width (Jacot et al.
    2018): 1.1 to 1.4 times L·n for He's weights (measured).
    """
    o, widths = config.optimizer, config.network.widths
    name = config.data.name
    classes = config.training.loss != "mse" and not (
        name is not None and DATASETS[name].classes is None
    )
    plain = o.name in DESCENT and config.network.normalization == "none"
    if classes or not plain or not widths:
        return math.inf
    return stability_limit(o.name, 1.0, o.options) / (1.5 * len(widths) * max(widths))


def lr_is_high(config: RunConfig) -> bool:
    """More than three times what is customary for the optimizer."""
    return config.optimizer.lr > 3 * customary_lr(config.optimizer.name)


def lr_is_far_above(config: RunConfig) -> bool:
    """Ten times what fits the optimizer and the depth, and more."""
    return config.optimizer.lr >= 10 * fitting_lr(config)


def lr_is_low(config: RunConfig) -> bool:
    """Less than a tenth of what is customary for the optimizer."""
    return config.optimizer.lr < 0.1 * customary_lr(config.optimizer.name)


def lr_is_far_below(config: RunConfig) -> bool:
    """Less than a hundredth of what is customary for the optimizer."""
    return config.optimizer.lr < 0.01 * customary_lr(config.optimizer.name)


def leads_nowhere(config: RunConfig) -> bool:
    """Steps too small and too few to carry even a sound network of this shape anywhere.

    Plain descent shrinks an error by 1 − lr·λ a step, and λ, that of the tangent kernel, grows with
    the number of units (Jacot et al. 2018); Adam and its kin move no weight further than lr.
    """
    o, steps = config.optimizer, config.training.steps
    if o.name in DESCENT:
        momentum = float(o.options.get("momentum", 0.0))  # type: ignore[arg-type]
        return o.lr / (1 - momentum) * sum(config.network.widths) * steps < SHORTEST_DESCENT
    if o.name not in CUSTOMARY:
        return o.lr * steps < SHORTEST_WALK
    return lr_is_low(config)


def drops_most(config: RunConfig) -> bool:
    """Half of the units and more miss every step, which no step makes up for."""
    return config.network.dropout >= 0.5


def hard_shape(config: RunConfig) -> bool:
    """Ten layers and more, or layers of fewer than 8 units: shapes that forgive nothing."""
    widths = config.network.widths
    return len(widths) >= DEEP or (len(widths) > 0 and min(widths) < NARROW)
