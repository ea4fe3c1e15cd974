"""The residuals of every loss behind every output activation, against torch's own gradients; and
what theory then says of whole networks, against networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from caveats.config import RunConfig
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.run import Run
from caveats.theory import predict
from caveats.theory.residuals import residuals
from caveats.training.losses import LOSSES
from caveats.training.objective import Objective


@pytest.mark.parametrize("behind", list(OUTPUT_ACTIVATIONS))
@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        *((name, 3) for name in LOSSES if name != "auto"),
        *((name, 1) for name in LOSSES if name not in ("auto", "cross_entropy")),
    ],
)
def test_residuals_are_torchs_gradients(loss: str, behind: str, outputs: int) -> None:
    rng = np.random.default_rng(0)
    rows = 6
    half = rng.normal(size=(rows, rows))
    cov = half @ half.T
    y = rng.integers(0, 2 if outputs == 1 else outputs, rows)
    target = y[:, None].astype(float) if outputs == 1 else np.eye(outputs)[y]
    weights = rng.uniform(0.5, 2, rows)
    sizes = np.exp(0.1 * rng.normal(size=(5, rows)))
    plain = residuals(cov, 0.0, target, "mse", sizes)
    z = plain.values * outputs / 2 + target  # the draws are the same for every loss
    found = residuals(cov, 0.0, target, loss, sizes, behind=behind, weights=weights)

    choice = OUTPUT_ACTIVATIONS[behind]
    objective = Objective(loss, max(2, outputs), probabilities=choice.probabilities)
    for sample in range(len(sizes)):
        logits = torch.tensor(z[sample], requires_grad=True)
        answers = choice.make()(logits)
        total = sum(
            weights[row] * objective(answers[row : row + 1], torch.tensor(y[row : row + 1]))
            for row in range(rows)
        )
        (expected,) = torch.autograd.grad(total, logits)
        assert np.allclose(found.values[sample], expected.numpy(), atol=1e-9)
        pull = (expected.numpy() * z[sample]).sum(1)
        assert np.allclose(found.pull[sample], pull, atol=1e-8)


@pytest.mark.parametrize(
    "changes",
    [
        {"training.loss": "bce", "data.name": "moons"},
        {"training.loss": "bce"},
        {"training.loss": "l1"},
        {"training.loss": "huber", "network.output_activation": "sigmoid"},
        {"network.output_activation": "softmax"},
        {"network.output_activation": "tanh", "training.loss": "mse"},
        {"data.name": "moons", "data.n": 400, "training.class_weight": "balanced"},
        {"network.init": ["he_normal", "xavier_normal", "he_normal", "lecun_normal", "xavier"]},
    ],
    ids=str,
)
def test_predictions_hold_for_networks(changes: dict[str, Any]) -> None:
    config = RunConfig().changed({"network.widths": [100] * 4, "training.steps": 1, **changes})
    norms, deltas = [], []
    data = None
    for seed in range(6):
        run = Run(config.changed({"training.seed": seed}), data)
        data = run.dataset
        first = run.history.snapshot()
        norms.append(np.log10(first.layers("grad_norm")[0]))
        deltas.append(np.log10(first.layers("delta_rms")[0]))
    found = predict(config, run.probe.x.numpy(), run.probe.y.numpy(), run.trainer.outputs)
    assert found.grad_norm is not None
    assert found.delta_rms is not None
    assert np.abs(np.log10(found.grad_norm) - np.mean(norms, 0)).max() <= 0.15
    assert np.abs(np.log10(found.delta_rms) - np.mean(deltas, 0)).max() <= 0.15
