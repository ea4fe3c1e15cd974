"""Chooses the device on which a network trains: ``auto`` takes the faster of what is there for this
network, by an estimate.

The estimate rests on steps a second measured on one H200 beside 16 CPU cores: of 64×3 with batches
of 64 rows 800 on the GPU as Python makes them, 8,200 as a recorded CUDA graph, 1,800 on the CPU.
Steps made by Python are equally fast up to far larger networks, and the CPU wins over them only
below 256×3 with batches of 256 rows; it never won over a graph. Apple's GPU has not been measured;
its steps are made by Python too.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from caveats.errors import ConfigError
from caveats.training.captured import why_not_recorded

__all__ = ["Chosen", "choose_device"]

# Weights times rows of a batch from which on a GPU wins although Python makes its steps: 256×3 on
# 64 features, 256 rows.
LARGE = 256 * (64 * 256 + 2 * 256 * 256)


class Chosen(NamedTuple):
    """A device, and in a few words why ``auto`` has taken it; "" for one that was asked for."""

    device: torch.device
    why: str = ""


def choose_device(name: str, products: float, dropout: float = 0.0, single: bool = True) -> Chosen:
    """The device that a config names. ``products`` are the weights of all networks that train
    together, times the rows of a batch; the steps of a ``single`` network may be recorded.

    Raises:
        ConfigError: for a device that this machine does not have.
    """
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return fastest(torch.device("cuda:0" if cuda else "mps" if mps else "cpu"),
                       products, dropout, single)  # fmt: skip
    kind, _, number = name.partition(":")
    here = ["auto", "cpu", *(f"cuda:{i}" for i in range(cuda)), *(["mps"] if mps else [])]
    # Compare the number as written: torch keeps it in eight bits, so cuda:256 would be cuda:0.
    found = {"cpu": True, "cuda": int(number or 0) < cuda, "mps": mps}[kind]
    if not found:
        raise ConfigError(
            f"training.device = {name!r} is not on this machine: valid are {', '.join(here)}"
        )
    return Chosen(torch.device(name))


def fastest(first: torch.device, products: float, dropout: float, single: bool) -> Chosen:
    """The ``first`` GPU or the CPU."""
    if first.type == "cpu":
        return Chosen(first, "there is no GPU")
    if single and not why_not_recorded(first, dropout):
        return Chosen(first, "its recorded steps are faster")
    if products >= LARGE:
        return Chosen(first, "large enough for a GPU")
    return Chosen(torch.device("cpu"), "too small for a GPU")
