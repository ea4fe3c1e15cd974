"""The table of optimizers, all from torch.optim, with the settings that a user can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Option, Table, later

if TYPE_CHECKING:
    from torch import optim

    from caveats.training import muon
else:
    optim, muon = later("torch.optim"), later("caveats.training.muon")

__all__ = ["OPTIMIZERS", "Optimizer"]


@dataclass(frozen=True, slots=True)
class Optimizer(Choice):
    """An optimizer; ``lr`` is its default learning rate, used where none is given."""

    lr: float = 0.001


MOMENTUM = Option(
    "momentum", 0.9, "share of the last step that goes on", low=0.0, high=1.0, open_high=True
)
DECAY = Option("weight_decay", 0.0, "pull of every weight towards 0", low=0.0)
DECOUPLED = Option("weight_decay", 0.01, "decay of every weight, apart from its gradient", low=0.0)
EPS = Option("eps", 1e-8, "added to the divisor", low=0.0)
BETAS = Option(
    "betas", (0.9, 0.999), "memories of the mean and of the square of the gradient",
    low=0.0, high=1.0, open_high=True,
)  # fmt: skip

OPTIMIZERS: Table[Optimizer] = Table(
    "optimizer",
    Optimizer(
        "sgd", lambda: optim.SGD,
        "Vanilla: the step is lr times the minibatch gradient, the same for every weight.",
        "Robbins & Monro 1951", (DECAY,), lr=0.1,
        aliases=("gd", "gradient_descent", "stochastic_gradient_descent"),
    ),
    Optimizer(
        "momentum", lambda: optim.SGD,
        "SGD that keeps rolling (heavy ball): crosses ravines in which plain SGD zigzags.",
        "Polyak 1964", (MOMENTUM, DECAY),
        lr=0.01,
        aliases=("sgd_momentum", "sgdm", "heavy_ball"),
    ),
    Optimizer(
        "nesterov", lambda: optim.SGD,
        "Momentum that looks ahead before it takes the gradient.",
        "Sutskever et al. 2013",
        (
            Option("momentum", 0.9, "share of the last step that goes on",
                   low=0.0, high=1.0, open_low=True, open_high=True),
            DECAY,
        ),
        fixed={"nesterov": True},
        lr=0.01,
        aliases=("nag", "sgd_nesterov"),
    ),
    Optimizer(
        "rmsprop", lambda: optim.RMSprop,
        "Divides each weight's gradient by its recent size.",
        "Tieleman & Hinton 2012",
        (
            Option("alpha", 0.99, "memory of the squared gradient",
                   low=0.0, high=1.0, open_high=True),
            Option("momentum", 0.0, "share of the last step that goes on",
                   low=0.0, high=1.0, open_high=True),
            EPS, DECAY,
        ),
    ),
    Optimizer(
        "adagrad", lambda: optim.Adagrad,
        "Divides by the size of all gradients so far: the steps only ever shrink.",
        "Duchi et al. 2011",
        (Option("lr_decay", 0.0, "further decay of the learning rate", low=0.0), DECAY),
        lr=0.01,
    ),
    Optimizer(
        "adadelta", lambda: optim.Adadelta,
        "RMSprop in the units of the weights; wants lr 1.",
        "Zeiler 2012",
        (
            Option("rho", 0.9, "memory of the squares", low=0.0, high=1.0, open_high=True),
            DECAY,
        ),
        lr=1.0,
    ),
    Optimizer(
        "adam", lambda: optim.Adam,
        "Momentum over RMSprop, with its bias corrected: about lr a step for every weight.",
        "Kingma & Ba 2015", (BETAS, EPS, DECAY),
    ),
    Optimizer(
        "adamw", lambda: optim.AdamW,
        "Adam whose weight decay is kept apart from the gradient.",
        "Loshchilov & Hutter 2019", (BETAS, EPS, DECOUPLED),
    ),
    Optimizer(
        "nadam", lambda: optim.NAdam,
        "Adam with Nesterov's look ahead.",
        "Dozat 2016", (BETAS, EPS, DECAY),
        lr=0.002,
    ),
    Optimizer(
        "radam", lambda: optim.RAdam,
        "Adam that waits until its divisor can be trusted.",
        "Liu et al. 2020", (BETAS, EPS, DECAY),
    ),
    Optimizer(
        "adamax", lambda: optim.Adamax,
        "Adam with the largest recent gradient as its divisor.",
        "Kingma & Ba 2015", (BETAS, EPS, DECAY),
        lr=0.002,
    ),
    Optimizer(
        "muon", lambda: muon.Muon,
        "Turns each weight matrix's momentum into a rotation; biases are left to AdamW.",
        "Jordan et al. 2024",
        (
            Option("momentum", 0.95, "share of the last step that goes on",
                   low=0.0, high=1.0, open_high=True),
            Option("weight_decay", 0.1, "decay of every weight, apart from its gradient", low=0.0),
        ),
    ),
)  # fmt: skip
