"""Where a loss that is no finite number was born: the first function from the root of its graph
that made no finite number of numbers that were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from caveats.history import Event
from caveats.watching.graph import saved
from caveats.watching.untrained import leaves

__all__ = ["SLOPE", "UNDEFINED", "birth", "broken"]

UNDEFINED = "undefined"  # the kind of the event
MOST = 4096  # nodes that are looked at
SLOPE = "the gradient of the step before was not finite, though its loss was"
# By the node of torch: what has an infinite slope at a number that it gives a finite result for.
STEEP = {
    "SqrtBackward0": ("a square root, at 0", "torch.sqrt(x + 1e-8)"),
    "PowBackward0": ("a power below 1, at 0", "(x + 1e-8).pow(a)"),
    "AcosBackward0": ("acos, at -1 and 1", "x.clamp(-1 + 1e-6, 1 - 1e-6)"),
    "AsinBackward0": ("asin, at -1 and 1", "x.clamp(-1 + 1e-6, 1 - 1e-6)"),
    "Atan2Backward0": ("atan2, at (0, 0)", "torch.atan2(y, x + 1e-8)"),
    "WhereBackward0": (
        "torch.where, which multiplies the gradient of what it leaves out by 0",
        "clamp what goes into the function inside it too",
    ),
}
# By the node of torch: which of the numbers that it kept are a birth, and what to call them.
POLES: dict[str, tuple[str, Callable[[Tensor], Tensor], str, str]] = {
    "LogBackward0": ("self", lambda x: x <= 0, "a logarithm of 0 or less", "log"),
    "Log2Backward0": ("self", lambda x: x <= 0, "a logarithm of 0 or less", "log"),
    "Log10Backward0": ("self", lambda x: x <= 0, "a logarithm of 0 or less", "log"),
    "Log1PBackward0": ("self", lambda x: x <= -1, "a logarithm of 0 or less", "log"),
    "DivBackward0": ("other", lambda x: x == 0, "a division by 0", "divide"),
    "ReciprocalBackward0": ("result", Tensor.isinf, "a division by 0", "divide"),
    "RsqrtBackward0": ("result", Tensor.isinf, "a division by 0", "divide"),
    "SqrtBackward0": ("result", Tensor.isnan, "a root of a number below 0", "root"),
    "ExpBackward0": ("result", Tensor.isinf, "an exponential too large for its type", "exp"),
}
CURES = {
    "log": "use log_softmax, logsigmoid or binary_cross_entropy_with_logits, or add 1e-8 inside",
    "divide": "add 1e-8 to what it is divided by",
    "root": "clamp it to 0 or more",
    "exp": "subtract the largest before (logsumexp, softmax), or clamp it",
}


def birth(root: Any) -> str:
    """One sentence, "" where the graph does not tell."""
    start = getattr(root, "grad_fn", None)
    try:
        if any(not bool(leaf.isfinite().all()) for leaf in leaves(root)):
            return steep(start)  # the weights were so before: a gradient made them so
        found = [said for node in nodes(start) if (said := at_a_pole(node))]
    except (AttributeError, RuntimeError, TypeError):  # freed, or overwritten since
        return ""
    return found[-1] if found else ""  # the earliest: what follows from it lies above


def broken(step: int, born: str | None) -> Iterator[Event]:
    """The events of the first loss that is not finite, with what `birth` found."""
    yield Event(step, "diverged", "the loss of a minibatch")
    if born:
        yield Event(step, UNDEFINED, born, {"slope": born.startswith(SLOPE)})


def nodes(start: Any) -> Iterator[Any]:
    """The nodes of a graph, those nearest to its root first."""
    waiting, seen = [start] if start is not None else [], {start}
    for node in waiting:
        if len(seen) > MOST:
            return
        yield node
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                waiting.append(child)


def steep(start: Any) -> str:
    """What in a graph may have made a gradient that is not finite; "" where there is no such
    function."""
    found = [node.name() for node in nodes(start) if node.name() in STEEP and bends(node)]
    if not found:
        return ""
    name, cure = STEEP[found[-1]]
    return f"{SLOPE}: the slope is infinite in {name}: {cure}"


def bends(node: Any) -> bool:
    """Whether it is no power with a slope that is finite everywhere."""
    return node.name() != "PowBackward0" or 0 < float(node._saved_exponent) < 1


def at_a_pole(node: Any) -> str:
    kept, wrong, name, cure = POLES.get(node.name(), ("", Tensor.isnan, "", ""))
    numbers = saved(node, kept) if kept else None
    if not isinstance(numbers, Tensor):
        return ""
    count = int(wrong(numbers.detach()).sum())
    if not count:
        return ""
    return f"{name}, {count} times in {numbers.numel()} numbers: {CURES[cure]}"
