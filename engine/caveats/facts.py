"""What may be known of a run: of its network and its optimizer as they were observed, and the
yardsticks of its data. None of it is read from a config.

It holds values alone, without torch; `caveats.measuring.anatomy` and `optimizing` fill them in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any, Literal

__all__ = [
    "Anatomy",
    "Kind",
    "LayerFacts",
    "Normalization",
    "OptimizerFacts",
    "Proposer",
    "RunFacts",
]

# What proposes changes for a caveat, by its name, the evidence and the finding: a tuple of
# `caveats.verdicts.Remedy`. These facts only hand them on.
Proposer = Callable[[str, Any, Any], tuple[Any, ...]]

Kind = Literal["linear", "conv", "recurrent", "attention", "embedding"]
Normalization = Literal["none", "batch", "layer", "group", "rms"]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer with weights, as one traced forward pass saw it.

    ``name`` is the module's name in the network, or that of a bare parameter (a layer that is used
    twice is one layer; each level and direction of a recurrent module is one, and so is each
    projection of an attention). A normalization is no layer: it is told of the layer before it.
    ``units`` are its outputs (channels of a convolution, hidden units of a recurrent layer),
    ``fan_in`` the inputs that one unit adds up: 1 of an embedding. ``activation`` is a name of
    `caveats.models.activations.ACTIVATIONS` ("identity" where what leaves the layer stays linear,
    as an output does), None where it could not be observed. ``normalization`` is what stands
    between the weights and that activation, or whatever uses the output if there is none.
    ``residual`` says whether the layer lies inside a branch whose result is added to its input,
    ``dropout`` the share of its outputs that training drops, ``output`` whether the network's
    result is its own.
    """

    name: str
    kind: Kind
    units: int
    fan_in: int
    activation: str | None
    normalization: Normalization = "none"
    residual: bool = False
    dropout: float = 0.0
    output: bool = False


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """An optimizer as its ``param_groups`` show it.

    ``kind`` is torch's class in lower case ("sgd", "adam", …), but "momentum" and "nesterov" for an
    SGD that has momentum. ``lr`` is the largest rate over the groups, before any schedule (their
    ``initial_lr`` where a scheduler keeps one). ``adaptive`` says whether it divides each gradient
    by its own size. ``clip_norm`` is the length that gradients are scaled down to, 0 for never, NaN
    where nobody could see it.
    """

    kind: str
    lr: float
    adaptive: bool
    momentum: float = 0.0
    betas: tuple[float, float] | None = None
    eps: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = nan


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The layers of a network in the order in which a pass called them, each once.

    ``unobserved`` names what a pass did not show, with the reason: weights that belong to no layer
    that is known, and layers whose activation could not be told.
    """

    layers: tuple[LayerFacts, ...]
    unobserved: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What does not change from record to record and judges them.

    ``baseline`` is the loss of the best network that ignores its input, NaN where unknown,
    ``reachable`` that of kernel regression (`caveats.measuring.yardsticks`), 0 where unknown, and
    ``reachable_accuracy`` its accuracy, NaN where unknown or where there are no classes; ``steps``
    the length that is planned, 0 where unknown. ``layers`` (one each, the output last) and
    ``optimizer`` are what was observed of them, empty and None where nobody looked. ``remedies``
    proposes changes of the run's settings, None where they are not ours to change.
    """

    baseline: float = nan
    steps: int = 0
    reachable: float = 0.0
    reachable_accuracy: float = nan
    layers: tuple[LayerFacts, ...] = ()
    optimizer: OptimizerFacts | None = None
    remedies: Proposer | None = None
