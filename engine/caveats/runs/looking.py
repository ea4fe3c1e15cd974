"""What a kept run's folder does not hold but lets one compute, for looking only: its data, drawn
anew, and the network of its checkpoint.

Nothing is trained or written, and no file that the folder names is read: it may be a stranger's.
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

__all__ = ["data_of", "network_of"]

LARGEST = 2**28  # bytes: networks over one or two inputs, which can be looked at, are far smaller


def data_of(manifest: Manifest) -> Dataset:
    """The data that a run was trained on, where they are one of the built-in sets.

    Raises:
        ConfigError: one sentence, for a run on a file, and for data that come out otherwise here.
    """
    config = manifest.configured()
    if config.data.file is not None:
        raise ConfigError("its data are a file, which is not read for a run that is only watched")
    data = load(config.data.settings())
    if data.crc32 != manifest.data_crc32:
        raise ConfigError(f"it was trained on other {visible(data.name)} than are drawn here")
    return data


def network_of(folder: Path, data: Dataset) -> tuple[int, nn.Sequential]:
    """The network of the checkpoint in ``folder``, on the CPU and ready to be asked, and the step
    that it is of. No random number is drawn: another run may be training in this process.

    Raises:
        ConfigError: one sentence, for a checkpoint that is missing, damaged, too large to look at
            or of another network than its config's.
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
        network = assemble(saved.config.network, data.features, data.outputs)
    expected = network.state_dict()
    if {n: (t.shape, t.dtype) for n, t in weights.items()} != {
        n: (t.shape, t.dtype) for n, t in expected.items()
    }:
        raise ConfigError(f"{where} does not fit its config: it is of another network")
    network.load_state_dict(weights, assign=True)
    return saved.step, network.eval()
