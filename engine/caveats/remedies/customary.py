"""What is customary in a config: the learning rates, initialisers and shapes that train well.

Remedies go back to these settings. The customary learning rates are those of
`caveats.verdicts.learning_rates`, which rules use.
"""

from __future__ import annotations

import math

from caveats.config import RunConfig
from caveats.data.catalogue import DATASETS
from caveats.facts import DataFacts
from caveats.models.section import InitConfig
from caveats.training.stability import stability_limit
from caveats.verdicts.evidence import DEFAULT
from caveats.verdicts.learning_rates import ADAM_LIKE_LR, DESCENT, customary_lr
from caveats.verdicts.learning_rates import fitting_lr as fitting

__all__ = [
    "ADAM_LIKE_LR",
    "DEEP",
    "NARROW",
    "ODD",
    "SIX",
    "SLUGGISH",
    "TINY",
    "adam_lr",
    "bearable_lr",
    "common_activation",
    "customary_lr",
    "drops_most",
    "fitting_lr",
    "lr_is_high",
    "lr_is_low",
    "matching",
]

# Initialisers whose variance keeps signal and gradient from layer to layer, by activation
# (He et al. 2015; Glorot & Bengio 2010; Klambauer et al. 2017).
XAVIER = frozenset(
    ("tanh", "tanh_plus_one", "sigmoid", "hard_sigmoid", "hard_tanh", "softsign", "sin", "identity")
)

FEW_STEPS = 100  # hardly any network learns in fewer
FEWEST_STEPS = 20  # a run that stops before has not begun
# Options of an optimizer: above the first number they hold every step back; the second is usual.
OPTIONS = {"momentum": (0.97, 0.9), "eps": (1e-3, 1e-8), "weight_decay": (0.05, 0.0)}
MILDER = 40.0
SHORT_CLIP = 0.05  # a length of the whole gradient

# Initialisers that keep the size of a signal, or halve or double its square.
SIZED = frozenset(
    f"{name}_{kind}" for name in ("he", "xavier", "lecun") for kind in ("normal", "uniform")
) | {"orthogonal", "lsuv"}

# Odd activations. A network of these without biases is an odd function: at the start it cannot see
# even functions of its data.
ODD = frozenset(("tanh", "hard_tanh", "softsign", "sin"))
# A sigmoid's slope is at most 1/4, and its mean is off 0.
SLUGGISH = frozenset(("sigmoid", "hard_sigmoid", "softplus", "tanh_plus_one"))

SIX, DEEP, NARROW = 6, 10, 8  # hidden layers, and units of the narrowest
# Above the limit of stability a ReLU network first leaves the steep valley and then learns all the
# same, up to about six times the limit (Lewkowycz et al. 2020); `stable_lr` lies below the limit.
CATAPULT = 10.0
COUPLE = 2  # layers over which a factor of 2 in the variance is no harm
FEW_SLUGGISH = 3  # layers of a small slope that weights of the right variance still get through
LARGE_BIAS = 0.5  # moves a unit's input, of deviation 1, so that it is mostly on or mostly off
TINY = 5  # units of a layer, below which chance decides whether any signal passes


def matching(name: str) -> str:
    if name == "selu":
        return "lecun_normal"
    return "xavier_normal" if name in XAVIER else "he_normal"


def keeps_size(config: RunConfig) -> bool:
    """Whether all layers are drawn with a variance of 1 or 2 over their inputs."""
    inits = config.network.layer_inits
    return all(init.name in SIZED and 0.7 <= gain_of(init) <= 1.5 for init in inits)


def ordinary(config: RunConfig) -> bool:
    """Whether all layers are drawn as sound networks are, if not with the best variance."""
    drawn = all(init.name == "torch_default" for init in config.network.layer_inits)
    return drawn or keeps_size(config)


def gain_of(init: InitConfig) -> float:
    gain = init.options.get("gain", 1.0)
    return float(gain) if isinstance(gain, int | float) else 1.0


def common_activation(config: RunConfig) -> str:
    names = config.network.activations
    return names[0] if names else "identity"


def fitting_lr(config: RunConfig) -> float:
    """The customary learning rate, or a third of it in six layers and more."""
    return fitting(config.optimizer.name, len(config.network.widths), DEFAULT.deep_steps)


def bearable_lr(config: RunConfig) -> float:
    """The largest learning rate that is stable for squared errors with matching initial weights;
    infinite if the optimizer divides gradients by their size, or if the targets are classes.

    The curvature λ of squared errors is that of the tangent kernel, which grows as depth times
    width (Jacot et al. 2018): 1.1 to 1.4 times L·n for He's weights (measured).
    """
    name = config.data.name
    classes = config.training.loss != "mse" and not (
        name is not None and DATASETS[name].classes is None
    )
    return math.inf if classes else stable_lr(config)


def stable_lr(config: RunConfig) -> float:
    """`bearable_lr` where the targets are known to be numbers. A ReLU layer whose weights have half
    of He's variance halves the curvature of the layers below it."""
    o, widths = config.optimizer, config.network.widths
    if o.name not in DESCENT or config.network.normalization != "none" or not widths:
        return math.inf
    halved = matching(common_activation(config)) == "he_normal" and all(
        init.name.startswith(("xavier", "lecun")) for init in config.network.layer_inits
    )
    curvature = 1.5 * len(widths) * max(widths) / (2.0 ** (len(widths) - 1) if halved else 1.0)
    return stability_limit(o.name, 1.0, o.options) / curvature


def adam_lr(config: RunConfig) -> float:
    """The learning rate at which Adam trains networks of this depth."""
    return ADAM_LIKE_LR if len(config.network.widths) >= SIX else 0.01


def lr_is_high(config: RunConfig) -> bool:
    """More than three times what is customary for the optimizer."""
    return config.optimizer.lr > DEFAULT.high * customary_lr(config.optimizer.name)


def lr_is_low(config: RunConfig) -> bool:
    """Less than a tenth of what is customary for the optimizer."""
    return config.optimizer.lr < DEFAULT.low * customary_lr(config.optimizer.name)


def drops_most(config: RunConfig) -> bool:
    """Dropout switches off half of the units or more in every step; no step size makes up for
    that."""
    return config.network.dropout >= DEFAULT.most


def sinks(config: RunConfig) -> bool:
    """Units with a small slope in so many layers that no weights pass a signal through them."""
    sluggish = sum(name in SLUGGISH for name in config.network.activations)
    return sluggish >= FEW_SLUGGISH and config.network.normalization == "none"


def is_unusual(data: DataFacts) -> bool:
    """Inputs of three times the usual size, or a third of it: too little to be called unscaled,
    enough to be worth scaling in a run that fails."""
    return not 1 / DEFAULT.large_inputs <= data.input_size <= DEFAULT.large_inputs
