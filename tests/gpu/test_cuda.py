"""The engine on a GPU. Skipped without one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from caveats.config import RunConfig
from caveats.experiments import experiments
from caveats.measuring.probe import Probe
from caveats.run import Run
from caveats.verdicts import judge

sys.path.insert(0, str(Path(__file__).parents[1] / "engine/measuring"))
import networks

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

CONFIG = RunConfig.from_dict(
    {
        "network": {"widths": [64, 64, 64]},
        "optimizer": {"name": "adam", "lr": 0.003},
        "training": {"steps": 200, "device": "cuda"},
    }
)


def weights(run: Run) -> list[torch.Tensor]:
    return [p.detach().cpu().clone() for p in run.trainer.network.parameters()]


def test_auto_takes_the_gpu_and_the_device_is_shown():
    run = Run(CONFIG.changed({"training.device": "auto"}), every=100)
    assert run.trainer.device.type == "cuda"
    assert next(run.trainer.network.parameters()).is_cuda


def test_the_gpu_learns_what_the_cpu_learns():
    run = Run(CONFIG, every=100)
    while not run.finished:
        run.advance()
    assert run.history.snapshot().scalar("accuracy")[-1] > 0.95


def test_a_probe_on_the_gpu_agrees_with_one_on_the_cpu_about_the_same_weights():
    run = Run(CONFIG, every=100)
    on_gpu = run.probe.measure()
    copy = run.trainer.network.cpu()
    on_cpu = Probe(copy, run.trainer.loss_function, run.probe.x.cpu(), run.probe.y.cpu()).measure()
    for name in ("grad_norm", "delta_rms", "weight_norm", "activation_std"):
        assert on_gpu.layers[name] == pytest.approx(on_cpu.layers[name], rel=1e-3), name
    assert (on_gpu.layers["dead"] == on_cpu.layers["dead"]).all()


def test_probing_leaves_weights_and_generators_on_the_gpu_as_they_were():
    watched = Run(CONFIG.changed({"network.dropout": 0.2}), every=1)
    alone = Run(CONFIG.changed({"network.dropout": 0.2}), every=10_000)
    for run in (watched, alone):
        for _ in range(50):
            run.advance()
    assert all(map(torch.equal, weights(watched), weights(alone)))
    state = torch.cuda.get_rng_state()
    watched.probe.measure()
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_a_training_step_never_waits_for_the_gpu():
    trainer = Run(CONFIG, every=10_000).trainer
    trainer.train_step()  # Adam makes its state in the first step
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(10):  # within one epoch: a new order of rows is copied between epochs
            trainer.train_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_regression_is_measured_on_the_gpu() -> None:
    run = Run(CONFIG.changed({"data.name": "abs", "training.loss": "mse"}), every=1)
    run.advance()
    assert run.probe.measure().loss > 0


def flagged(name: str, device: str) -> dict[str, str]:
    """The caveats of an experiment when it ends, each with its severity. Measured at steps that
    the clock does not choose, so that both devices judge the same ones."""
    config = experiments()[name].config.changed({"training.device": device})
    run = Run(config, every=max(1, config.training.steps // 60))
    while not run.finished:
        run.advance()
    return {verdict.caveat: verdict.severity for verdict in judge(run.history)}


@pytest.mark.parametrize("name", sorted(experiments()))
def test_an_experiment_gets_the_verdicts_that_it_gets_on_the_cpu(name: str) -> None:
    assert flagged(name, "cuda") == flagged(name, "cpu")


@pytest.mark.parametrize("kind", networks.KINDS)
def test_any_kind_of_network_is_measured_on_the_gpu_as_on_the_cpu(kind: str) -> None:
    torch.manual_seed(0)
    make, (x, y) = networks.KINDS[kind]
    network = make()
    on_cpu = Probe(network, torch.nn.functional.cross_entropy, x, y).measure()
    network.cuda()
    state = torch.cuda.get_rng_state()
    on_gpu = Probe(network, torch.nn.functional.cross_entropy, x.cuda(), y.cuda()).measure()
    assert torch.equal(torch.cuda.get_rng_state(), state)
    for name in ("grad_norm", "delta_rms", "weight_norm", "activation_std"):
        assert on_gpu.layers[name] == pytest.approx(on_cpu.layers[name], rel=1e-2), name
    assert on_gpu.layers["distinct"].tolist() == on_cpu.layers["distinct"].tolist()
