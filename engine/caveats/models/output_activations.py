"""The table of what may stand behind the output layer.

Most networks need nothing there: `cross_entropy` and `bce` take the sigmoid and the softmax
themselves. A second one in the network is a common mistake, so it can be configured and looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.choice import Choice, Table, later

if TYPE_CHECKING:
    from torch import nn
else:
    nn = later("torch.nn")

__all__ = ["OUTPUT_ACTIVATIONS", "OutputActivation"]


@dataclass(frozen=True, slots=True)
class OutputActivation(Choice):
    """``activation`` is its name in `caveats.models.activations`, None for a softmax, which ties a
    row's outputs; ``probabilities`` says whether its results are probabilities."""

    activation: str | None = None
    probabilities: bool = False


OUTPUT_ACTIVATIONS: Table[OutputActivation] = Table(
    "output activation",
    OutputActivation(
        "none", lambda: nn.Identity,
        "The network answers with the output layer's own numbers.",
        "Goodfellow et al. 2016, section 6.2.2", activation="identity",
        aliases=("linear", "identity", "logits"),
    ),
    OutputActivation(
        "sigmoid", lambda: nn.Sigmoid,
        "Each output between 0 and 1; bce then takes it as a probability.",
        "Goodfellow et al. 2016, section 6.2.2", activation="sigmoid", probabilities=True,
        aliases=("logistic",),
    ),
    OutputActivation(
        "tanh", lambda: nn.Tanh,
        "Each output between -1 and 1, out of reach of any target beyond.",
        "LeCun et al. 1998", activation="tanh",
    ),
    OutputActivation(
        "softmax", lambda: nn.Softmax,
        "A row's outputs sum to 1; before cross_entropy, which takes a softmax itself, this is a "
        "common mistake.",
        "Bridle 1990", fixed={"dim": -1}, probabilities=True,
    ),
    OutputActivation(
        "relu", lambda: nn.ReLU,
        "No output below 0; an output that is negative on every row gets no gradient.",
        "Nair & Hinton 2010", activation="relu",
    ),
)  # fmt: skip
