"""What the graph of a loss shows of its targets: the loss that the best constant output would have,
and their scale. Torch's own loss functions keep their targets for backward; those of a difference
that a script squares itself follow from the difference and the outputs.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from torch import Tensor

from caveats.measuring import constants
from caveats.measuring.data_facts import target_scale
from caveats.watching.fitting import FEWEST, MEAN, NUMBERS, mass, targets_of
from caveats.watching.graph import Term, factor_of, saved, shape, terms

__all__ = ["FEWEST", "Scale", "constant_loss", "target_of"]

# Mean and deviation of the target column whose numbers are largest, the smallest and the largest
# number of any.
Scale: TypeAlias = tuple[float, float, float, float]

FEW = 2**16  # numbers of which the centre of Huber's loss is sought
CLASSES = ("cross_entropy", "nll")
SOFT = 0.1  # of a constant's loss: what the best output leaves of a loss that has soft targets


def constant_loss(loss: Any) -> float:
    """The loss that the best constant output has on the targets of ``loss``: log of the number of
    classes for cross entropy (that of balanced classes, its largest value), and for binary cross
    entropy, squared error, distance, Huber's loss and smooth L1 that of
    `caveats.measuring.constants`; of several on classes that are added, perhaps with one on
    numbers, their sum. NaN where one of them is any other function, is weighted, or has targets so
    soft that no output comes near 0."""
    try:
        found = terms(loss)
        # Of two losses on numbers, one output may be the best constant of neither.
        several = sum(term.function not in CLASSES for term in found) > 1
        return math.nan if several or not found else math.fsum(map(of_term, found))
    except (AttributeError, RuntimeError, TypeError, IndexError):  # freed, or overwritten since
        return math.nan


def of_term(term: Term) -> float:
    """What a constant's outputs make of one term of a loss."""
    node, weights = term.node, ("weight", "pos_weight")
    if term.sign != 1 or any(getattr(node, f"_saved_{key}", None) is not None for key in weights):
        return math.nan
    if term.function == "cross_entropy" and term.by_hand:
        return of_picks(term)
    if term.function in CLASSES:
        if term.function == "nll" and not abs(mass(term) - 1) < SOFT:
            return math.nan  # they are no logarithms of probabilities
        outputs, target = saved(node, "self"), saved(node, "target")
        each = math.log(int(outputs.shape[1 if outputs.ndim > 1 else 0]))
        count = int((target != node._saved_ignore_index).sum())
    else:
        y = targets_of(term)
        if y is None:
            return math.nan
        each, count = of_numbers(term, y), y.numel()
    averaged = not term.by_hand and getattr(node, "_saved_reduction", None) == MEAN
    return each * term.factor * (1 if averaged else count)


def of_picks(term: Term) -> float:
    """Log-probabilities of one class a row, or of nearly one."""
    classes = (shape(term.outputs) or (0,))[-1]
    whole = math.prod(shape(term.node) or ())
    rows = whole // classes if term.node.name() == "MulBackward0" else whole
    if classes < 2 or rows < FEWEST or soft(term, classes):
        return math.nan
    return math.log(classes) * rows * term.factor


def soft(term: Term, classes: int) -> bool:
    """Whether the targets are probabilities of which no output makes the loss small."""
    if term.node.name() != "MulBackward0":
        return False
    t = factor_of(term.node).detach().float().clamp(min=1e-12)
    entropy = -(t * t.log()).sum() / t.numel() * classes
    return float(entropy) > SOFT * math.log(classes)


def of_numbers(term: Term, y: Tensor) -> float:
    """The mean loss of a constant on targets y (rows, columns)."""
    if term.function == "huber":
        return huber(term.node, y)
    if term.function not in ("bce", "bce_with_logits"):
        return constants.constant_loss(y, term.function)
    best = constants.constant_loss(y, "bce")
    least = constants.constant_loss(y.reshape(1, -1), "bce")  # each number has its own constant
    return best if least <= SOFT * best else math.nan


def target_of(loss: Any) -> Scale | None:
    """The scale of the targets of a loss on numbers, None for any other and for few rows."""
    try:
        found = terms(loss)
        alone = found[0] if len(found) == 1 and found[0].function in NUMBERS else None
        target = None if alone is None else targets_of(alone)
    except (AttributeError, RuntimeError, TypeError, IndexError):
        return None
    if target is None:
        return None
    low, high = target.aminmax()
    return *target_scale(target), float(low), float(high)


def huber(node: Any, target: Tensor) -> float:
    """The best constant's loss under Huber's loss of any delta d, which is d² times that of delta 1
    on targets over d, or under smooth L1 of beta d, which is d times that."""
    smooth = hasattr(node, "_saved_beta")
    d = float(node._saved_beta if smooth else node._saved_delta)
    some = target[:, :: -(-target.numel() // FEW)]  # columns
    return constants.constant_loss(some / d, "huber") * (d if smooth else d * d)
