"""Whether theory applies to a config, and to which layers; it computes nothing.

If theory does not apply, one sentence says why: a prediction whose assumptions fail would mislead.
"""

from __future__ import annotations

from collections.abc import Mapping

from caveats.choice import Value
from caveats.models.initializers import INITIALIZERS
from caveats.models.section import InitConfig, NetworkConfig
from caveats.theory.gram import RandomLayer
from caveats.theory.response import Response

__all__ = ["MIN_WIDTH", "layers_of", "why_not"]

MIN_WIDTH = 20  # below, single networks differ by more than theory's band (Hanin and Nica 2018)


def why_not(network: NetworkConfig) -> str:
    """One sentence on why theory does not apply to such a network when fresh; "" if it does."""
    if network.normalization != "none":
        return f"theory leaves out {network.normalization} normalization: it ties rows or units"
    if network.dropout > 0:
        return "theory leaves out dropout: its masks are not part of the recursion"
    if network.residual:
        return "theory leaves out residual connections"
    if any(width < MIN_WIDTH for width in network.widths):
        return (
            f"theory needs layers of at least {MIN_WIDTH} units: "
            f"in one of {min(network.widths)} chance decides"
        )
    return next(filter(None, map(_unfit, network.layer_inits)), "")


def _unfit(init: InitConfig) -> str:
    """Why theory does not apply to weights drawn so; "" if it does."""
    choice = INITIALIZERS[init.name]
    if choice.sees_data:
        return f"theory needs weights drawn without looking at data: {init.name} looks"
    if choice.variance is None:
        return f"theory needs independent weights of mean 0: {init.name} draws others"
    if _offset(init.options) != 0.0:
        return f"theory needs weights of mean 0: here it is {_offset(init.options):g}"
    if choice.variance(64, 64, init.options) == 0.0:
        return "theory has nothing to say: every weight is 0"
    return ""


def layers_of(network: NetworkConfig, features: int, outputs: int) -> list[RandomLayer]:
    """The layers of a fresh network for which `why_not` has no objection, output layer last."""
    sizes = [features, *network.widths, outputs]
    layers = []
    for fan_in, units, name, init in zip(
        sizes[:-1], sizes[1:], [*network.activations, None], network.layer_inits, strict=True
    ):
        choice = INITIALIZERS[init.name]
        assert choice.variance is not None
        layers.append(
            RandomLayer(
                fan_in,
                units,
                choice.variance(fan_in, units, init.options),
                choice.bias_variance(fan_in),
                0.0 if name is None else network.bias,  # only hidden layers get network.bias
                None if name is None else Response.of(name),
            )
        )
    return layers


def _offset(options: Mapping[str, Value]) -> float:
    """The mean of a uniform initialiser's weights; 0 for all others."""
    low, high = options.get("low", 0.0), options.get("high", 0.0)
    assert isinstance(low, (int, float))
    assert isinstance(high, (int, float))
    return (low + high) / 2
