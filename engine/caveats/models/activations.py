"""The table of activations: how torch makes each, where it is flat, and where it comes from.

Limits on the input z say where an activation is flat or nearly flat. With them, "dead" (slope
exactly 0 on every row) and "saturated" (slope below 5 % of its maximum on nearly all rows; see
docs/measurements.md) take one comparison each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Table, later

if TYPE_CHECKING:
    from torch import nn

    from caveats.models import modules
else:
    nn, modules = later("torch.nn"), later("caveats.models.modules")

__all__ = ["ACTIVATIONS", "Activation"]

INF = math.inf


@dataclass(frozen=True, slots=True)
class Activation(Choice):
    """An activation, and where it is flat.

    The slope is exactly 0 for z <= ``flat[0]`` and for z >= ``flat[1]``. For bounded activations
    it is below 5 % of its maximum for z < ``tails[0]`` and for z > ``tails[1]``; an activation that
    is bounded on one side has one tail.
    """

    flat: tuple[float, float] = (-INF, INF)
    tails: tuple[float, float] = (-INF, INF)

    @property
    def can_die(self) -> bool:
        return self.flat != (-INF, INF)

    @property
    def can_saturate(self) -> bool:
        return self.tails != (-INF, INF)


# tanh' = 1 - a² < .05 where |a| > √.95; sigmoid' = a(1 - a) < .05/4 where |a - ½| > ½√.95.
TANH_TAIL = math.atanh(math.sqrt(0.95))
SIGMOID_TAIL = 2 * TANH_TAIL
# e^z < .05: the left side of the ELU family and of softplus (sigmoid(z) < .05).
EXP_TAIL = math.log(0.05)
SOFTPLUS_TAIL = math.log(0.05 / 0.95)
# softsign' = 1/(1 + |z|)² < .05.
SOFTSIGN_TAIL = math.sqrt(20) - 1

ACTIVATIONS: Table[Activation] = Table(
    "activation",
    Activation(
        "relu", lambda: nn.ReLU,
        "max(0, z): cheap and never vanishing where it fires; a unit that is negative on every "
        "row gets no gradient and stays dead.",
        "Nair & Hinton 2010", flat=(0.0, INF),
    ),
    Activation(
        "leaky_relu", lambda: nn.LeakyReLU,
        "ReLU with slope 0.01 on the left: it cannot die, though it can still learn slowly there.",
        "Maas et al. 2013",
    ),
    Activation(
        "prelu", lambda: nn.PReLU,
        "Leaky ReLU whose left slope (0.25 at first) is learned.",
        "He et al. 2015",
    ),
    Activation(
        "relu6", lambda: nn.ReLU6,
        "ReLU cut off at 6: flat on both sides, so it can die and saturate.",
        "Krizhevsky 2010", flat=(0.0, 6.0), tails=(-INF, 6.0),
    ),
    Activation(
        "elu", lambda: nn.ELU,
        "z on the right, e^z - 1 on the left: means near zero, a gradient that fades instead of "
        "stopping.",
        "Clevert et al. 2016", tails=(EXP_TAIL, INF),
    ),
    Activation(
        "selu", lambda: nn.SELU,
        "ELU scaled so that mean 0 and variance 1 are a fixed point of the layers; wants "
        "lecun_normal.",
        "Klambauer et al. 2017", tails=(EXP_TAIL, INF),
    ),
    Activation(
        "celu", lambda: nn.CELU,
        "ELU made continuously differentiable for every width of its bend.",
        "Barron 2017", tails=(EXP_TAIL, INF),
    ),
    Activation(
        "gelu", lambda: nn.GELU,
        "z times the normal distribution function: a smooth ReLU, the default of transformers.",
        "Hendrycks & Gimpel 2016",
    ),
    Activation(
        "silu", lambda: nn.SiLU,
        "z times sigmoid(z), also called swish: smooth, dips below zero.",
        "Elfwing et al. 2018",
        aliases=("swish",),
    ),
    Activation(
        "mish", lambda: nn.Mish,
        "z times tanh(softplus(z)): as SiLU, a little steeper.",
        "Misra 2019",
    ),
    Activation(
        "softplus", lambda: nn.Softplus,
        "log(1 + e^z): ReLU with a soft corner; always positive, so never zero-centred.",
        "Dugas et al. 2001", tails=(SOFTPLUS_TAIL, INF),
    ),
    Activation(
        "softsign", lambda: nn.Softsign,
        "z/(1 + |z|): as tanh with heavier tails, so it saturates later.",
        "Bergstra et al. 2009", tails=(-SOFTSIGN_TAIL, SOFTSIGN_TAIL),
    ),
    Activation(
        "sigmoid", lambda: nn.Sigmoid,
        "1/(1 + e^-z): slope at most 1/4 and 0.5 for no input, so gradients vanish with depth and "
        "nothing is zero-centred.",
        "Glorot & Bengio 2010", tails=(-SIGMOID_TAIL, SIGMOID_TAIL),
        aliases=("logistic",),
    ),
    Activation(
        "hard_sigmoid", lambda: nn.Hardsigmoid,
        "The sigmoid made of straight lines: slope 1/6 in the middle, exactly 0 beyond ±3.",
        "Courbariaux et al. 2015", flat=(-3.0, 3.0), tails=(-3.0, 3.0),
    ),
    Activation(
        "tanh", lambda: nn.Tanh,
        "Zero-centred with slope 1 in the middle; saturates when the weights are large.",
        "LeCun et al. 1998", tails=(-TANH_TAIL, TANH_TAIL),
    ),
    Activation(
        "hard_tanh", lambda: nn.Hardtanh,
        "z cut off at -1 and 1: slope 1 inside, exactly 0 outside.",
        "Collobert 2004", flat=(-1.0, 1.0), tails=(-1.0, 1.0),
    ),
    Activation(
        "sin", lambda: modules.Sin,
        "sin(z): periodic, never saturates; wide weights make it chaotic.",
        "Sitzmann et al. 2020",
        aliases=("sine",),
    ),
    Activation(
        "exp", lambda: modules.Exp,
        "e^z: shows how networks explode; not for use.",
        "a teaching example",
        aliases=("exponential",),
    ),
    Activation(
        "identity", lambda: nn.Identity,
        "No bend at all: however deep, the network stays a linear map.",
        "Saxe et al. 2014",
        aliases=("linear", "none"),
    ),
    Activation(
        "tanh_plus_one", lambda: modules.TanhPlusOne,
        "tanh moved up by one: the same slopes, but never zero-centred; compare it with tanh.",
        "LeCun et al. 1998", tails=(-TANH_TAIL, TANH_TAIL),
    ),
)  # fmt: skip
