"""The normalizations that can stand between a layer's weights and its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveats.choice import Choice, Table, later

if TYPE_CHECKING:
    from torch import nn
else:
    nn = later("torch.nn")

__all__ = ["NORMALIZATIONS"]

NORMALIZATIONS: Table[Choice] = Table(
    "normalization",
    Choice(
        "none", lambda: nn.Identity,
        "Nothing between weights and activation.", "Rosenblatt 1958",
        aliases=("identity",),
    ),
    Choice(
        "batch", lambda: nn.BatchNorm1d,
        "Each unit to mean 0 and variance 1 over the minibatch.", "Ioffe & Szegedy 2015",
        aliases=("batch_norm", "batch_normalization", "bn"),
    ),
    Choice(
        "layer", lambda: nn.LayerNorm,
        "Each row to mean 0 and variance 1 over the units.", "Ba et al. 2016",
        aliases=("layer_norm", "layer_normalization", "ln"),
    ),
    Choice(
        "rms", lambda: nn.RMSNorm,
        "Each row to a root mean square of 1 over the units.", "Zhang & Sennrich 2019",
        aliases=("rms_norm",),
    ),
)  # fmt: skip
