"""Walks the autograd graph of a loss, from its root: the functions that the loss adds up, the
targets that they were given, and what stands right before them.

Only names and saved tensors of torch's nodes are read, a few nodes deep; nothing is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "Term", "before", "children", "difference", "factor_of", "leaf", "named", "past_views", "saved",
    "shape", "signed", "terms", "value_of",
]  # fmt: skip

MOST = 64  # nodes between the root and the functions that it adds up
DEEPEST = 12  # of nodes whose result is computed anew
RESHAPED = frozenset({
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0",
    "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0", "CloneBackward0",
    "ToCopyBackward0", "AliasBackward0",
})  # fmt: skip
# Their result holds numbers of their input, and no others.
VIEWS = RESHAPED | {
    "SelectBackward0", "SliceBackward0", "IndexBackward0", "MaskedSelectBackward0", "TBackward0",
    "TransposeBackward0", "PermuteBackward0", "ExpandBackward0", "UnbindBackward0",
    "SplitBackward0", "SplitWithSizesBackward0", "AsStridedBackward0",
}  # fmt: skip
ADDED = ("AddBackward0", "StackBackward0", "CatBackward0")
FACTORS = ("MulBackward0", "MulBackward1", "DivBackward0", "DivBackward1")
MEANS = ("MeanBackward0", "MeanBackward1")
SUMS = ("SumBackward0", "SumBackward1")
LOSSES = {
    "NllLossBackward0": "nll", "NllLoss2DBackward0": "nll",
    "BinaryCrossEntropyBackward0": "bce",
    "BinaryCrossEntropyWithLogitsBackward0": "bce_with_logits", "MseLossBackward0": "mse",
    "SmoothL1LossBackward0": "huber", "HuberLossBackward0": "huber",
}  # fmt: skip
SAVE_RESULT = ("SigmoidBackward0", "TanhBackward0", "ReluBackward0", "SoftmaxBackward0",
               "LogSoftmaxBackward0", "ExpBackward0")  # fmt: skip
NEAR = 1e-3  # how far probabilities may be from adding up to 1


@dataclass(frozen=True, slots=True)
class Term:
    """A ``function`` of outputs and targets that a loss adds up: "nll", "cross_entropy" (an nll of
    a log_softmax), "bce", "bce_with_logits", "mse", "l1", "huber", "kl_div", or "" for anything
    else.

    ``node`` is torch's own node of the function or, if it was written by hand, the one that holds
    its difference or its log-probabilities; ``outputs`` is the node whose result the function
    gets. ``sign`` is 1, -1 for a term that the training makes as large as it can, 0 where not
    known. Its mean or sum enters the loss ``factor`` times for each of its numbers, NaN where each
    counts otherwise.
    """

    function: str
    node: Any
    outputs: Any = None
    sign: int = 1
    factor: float = 1.0
    by_hand: bool = False


def terms(loss: Any) -> list[Term]:
    """The terms of a loss; [] for one that nothing can be said of."""
    root = getattr(loss, "grad_fn", None)
    found: list[Term] = []
    waiting = [] if root is None else [Term("", root)]
    for _ in range(MOST):
        if not waiting:
            return found
        at = waiting.pop()
        known = recognised(at)
        below = () if known is not None else tuple(parts(at))
        waiting.extend(below)
        if known is not None:
            found.append(known)
        elif not below:
            found.append(at)
    return []


def recognised(at: Term) -> Term | None:
    """The term of a loss function whose result is that of the node, None for any other node."""
    node, name = at.node, at.node.name()
    function = LOSSES.get(name)
    if function is not None:
        outputs = children(node)[0]
        if function == "nll" and over_classes(past_views(outputs)):
            function, outputs = "cross_entropy", past_views(outputs)
        return replace(at, function=function, outputs=outputs)
    for written in (squared, absolute, divergence, likelihood):
        term = written(at, name)
        if term is not None:
            return replace(term, by_hand=True)
    return None


def over_classes(node: Any) -> bool:
    """Whether it is a log_softmax over the classes: dimension 1 or, where a view follows, the last
    one."""
    if not named(node, "LogSoftmaxBackward0"):
        return False
    dims = len(shape(node) or ())
    return dims > 0 and signed(node._saved_dim) % dims in (min(1, dims - 1), dims - 1)


def squared(at: Term, name: str) -> Term | None:
    """(p - y)², (p - y) * (p - y) and (p - y).square()."""
    below = children(at.node)
    if name == "MulBackward0":
        first, second = saved(at.node, "self"), saved(at.node, "other")
        if None in below or first is None or second is None or not torch.equal(first, second):
            return None
    elif name != "PowBackward0" or at.node._saved_exponent != 2:
        return None
    return of_difference(at, below[0], "mse")


def absolute(at: Term, name: str) -> Term | None:
    """|p - y|, as torch's own l1_loss is made."""
    return of_difference(at, children(at.node)[0], "l1") if name == "AbsBackward0" else None


