"""A kept run's weights, probe set and measures as plain arrays, from which anyone can compute the
measures again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from caveats.models.mlp import linears
from caveats.runs.export import written
from caveats.runs.resuming import restore

__all__ = ["arrays", "to_npz"]


def to_npz(folder: Path, out: Path) -> None:
    """`arrays` of the checkpoint, compressed."""
    found = arrays(folder)
    with written(out, binary=True) as file:
        np.savez_compressed(file, **found)


def arrays(folder: Path) -> dict[str, Any]:
    """All that is needed to compute a run's measures again, at its checkpoint.

    ``probe_x`` (rows, features) and ``probe_y`` (rows,) or (rows, targets); ``w0``, ``b0``, ``w1``
    ... (units, fan_in) and (units,) of the linear layers; every other parameter and buffer under
    its name in torch; ``step``; ``layers``, ``activations`` and ``loss_function`` by name;
    ``loss`` and ``accuracy``; and each measure of `caveats.measures` as (layers,), measured with
    exactly these weights. ``update_ratio`` belongs to the step before, so it comes from the log.

    Raises:
        ConfigError: as `caveats.runs.resuming.restore`.
    """
    run = restore(folder)
    network = run.trainer.network
    snapshot = run.history.snapshot()
    measured = run.probe.measure(deep=True)
    measured.layers["confirmed_dead"][:] = run.probe.confirm(run.trainer.x)
    if len(snapshot) and snapshot.steps[-1] == run.step:
        for name in ("update_ratio", "silent"):
            measured.layers[name][:] = snapshot.layers(name)[-1]
    found: dict[str, Any] = {
        "probe_x": run.probe.x.cpu().numpy(),
        "probe_y": run.probe.y.cpu().numpy(),
        "step": np.int64(run.step),
        "layers": np.array(run.history.layers),
        "activations": np.array(run.config.network.activations),
        "loss_function": np.array(run.trainer.loss_function.loss),
        "loss": np.float64(measured.loss),
        "accuracy": np.float64(measured.accuracy),
        **measured.layers,
    }
    named = set()
    for index, linear in enumerate(linears(network)):
        named |= {linear.weight.data_ptr(), linear.bias.data_ptr()}
        found[f"w{index}"] = linear.weight.detach().cpu().numpy()
        found[f"b{index}"] = linear.bias.detach().cpu().numpy()
    for name, tensor in network.state_dict(keep_vars=True).items():
        if tensor.data_ptr() not in named:
            found[name] = tensor.detach().cpu().numpy()
    return found
