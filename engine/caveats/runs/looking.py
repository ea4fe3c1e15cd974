"""Restores a kept run's data and the network of its checkpoint, only to look at them.

It trains and writes nothing. It reads no data file that the folder names, because the folder may
come from elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from caveats.data import Dataset, load
from caveats.errors import ConfigError, visible
from caveats.models.mlp import assemble
from caveats.runs import checkpoint
from caveats.runs.manifest import Manifest
from caveats.training.losses import output_units

__all__ = ["data_of", "network_of"]

LARGEST = 2**28  # bytes; networks over one or two inputs, all that is shown, are far smaller


def data_of(manifest: Manifest) -> Dataset:
    """The data that a run was trained on, if they are one of the built-in sets.

    Raises:
        ConfigError: one sentence, if the data are a file, or if this machine draws different data.
    """
    config = manifest.configured()
    if config.data.file is not None:
        raise ConfigError("its data are a file, which is not read for a run that is only watched")
    data = load(config.data.settings(), config.training.seed)
    if data.crc32 != manifest.data_crc32:
        raise ConfigError(f"it was trained on other {visible(data.name)} than are drawn here")
    return data


def network_of(folder: Path, data: Dataset) -> tuple[int, nn.Sequential]:
    """The step of the checkpoint in ``folder``, and its network, on the CPU and ready to use. No
    random number is drawn, because another run may be training in this process.

    Raises:
        ConfigError: one sentence, if the checkpoint is missing, damaged, too large, or does not
            match its config.
    """
    saved = checkpoint.read(folder, LARGEST)
    where = visible(folder / checkpoint.CHECKPOINT)
    begin = f"{checkpoint.TRAINER}network/"
    weights = {
        name.removeprefix(begin): tensor
        for name, tensor in saved.tensors.items()
        if name.startswith(begin)
    }
    with torch.device("meta"):
        units = output_units(saved.config.training.loss, data.classes, data.outputs)
        network = assemble(saved.config.network, data.features, units)
    expected = network.state_dict()
    if {n: (t.shape, t.dtype) for n, t in weights.items()} != {
        n: (t.shape, t.dtype) for n, t in expected.items()
    }:
        raise ConfigError(f"{where} does not fit its config: it is of another network")
    network.load_state_dict(weights, assign=True)
    return saved.step, network.eval()