def of_difference(at: Term, node: Any, function: str) -> Term | None:
    """A function of a difference to something without a gradient."""
    if not named(node, "SubBackward0") or node._saved_alpha != 1:
        return None
    given = [child for child in children(node) if child is not None]
    return replace(at, function=function, outputs=given[0]) if len(given) == 1 else None


def divergence(at: Term, name: str) -> Term | None:
    """Torch's kl_div: t·log t - t·x or, of targets that are logarithms, t·(log t - x)."""
    below = children(at.node)
    if len(below) != 2 or below[0] is not None or below[1] is None:
        return None
    inner = children(below[1])
    if len(inner) != 2 or inner[0] is not None or inner[1] is None:
        return None
    mul = {("SubBackward0", "MulBackward0"): below[1], ("MulBackward0", "SubBackward0"): at.node}
    product = mul.get((name, below[1].name()))
    if product is None or not probabilities(factor_of(product)):
        return None
    return replace(at, function="kl_div", outputs=inner[1])


def likelihood(at: Term, name: str) -> Term | None:
    """Log-probabilities of the targets, which a loss subtracts: Σ t·log p, log p[rows, y] and
    log p.gather(1, y)."""
    logs: Any = next((c for c in children(at.node) if c is not None), None)
    if not named(logs, "LogSoftmaxBackward0"):
        return None
    axis, dims = signed(logs._saved_dim), len(shape(logs) or ())
    if name == "MulBackward0":
        weights = factor_of(at.node)
        picks = probabilities(weights, axis) and weights.shape == shape(logs)
    elif name == "GatherBackward0":
        picks = signed(at.node._saved_dim) % dims == axis % dims
    elif name == "IndexBackward0":
        indices = saved(at.node, "indices")
        index = indices[axis % dims] if axis % dims < len(indices) else None
        picks = index is not None and index.dtype == torch.int64
    else:
        return None
    found = replace(at, function="cross_entropy", node=at.node, outputs=logs, sign=-at.sign)
    return found if picks else None


def parts(at: Term) -> Iterator[Term]:
    """What a node adds up, with signs and factors; nothing where it does something else."""
    node, name = at.node, at.node.name()
    given = children(node)
    if name in ADDED:
        for child in given:
            if child is not None:
                yield replace(at, node=child)
    elif name == "SubBackward0" and len(given) == 2:
        for child, sign in zip(given, (1, -1), strict=True):
            if child is not None:
                yield replace(at, node=child, sign=sign * at.sign)
    elif name in ("NegBackward0", "RsubBackward1"):
        yield replace(at, node=given[0], sign=-at.sign)
    elif name in MEANS:
        share = math.prod(shape(node) or (1,)) / max(1, node._saved_self_sym_numel)
        yield replace(at, node=given[0], factor=at.factor * share)
    elif name in SUMS or name in VIEWS or name == "MaskedFillBackward0":
        yield replace(at, node=given[0])
    elif name in FACTORS:
        yield from multiplied(at, name, given)


def multiplied(at: Term, name: str, given: tuple[Any, ...]) -> Iterator[Term]:
    """What a node multiplies or divides, if that is no divisor."""
    with_gradient = [child for child in given if child is not None]
    if len(with_gradient) == 1 and (given[0] is not None or name == "MulBackward0"):
        yield scaled(at, name, with_gradient[0])
    elif name == "MulBackward0":  # a weight that is trained
        for child in with_gradient:
            yield replace(at, node=child, sign=0, factor=math.nan)


def scaled(at: Term, name: str, child: Any) -> Term:
    """The term below a node that multiplies or divides by something without a gradient."""
    by = at.node._saved_other if name.endswith("1") else divisor(at.node, name)
    if isinstance(by, Tensor) and by.numel() != 1:
        kept = at.sign if bool((by >= 0).all()) else 0
        return replace(at, node=child, sign=kept, factor=math.nan)
    number = float(by) if by is not None else math.nan
    if not math.isfinite(number) or number == 0:
        return replace(at, node=child, sign=0, factor=math.nan)
    # A reward that is below 0 turns the sign too, and is no mistake; -1 is not a reward.
    sign = at.sign if number > 0 else -at.sign if number == -1 else 0
    size = abs(number) if name.startswith("Mul") else 1 / abs(number)
    return replace(at, node=child, sign=sign, factor=at.factor * size)


