"""Recognises the activations and normalizations among torch's modules and functions.

The facts of each activation are in `caveats.models.activations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from caveats.facts import Normalization
from caveats.models.activations import ACTIVATIONS, Activation

__all__ = [
    "CLOSING",
    "DIVIDING",
    "DROPOUTS",
    "IDENTITY",
    "MULTIPLICATIONS",
    "NORMALIZERS",
    "SHARES",
    "SHARE_MODULES",
    "SUMS",
    "activation_facts",
    "function_facts",
    "made_by_hand",
    "passes",
]

_FACTS: dict[type[nn.Module], Activation] = {
    type(choice.make()): choice for choice in ACTIVATIONS.values()
}
IDENTITY = ACTIVATIONS["identity"]

# Functions whose arguments after the input are those of a module's constructor.
_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "relu6": nn.ReLU6,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
}
_PLAIN = {"prelu": "prelu", "sin": "sin", "exp": "exp"}
_CLAMPS = ("clamp", "clip", "clamp_min")

# An instance norm is a group norm with one channel in each group.
NORMALIZERS: dict[str, Normalization] = {
    "batch_norm": "batch",
    "layer_norm": "layer",
    "group_norm": "group",
    "instance_norm": "group",
    "rms_norm": "rms",
}

# If an argument of these functions still waits for an activation, so does the result: sums,
# scaling, rearranging units and rows, pooling.
PASSING = frozenset({
    "add", "radd", "iadd", "sub", "rsub", "isub", "neg", "div", "truediv", "rtruediv", "itruediv",
    "mul", "rmul", "imul", "multiply", "view", "reshape", "flatten", "unflatten", "permute",
    "transpose", "t", "swapaxes", "movedim", "squeeze", "unsqueeze", "get", "contiguous", "to",
    "type", "float", "double", "half", "bfloat16", "clone", "detach", "expand", "expand_as",
    "repeat", "getitem", "chunk", "split", "tensor_split", "unbind", "select", "narrow",
    "index_select", "gather", "cat", "concat", "concatenate", "stack", "mean", "sum", "pad",
    "interpolate", "pixel_shuffle", "roll", "flip", "view_as", "reshape_as", "type_as",
    "masked_fill", "setitem", "pad_packed_sequence", "pack_padded_sequence",
})  # fmt: skip
POOLS = ("max_pool", "avg_pool", "adaptive_")
MULTIPLICATIONS = ("mul", "rmul", "imul", "multiply")
DIVIDING = (*MULTIPLICATIONS, "div", "truediv")
SUMS = ("add", "radd", "iadd")
DROPOUTS = frozenset({
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
    "feature_dropout",
})  # fmt: skip
# Functions that use a layer's output without activation: their result has other units.
CLOSING = frozenset({
    "matmul", "rmatmul", "mm", "bmm", "baddbmm", "addmm", "einsum", "softmax", "log_softmax",
    "cross_entropy", "nll_loss", "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh",
    "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell",
})  # fmt: skip

# They turn a row of outputs into shares: the layer before them stays linear, and its outputs are
# the network's if the shares are.
SHARES = ("softmax", "log_softmax")
SHARE_MODULES = (nn.Softmax, nn.LogSoftmax)


def activation_facts(module: nn.Module) -> Activation | None:
    """The facts of a module from `caveats.models.activations`; None if it is not an activation.

    The table has the limits of torch's default settings; here they follow the module's own
    settings.
    """
    facts = _FACTS.get(type(module))
    if facts is None:
        return None
    if isinstance(module, nn.LeakyReLU):
        return ACTIVATIONS["relu"] if module.negative_slope == 0 else facts
    if isinstance(module, nn.Hardtanh) and not isinstance(module, nn.ReLU6):
        if (module.min_val, module.max_val) != facts.flat:
            limits = (float(module.min_val), float(module.max_val))
            return replace(facts, flat=limits, tails=limits)
    elif isinstance(module, nn.Softplus) and module.beta != 1:
        return replace(facts, tails=(facts.tails[0] / module.beta, math.inf))
    elif isinstance(module, nn.CELU) and module.alpha != 1:
        return replace(facts, tails=(facts.tails[0] * module.alpha, math.inf))
    elif isinstance(module, nn.ELU) and module.alpha != 1:
        # The slope is alpha e^z on the left and 1 on the right.
        tail = math.log(0.05 * max(1.0, module.alpha) / module.alpha) if module.alpha else math.inf
        return replace(facts, tails=(min(tail, 0.0), math.inf))
    return facts


def function_facts(
    name: str, rest: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Activation, bool] | None:
    """The facts of a function that torch calls ``name`` (without underscores), and whether it
    writes into its input; None if it is not an activation. ``rest`` and ``named`` are its arguments
    except the input."""
    if name in _PLAIN:
        return ACTIVATIONS[_PLAIN[name]], False
    if name in _CLAMPS:
        facts = clamp_facts(*rest, **named)
        return None if facts is None else (facts, False)
    if name not in _MAKERS:
        return None
    module = _MAKERS[name](*rest, **named)
    facts = activation_facts(module)
    assert facts is not None
    return facts, bool(getattr(module, "inplace", False))


def passes(name: str) -> bool:
    """Whether a layer that waits for an activation still waits after the function ``name``."""
    return name in PASSING or name.startswith(POOLS)


def made_by_hand(z: Tensor, out: Tensor) -> Activation | None:
    """The activation that a product of z with a function of z computes, recognised by its values: z
    times sigmoid(z) is SiLU, z/2 times 1 + tanh(…) is GELU. None if the table does not have it."""
    z, out = z.detach().float(), out.detach().float()
    if z.shape != out.shape:
        return None
    for name, function in _BY_VALUE:
        if torch.allclose(function(z), out, rtol=0.01, atol=1e-3):
            return ACTIVATIONS[name]
    return None


_BY_VALUE: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("silu", functional.silu),
    ("gelu", functional.gelu),
    ("gelu", lambda z: z * torch.sigmoid(1.702 * z)),
    ("mish", functional.mish),
)


def clamp_facts(min: Any = None, max: Any = None) -> Activation | None:
    """The facts of a clamp between numbers: a ReLU, or a hard tanh with these limits."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        return None
    if min == 0 and max is None:
        return ACTIVATIONS["relu"]
    low = -math.inf if min is None else float(min)
    high = math.inf if max is None else float(max)
    return replace(ACTIVATIONS["hard_tanh"], flat=(low, high), tails=(low, high))
