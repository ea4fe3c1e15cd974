"""The facts of a run that rules may use: its network and optimizer as observed, and the yardsticks
of its data. None of them is read from a config.

This module only holds values and needs no torch; `caveats.measuring.anatomy` and `optimizing` fill
them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, inf, nan
from typing import Any, Literal

__all__ = [
    "Anatomy",
    "DataFacts",
    "Kind",
    "LayerFacts",
    "LossFacts",
    "Normalization",
    "OptimizerFacts",
    "Origin",
    "Proposer",
    "RunFacts",
    "Trial",
    "TriedStep",
]

# A function that takes a caveat's name, the evidence and the finding and returns a tuple of
# `caveats.verdicts.Remedy`. RunFacts only carries it.
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


def is_linear(layers: Sequence[LayerFacts]) -> bool:
    """Whether a network of these layers, the output last, is one linear map however many layers it
    has: nothing bends between them. Batch normalization is linear once it is trained."""
    return bool(layers) and all(
        layer.activation == "identity" and layer.normalization in ("none", "batch")
        for layer in layers[:-1]
    )


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """An optimizer as its ``param_groups`` show it.

    ``kind`` is the name of torch's class in lower case ("sgd", "adam", …); an SGD with momentum is
    "momentum" or "nesterov". ``lr`` is the largest learning rate of any group, before a schedule
    changes it (``initial_lr`` where a scheduler stores one). ``adaptive`` says whether the
    optimizer divides each gradient by its own size. ``clip_norm`` is the length to which longer
    gradients are scaled down: 0 if they never are, NaN if this could not be observed.
    ``clip_keeps`` is the share of a gradient's length that was left by clipping, the median of the
    newest steps at which this was seen; NaN where the gradients themselves are those before
    clipping, or nothing was seen.
    """

    kind: str
    lr: float
    adaptive: bool
    momentum: float = 0.0
    betas: tuple[float, float] | None = None
    eps: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = nan
    clip_keeps: float = nan


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The layers of a network, each once, in the order in which a pass first called them.

    ``unobserved`` names what the pass did not show, with the reason: weights outside every known
    kind of layer, and layers whose activation could not be recognised.
    """

    layers: tuple[LayerFacts, ...]
    unobserved: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The data as the network gets them, scaled or not: what the probe rows show.

    ``input_size`` is √ mean of x² over rows and columns, 1 for standardized inputs.
    ``input_spread`` is the deviation of the column that varies most over the median of all columns
    that vary. ``target_mean`` and ``target_deviation`` are those of the target column whose numbers
    are largest, NaN for classes; ``target_low`` and ``target_high`` are the smallest and the
    largest number of any. ``class_shares`` are the shares of the rows that each class has, () for
    numbers. ``reachable_recall`` is the share of right answers of kernel regression in the class in
    which it has the fewest, if every class counts the same; NaN for numbers. ``reachable_linear``
    is the loss of the best linear prediction, NaN where the network is not linear. ``rows`` is the
    size of a minibatch of a watched training, 0 where not known. ``from_network`` says that what
    enters is no data, but comes out of another network that is trained.
    """

    input_size: float = nan
    input_spread: float = nan
    target_mean: float = nan
    target_deviation: float = nan
    target_low: float = nan
    target_high: float = nan
    class_shares: tuple[float, ...] = ()
    reachable_recall: float = nan
    reachable_linear: float = nan
    rows: int = 0
    from_network: bool = False

    @property
    def chance(self) -> float:
        """The accuracy of a network that always names the largest class; NaN for numbers."""
        return max(self.class_shares, default=nan)

    @property
    def target_size(self) -> float:
        """√ mean of y² of the target column whose numbers are largest; NaN for classes."""
        return hypot(self.target_mean, self.target_deviation)


@dataclass(frozen=True, slots=True)
class LossFacts:
    """One function that the loss of a watched training adds up, as the graph of the loss shows it.

    ``function`` is "cross_entropy" (log-probabilities of a log_softmax and their targets), "nll"
    (of anything else), "bce", "bce_with_logits", "mse", "l1", "huber" or "kl_div", also where it
    was written by hand. ``activation`` is what its outputs pass right before it ("softmax",
    "sigmoid", "relu", …; "softmax_of_one" over a dimension of one number), "" where nothing is
    known. ``alone`` says whether the loss adds nothing to it; ``negated`` whether each step makes
    it as large as it can. ``outputs`` and ``targets`` are their shapes, where each output meets
    each target; () else. ``unreached`` is the share of a constant's loss below which no output
    that the activation can give brings it. ``mass`` is what the exponentials of the outputs of
    "nll" and "kl_div" add up to over the classes: 1 for log-probabilities. ``single`` is the share
    of the minibatches whose targets are of one class, ``classes`` how many there are in all of
    them together. ``passes`` is how many backward passes of such a loss, each the mean over its
    rows, one step adds up. ``activation`` is "cosine" for the products of rows of length 1 (perhaps
    over a temperature). Numbers are NaN or 0 where nothing is known.
    """

    function: str
    activation: str = ""
    alone: bool = True
    negated: bool = False
    outputs: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    unreached: float = nan
    mass: float = nan
    single: float = nan
    classes: int = 0
    passes: int = 1


# Where a trial began: from the run's present weights, from its own start, or from the start of a
# sound network of the same widths on the same data.
Origin = Literal["present", "start", "sound"]


@dataclass(frozen=True, slots=True)
class TriedStep:
    """A size or kind of step that was tried for some steps: ``optimizer`` as `OptimizerFacts.kind`,
    at ``times`` the run's learning rate. ``first`` and ``last`` are the losses on the probe rows at
    its start and its end, infinite if it diverged; ``learnt`` is the share of what can be learnt
    above a constant (`caveats.verdicts.share_learnt`) at its end, minus infinity if it diverged."""

    origin: Origin
    optimizer: str
    times: float
    first: float
    last: float
    learnt: float

    @property
    def fall(self) -> float:
        """The share of the first loss that was removed; negative if the loss rose."""
        return 1 - self.last / self.first if 0 < self.first < inf else nan


@dataclass(frozen=True, slots=True)
class Trial:
    """What other steps than the run's own came to, each tried for ``steps`` steps when the run was
    at ``step`` (`caveats.trials.steps`). The same run at the same step has the same trial."""

    step: int
    steps: int
    tried: tuple[TriedStep, ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts that stay the same from record to record, and that rules compare records with.

    ``baseline`` is the loss of the best network that ignores its input, NaN where unknown.
    ``reachable`` is the loss of kernel regression (`caveats.measuring.yardsticks`), 0 where
    unknown; ``reachable_accuracy`` is its accuracy, NaN where unknown or where there are no
    classes. ``steps`` is the planned length of the run, 0 where unknown. ``layers`` (the output
    last), ``optimizer`` and ``data`` were observed; where they were not, they are empty, None and
    NaN. ``losses`` are the functions that the loss of a watched training adds up.
    ``remedies`` proposes changes of the run's settings, None where the settings are unknown.
    """

    baseline: float = nan
    steps: int = 0
    reachable: float = 0.0
    reachable_accuracy: float = nan
    layers: tuple[LayerFacts, ...] = ()
    optimizer: OptimizerFacts | None = None
    remedies: Proposer | None = None
    data: DataFacts = DataFacts()
    losses: tuple[LossFacts, ...] = ()