def divisor(node: Any, name: str) -> Any:
    return factor_of(node) if name == "MulBackward0" else saved(node, "other")


def factor_of(node: Any) -> Any:
    """The tensor without a gradient that a node multiplies with."""
    other = saved(node, "other")
    return saved(node, "self") if other is None else other


def probabilities(given: Any, axis: int = -1) -> bool:
    """Whether it holds rows that are not below 0 and add up to 1."""
    if not isinstance(given, Tensor) or given.ndim == 0 or given.numel() == 0:
        return False
    if not given.is_floating_point() or given.shape[axis] < 2:
        return False
    sums = given.detach().float().sum(axis)
    return bool((given >= 0).all()) and bool(((sums - 1).abs() < NEAR).all())


# Single nodes.


def children(node: Any) -> tuple[Any, ...]:
    """The nodes whose results a node was made of, None for what needs no gradient."""
    return tuple(child for child, _ in node.next_functions)


def saved(node: Any, name: str) -> Any:
    """A tensor that a node keeps for backward, None where it keeps none.

    Raises:
        UnreadError: if a script's hook brings it back: under checkpointing that would compute a
            part of the network again, and move its running averages.
    """
    kept = getattr(node, f"_raw_saved_{name}", None)
    for each in kept if isinstance(kept, tuple | list) else (kept,):
        if each is not None and not untouched(each, node):
            raise UnreadError(name)
    return getattr(node, f"_saved_{name}")


def untouched(kept: Any, node: Any) -> bool:
    """Whether no hook stands before a kept tensor. Older torch does not tell: then only loss
    functions are read, which stand outside of any part that is computed again."""
    if hasattr(kept, "unpack_hook"):
        return kept.unpack_hook is None
    return node.name() in LOSSES


class UnreadError(RuntimeError):
    """What a node keeps must not be read now."""


def named(node: Any, name: str) -> bool:
    return node is not None and node.name() == name


def signed(dimension: int) -> int:
    """A dimension as it was given: torch's nodes keep -1 as 2⁶⁴ - 1."""
    return dimension - 2**64 if dimension >= 2**63 else dimension


def past_views(node: Any) -> Any:
    """The node that made the numbers: views and copies of it are passed."""
    while node is not None and node.name() in VIEWS:
        node = children(node)[0]
    return node


def before(node: Any) -> Any:
    """The node that made what ``node`` was given first, past views and copies."""
    return past_views(children(node)[0])


def shape(node: Any) -> tuple[int, ...] | None:
    """The shape of a node's first result."""
    kept = getattr(node, "_input_metadata", None)
    return tuple(int(n) for n in kept[0].shape) if kept else None


def difference(term: Term) -> tuple[Any, Tensor] | None:
    """The node p - y of a term written by hand, and its result."""
    node = term.node
    inner = children(node)[0]
    if not named(inner, "SubBackward0"):
        return None
    return inner, saved(node, "self").detach()


def value_of(node: Any, deepest: int = DEEPEST) -> Tensor | None:
    """The result of a node, from what it saved for backward; None where that does not tell."""
    if node is None or deepest == 0:
        return None
    name, size = node.name(), shape(node)
    if name in SAVE_RESULT:
        found: Tensor = saved(node, "result").detach()
        return found
    if name in ("AddmmBackward0", "MmBackward0"):
        return affine(node)
    if name not in VIEWS or size is None:
        return None
    inner = value_of(children(node)[0], deepest - 1)
    if inner is None:
        return None
    if name in RESHAPED:
        return inner.reshape(size)
    if name == "SelectBackward0":
        return inner.select(signed(node._saved_dim), signed(node._saved_index))
    return None


def affine(node: Any) -> Tensor | None:
    """x W of a linear layer, with its bias where it has one."""
    given = children(node)
    x: Tensor | None = saved(node, "mat1" if len(given) == 3 else "self")
    weight: Tensor | None = saved(node, "mat2")
    if weight is None and named(given[-1], "TBackward0"):  # the layer's input needs no gradient
        own = leaf(children(given[-1])[0])
        weight = None if own is None else own.t()
    if x is None or weight is None:
        return None
    if len(given) == 2:
        return x.detach() @ weight.detach()
    bias = leaf(given[0])
    return None if bias is None else torch.addmm(bias.detach(), x.detach(), weight.detach())


def leaf(node: Any) -> Tensor | None:
    """The parameter in which a node leaves gradients."""
    kept = getattr(node, "variable", None)
    return kept if isinstance(kept, Tensor) else None
