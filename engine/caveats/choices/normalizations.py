"""The normalizations that can stand between a layer's weights and its activation."""

from __future__ import annotations

from caveats.choices.base import Choice, Table

__all__ = ["NORMALIZATIONS"]

NORMALIZATIONS: Table[Choice] = Table(
    "normalization",
    Choice(
        "none", "torch.nn:Identity",
        "Nothing between weights and activation.", "Rosenblatt 1958",
    ),
    Choice(
        "batch", "torch.nn:BatchNorm1d",
        "Each unit to mean 0 and variance 1 over the minibatch.", "Ioffe & Szegedy 2015",
    ),
    Choice(
        "layer", "torch.nn:LayerNorm",
        "Each row to mean 0 and variance 1 over the units.", "Ba et al. 2016",
    ),
    Choice(
        "rms", "torch.nn:RMSNorm",
        "Each row to a root mean square of 1 over the units.", "Zhang & Sennrich 2019",
    ),
)  # fmt: skip
