"""The table of initialisers: how the weights of one layer are drawn, and with which variance.

Every maker is called as ``maker(linear, **settings)`` on an ``nn.Linear`` whose weight is
(units, fan_in). It fills the weight in place, and the bias if the rule draws biases. Only `lsuv`
looks at data; it is marked, and the network applies it after all layers exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Option, Table, Value, later

if TYPE_CHECKING:
    from caveats.models import initialization
else:
    initialization = later("caveats.models.initialization")

__all__ = ["INITIALIZERS", "Initializer"]

Settings = Mapping[str, Value]


def no_bias(fan_in: int) -> float:
    return 0.0


def torch_bias(fan_in: int) -> float:
    return 1 / (3 * fan_in)


@dataclass(frozen=True, slots=True)
class Initializer(Choice):
    """An initialiser and what theory needs to know about it.

    ``variance(fan_in, fan_out, settings)`` is the variance of one weight, None where the weights
    do not come from one distribution with mean 0. ``bias_variance(fan_in)`` is the variance of one
    bias. ``independent`` is False for orthogonal: its entries have that variance but depend on one
    another.
    """

    variance: Callable[[int, int, Settings], float] | None = None
    bias_variance: Callable[[int], float] = no_bias
    independent: bool = True
    sees_data: bool = False


def setting(settings: Settings, name: str) -> float:
    value = settings[name]
    assert isinstance(value, (int, float))
    return float(value)


def uniform_variance(fan_in: int, fan_out: int, settings: Settings) -> float:
    return (setting(settings, "high") - setting(settings, "low")) ** 2 / 12


# A normal cut at two standard deviations keeps this share of its variance:
# 1 - 2·2·φ(2)/(2Φ(2) - 1).
TRUNCATED_SHARE = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))

STD = Option("std", 0.01, "standard deviation of one weight", low=0.0)
GAIN = Option("gain", 1.0, "every weight is multiplied by it", low=0.0)

INITIALIZERS: Table[Initializer] = Table(
    "initializer",
    Initializer(
        "zeros", lambda: initialization.constant_weights,
        "Every weight 0: with tanh every gradient is 0 and nothing ever happens.",
        "Goodfellow et al. 2016, section 8.4", fixed={"value": 0.0},
        aliases=("zero",),
    ),
    Initializer(
        "ones", lambda: initialization.constant_weights,
        "Every weight 1: all units of a layer are copies and stay copies.",
        "Goodfellow et al. 2016, section 8.4", fixed={"value": 1.0},
        aliases=("one",),
    ),
    Initializer(
        "constant", lambda: initialization.constant_weights,
        "Every weight the same number: a symmetry that no gradient can break.",
        "Goodfellow et al. 2016, section 8.4",
        options=(Option("value", 0.5, "the number"),),
    ),
    Initializer(
        "normal", lambda: initialization.normal,
        "N(0, std²) whatever the width: too small and signals fade, too large and they saturate.",
        "Krizhevsky et al. 2012", options=(STD,),
        variance=lambda fan_in, fan_out, s: setting(s, "std") ** 2,
        aliases=("gaussian", "random_normal"),
    ),
    Initializer(
        "uniform", lambda: initialization.uniform,
        "U(low, high) whatever the width.",
        "Glorot & Bengio 2010",
        options=(
            Option("low", -0.05, "smallest weight"),
            Option("high", 0.05, "largest weight"),
        ),
        variance=uniform_variance,
        aliases=("random_uniform",),
    ),
    Initializer(
        "truncated_normal", lambda: initialization.truncated_normal,
        "N(0, std²) with the tails beyond two standard deviations drawn again.",
        "Abadi et al. 2016", options=(STD,),
        variance=lambda fan_in, fan_out, s: TRUNCATED_SHARE * setting(s, "std") ** 2,
        aliases=("trunc_normal",),
    ),
    Initializer(
        "lecun_normal", lambda: initialization.fan_in_normal,
        "Variance 1/fan_in: keeps the size of the signal where the slope is 1 (tanh, SELU).",
        "LeCun et al. 1998", fixed={"scale": 1.0},
        variance=lambda fan_in, fan_out, s: 1 / fan_in,
        aliases=("lecun",),
    ),
    Initializer(
        "lecun_uniform", lambda: initialization.fan_in_uniform,
        "Uniform with variance 1/fan_in.",
        "LeCun et al. 1998", fixed={"scale": 1.0},
        variance=lambda fan_in, fan_out, s: 1 / fan_in,
    ),
    Initializer(
        "xavier_normal", lambda: initialization.xavier_normal,
        "Variance 2/(fan_in + fan_out): a compromise between signal and gradient, for tanh.",
        "Glorot & Bengio 2010", options=(GAIN,),
        variance=lambda fan_in, fan_out, s: 2 * setting(s, "gain") ** 2 / (fan_in + fan_out),
        aliases=("glorot_normal",),
    ),
    Initializer(
        "xavier_uniform", lambda: initialization.xavier_uniform,
        "Uniform with variance 2/(fan_in + fan_out), for tanh.",
        "Glorot & Bengio 2010", options=(GAIN,),
        variance=lambda fan_in, fan_out, s: 2 * setting(s, "gain") ** 2 / (fan_in + fan_out),
        aliases=("glorot_uniform", "xavier", "glorot"),
    ),
    Initializer(
        "he_normal", lambda: initialization.fan_in_normal,
        "Variance 2/fan_in: makes up for the half of the signal that ReLU cuts away.",
        "He et al. 2015", fixed={"scale": 2.0},
        variance=lambda fan_in, fan_out, s: 2 / fan_in,
        aliases=("kaiming_normal", "he", "kaiming", "msra"),
    ),
    Initializer(
        "he_uniform", lambda: initialization.fan_in_uniform,
        "Uniform with variance 2/fan_in, for ReLU.",
        "He et al. 2015", fixed={"scale": 2.0},
        variance=lambda fan_in, fan_out, s: 2 / fan_in,
        aliases=("kaiming_uniform",),
    ),
    Initializer(
        "orthogonal", lambda: initialization.orthogonal,
        "A random rotation: keeps lengths exactly in a linear network, at any depth.",
        "Saxe et al. 2014", options=(GAIN,),
        # The shorter side is orthonormal: gain²·min(n, m) spread over n·m entries.
        variance=lambda fan_in, fan_out, s: setting(s, "gain") ** 2 / max(fan_in, fan_out),
        independent=False,
    ),
    Initializer(
        "sparse", lambda: initialization.sparse,
        "A few N(0, std²) weights for each unit, the others 0.",
        "Martens 2010",
        options=(
            Option("sparsity", 0.9, "share of a unit's weights set to 0",
                   low=0.0, high=1.0, open_high=True),
            STD,
        ),
    ),
    Initializer(
        "torch_default", lambda: initialization.torch_default,
        "The default of nn.Linear: U(±1/√fan_in), a variance of 1/(3 fan_in), biases too; "
        "too small for deep ReLU networks.",
        "torch.nn.Linear", variance=lambda fan_in, fan_out, s: 1 / (3 * fan_in),
        bias_variance=torch_bias,
        aliases=("default", "pytorch", "torch"),
    ),
    Initializer(
        "lsuv", lambda: initialization.orthogonal,
        "Orthogonal, then each layer scaled on real rows until its output has variance 1.",
        "Mishkin & Matas 2016", fixed={"gain": 1.0}, sees_data=True,
    ),
    Initializer(
        "randomized_asymmetric", lambda: initialization.randomized_asymmetric,
        "One weight of each unit drawn positive, so that fewer ReLU units are born dead.",
        "Lu et al. 2019",
    ),
)  # fmt: skip
