"""What one run makes small: its loss on its network's outputs, with the weights of its classes, and
what the outputs say about a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caveats.choice import Choice, Table, later
from caveats.training.losses import LOSSES, of_task

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
else:
    np = later("numpy")

__all__ = ["CLASS_WEIGHTS", "Objective"]


def equal(counts: np.ndarray[Any, Any]) -> None:
    return None


def balanced(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """n/(k·n_c) for n rows of which n_c are of class c, k the classes that have rows; 0 for a class
    without rows."""
    present = counts > 0
    return np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 0.0)


CLASS_WEIGHTS: Table[Choice] = Table(
    "class weight",
    Choice("none", lambda: equal, "Every row counts alike.", "Legendre 1805"),
    Choice(
        "balanced", lambda: balanced,
        "Rows of a rare class count more, by n/(k·n_c), so that every class counts alike.",
        "King & Zeng 2001; scikit-learn, class_weight",
    ),
)  # fmt: skip


class Objective:
    """Called with (output, target), it is the loss of a batch: the mean over its rows of weight
    times loss. ``loss`` is a name of `LOSSES`; ``classes`` is the number of classes, None for
    numbers; ``probabilities`` says whether the network answers with probabilities; ``weights``
    (classes,) are those of a row of each class, None for 1.

    Weighted losses are divided by the number of rows, not by the sum of their weights as torch's
    ``weight`` does: otherwise a row's loss would depend on the rows beside it. Over all training
    rows "balanced" weights are 1 on average, so that the two are the same there.
    """

    def __init__(
        self,
        loss: str,
        classes: int | None,
        *,
        probabilities: bool = False,
        weights: Tensor | None = None,
    ) -> None:
        choice = LOSSES[loss]
        replaced = choice.on_probabilities if probabilities else None
        self._function: Callable[..., Tensor] = (replaced or choice.maker)()
        self.loss, self.classes = of_task(loss, classes), classes
        self.probabilities, self.weights = probabilities, weights

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        if self.weights is None:
            return self._function(output, target)
        found = self._function(output, target, "none")
        of_rows = found if found.ndim == 1 else found.mean(1)
        return (self.weights[target] * of_rows).mean()

    def predicted(self, output: Tensor) -> Tensor:
        """The classes (rows,) or the numbers (rows, outputs) that outputs stand for."""
        if self.classes is not None:
            if output.shape[1] == 1:
                return (output[:, 0] > (0.5 if self.probabilities else 0.0)).long()
            return output.argmax(1)
        logits = self.loss == "bce" and not self.probabilities
        return output.sigmoid() if logits else output
