"""Each published rule fires on the smallest made-up series that it describes, and only there; and a
real training of a sound two-layer network gives the numbers that the rules read."""

import math

import pytest
import torch
from benchmarks.verdict_suite import rival_runs
from benchmarks.verdict_suite.rivals import (
    RIVALS,
    Epoch,
    Finding,
    Output,
    Watched,
    autotrainer,
    deepdiagnosis,
    torchmortem,
)

from caveats.config import RunConfig
from caveats.data import load
from caveats.training.trainer import Trainer

EPOCHS = 30


def series(accuracies=None, losses=None, **changes):
    """A sound training: accuracy rises from .50 to .95, loss falls, and all else is normal."""
    sound = {
        "finite": True, "zeros": 0.3, "grad_norm": [0.5, 1.0], "grad_size": [1e-3, 1e-3],
    }  # fmt: skip
    epochs = []
    accuracies = accuracies or [min(0.95, 0.5 + 0.03 * i) for i in range(EPOCHS)]
    for i in range(EPOCHS):
        moves = {
            "loss": losses[i] if losses else 1 / (i + 1),
            "accuracy": accuracies[i],
            "before": accuracies[max(0, i - 1)],
            "grad_mean": [1e-3 / (i + 1), 2e-3 / (i + 1)],
            "weight_mean": [0.1 + i / 100, 0.2 + i / 100],
            "outputs": [
                Output("Linear", 0.1 + i / 100, 0.5, 0.0),
                Output("ReLU", 0.3 + i / 100, 0.5, 0.0),
                Output("Linear", 0.2 + i / 100, 0.5, 0.0),
            ],
        }
        epochs.append(Epoch(**{**sound, **moves, **changes}))
    return epochs


FLAT = [0.3] * EPOCHS
LOW = [0.3 + 0.005 * i for i in range(EPOCHS)]  # never .6, and no rise of .01 either


def test_a_sound_series_is_flagged_by_nobody():
    assert autotrainer(series()) == set()
    assert deepdiagnosis(series()) == set()


@pytest.mark.parametrize(
    ("epochs", "symptom"),
    [
        (series(LOW, zeros=0.7), "relu"),
        (series(LOW, grad_norm=[71.0, 1.0]), "explode"),
        (series(LOW, grad_norm=[0.99e-4, 0.1]), "vanish"),
        (series(LOW), "slow"),
        (series(losses=[1.0] * 9 + [math.nan] * 21), "explode"),
        (series(losses=[1e5] * EPOCHS), "explode"),
        (series(finite=False), "explode"),
        (series([0.5, 0.5, 0.9, 0.9] * 8), "unstable"),
    ],
)
def test_autotrainer_names(epochs, symptom):
    assert autotrainer(epochs) == {symptom}


@pytest.mark.parametrize(
    "epochs",
    [
        series(zeros=0.9),  # the accuracy is fine: nothing is searched
        series(LOW[:8] + [0.9] * 22),
        series(LOW[:8] + [0.62] * 22, grad_norm=[1e-5, 1.0]),  # searched only below .6 or at rest
        series([0.7, 0.7, 0.72, 0.72] * 8),  # swings below .03
        series([math.nan] * EPOCHS, zeros=0.9),  # a regression
    ],
)
def test_autotrainer_is_silent(epochs):
    assert autotrainer(epochs) == set()


def test_autotrainer_waits_for_thirty_percent():
    """The same flat accuracies, then a cure: said when they last to the first look after 30 %."""
    assert autotrainer(series([0.3] * 9 + [0.95] * 21)) == set()
    assert autotrainer(series([0.3] * 10 + [0.95] * 20)) == {"slow"}


def test_autotrainer_vanishing_needs_ratio_and_norm():
    assert autotrainer(series(LOW, grad_norm=[1.01e-4, 1.0])) == {"slow"}
    assert autotrainer(series(LOW, grad_norm=[1e-5, 1e-3])) == {"slow"}


def outputs(**changed):
    return [
        Output("Linear", 0.1, 0.5, 0.0)._replace(**changed.get("linear", {})),
        Output("ReLU", 0.3, 0.5, 0.0)._replace(**changed.get("act", {})),
        Output("Linear", 0.2, 0.5, 0.0),
    ]


@pytest.mark.parametrize(
    ("epochs", "symptom"),
    [
        (series(outputs=outputs(linear={"mean": math.nan})), "numerical error"),
        (series(outputs=outputs(act={"mean": 0.0})), "zero output of a ReLU"),
        (series(outputs=outputs(act={"kind": "Tanh", "far": 0.51})), "saturated activation"),
        (series(stretch=10.5), "out of range"),
        (series(losses=[1.0] * EPOCHS), "loss not decreasing"),
        (series(accuracies=FLAT), "accuracy not increasing"),
        (series(accuracies=[0.0] * EPOCHS), "invalid accuracy"),
        (series(losses=[math.inf] * EPOCHS), "numerical error"),
        (series(grad_size=[0.99e-7, 1.0]), "vanishing gradient"),
        (series(grad_mean=[0.0, 1.0]), "zero gradient"),
        (series(weight_mean=[0.1, 0.0]), "zero weights"),
        (series(weight_mean=[0.1, 0.2]), "unchanged tensor"),
        (series(outputs=outputs()), "unchanged tensor"),
    ],
)
def test_deepdiagnosis_names(epochs, symptom):
    assert deepdiagnosis(epochs) == {symptom}


def test_deepdiagnosis_counts_dead_nodes_at_the_last_epoch_alone():
    early, late = series(), series()
    idle = [o._replace(idle=0.7) for o in early[0].outputs]
    early[28] = early[28]._replace(outputs=idle)
    late[29] = late[29]._replace(outputs=idle)
    assert deepdiagnosis(early) == set()
    assert deepdiagnosis(late) == {"dead node"}


def test_deepdiagnosis_looks_at_saturation_every_fifth_epoch():
    epochs = series()
    far = [o._replace(kind="Sigmoid", far=0.9) for o in epochs[0].outputs]
    assert deepdiagnosis([*epochs[:5], epochs[5]._replace(outputs=far), *epochs[6:]]) == set()
    assert deepdiagnosis([*epochs[:4], epochs[4]._replace(outputs=far), *epochs[5:]]) == {
        "saturated activation"
    }


@pytest.mark.parametrize("sound", range(7))
def test_a_training_that_breaks_at_any_epoch_is_an_explosion(sound):
    epochs = [*series()[:sound], *[rival_runs.BROKEN] * (EPOCHS - sound)]
    assert autotrainer(epochs) == {"explode"}
    assert deepdiagnosis(epochs) == {"numerical error"}


def test_torchmortem_counts_warnings_by_what_they_are():
    findings = [
        Finding("INFO", "loss_dynamics", "Edge of stability regime detected"),
        Finding("WARNING", "gradient_flow", "Gradient stalling in 0.linear"),
        Finding("CRITICAL", "update_ratio", "Update ratio too high in 1"),
        Finding("WARNING", "rank_collapse", "Rank collapse in 0.linear"),
    ]
    flags = RIVALS["torchmortem 0.1.1"].flags(Watched([], findings))
    assert flags == {"vanishing_gradient", "step_too_large", "other"}
    assert torchmortem([]) == set()
    assert torchmortem(None) is None


SOUND = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 200},
        "network": {"widths": [16, 16], "activation": "relu", "init": "he_normal"},
        "optimizer": {"name": "adam", "lr": 0.01},
        "training": {"steps": 300, "batch_size": 32, "seed": 0, "device": "cpu"},
    }
)


def test_a_sound_network_is_watched_without_being_changed(monkeypatch):
    monkeypatch.setattr(rival_runs, "has_torchmortem", lambda: False)
    trainers = []

    class Kept(Trainer):
        def __init__(self, *given):
            super().__init__(*given)
            trainers.append(self)

    monkeypatch.setattr(rival_runs, "Trainer", Kept)
    seen = rival_runs.watch(SOUND)
    assert seen.findings is None
    assert len(seen.epochs) == rival_runs.EPOCHS

    alone = Trainer(SOUND, load(SOUND.data.settings()))
    while alone.step < 300:
        alone.train_step()
    for mine, theirs in zip(alone.network.parameters(), trainers[0].network.parameters(),
                            strict=True):  # fmt: skip
        assert torch.equal(mine, theirs)

    # The last look once more, by plain means.
    last = seen.epochs[-1]
    x, y = alone.x[:32], alone.y[:32]
    alone.network.zero_grad()
    alone.loss_function(alone.network(x), y).backward()
    grads = [p.grad for p in alone.network.parameters()]
    assert last.zeros == pytest.approx(
        sum(int((g == 0).sum()) for g in grads) / sum(g.numel() for g in grads)
    )
    assert last.grad_norm == pytest.approx([float(g.norm()) for g in grads[::2]], rel=1e-5)
    relu = torch.relu(alone.network[0].linear(x))
    assert [o.kind for o in last.outputs] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert last.outputs[1].idle == pytest.approx(float((relu <= 0).double().mean()))
    means = [float(g.mean()) for g in grads[:-2:2]]
    # Softmax: whatever the network, the last one is 0 but for rounding, and its size stands there.
    assert last.grad_mean == pytest.approx([*means, float(grads[-2].abs().mean())], rel=1e-4)
    assert abs(float(grads[-2].mean())) < 1e-8
    assert last.before == seen.epochs[-2].accuracy
    assert last.accuracy > 0.9
    assert autotrainer(seen.epochs) == set()
    assert deepdiagnosis(seen.epochs) == set()


def test_what_was_watched_is_kept_and_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(rival_runs, "has_torchmortem", lambda: False)
    config = SOUND.changed({"training.steps": 60})
    first = rival_runs.watched(config, tmp_path)
    monkeypatch.setattr(rival_runs, "watch", lambda config: pytest.fail("trained again"))
    again = rival_runs.watched(config, tmp_path)
    assert repr(again.epochs) == repr(first.epochs)
    monkeypatch.setattr(rival_runs, "has_torchmortem", lambda: True)
    monkeypatch.setattr(rival_runs, "watch", lambda config: Watched([], []))
    assert rival_runs.watched(config, tmp_path).findings == []  # installed since: watched again


def test_a_diverging_training_is_filled_up_with_what_is_not_finite(monkeypatch):
    monkeypatch.setattr(rival_runs, "has_torchmortem", lambda: False)
    seen = rival_runs.watch(
        SOUND.changed({"optimizer.name": "sgd", "optimizer.lr": 1e20, "training.steps": 60})
    )
    assert len(seen.epochs) == rival_runs.EPOCHS
    assert autotrainer(seen.epochs) == {"explode"}
    assert deepdiagnosis(seen.epochs) == {"numerical error"}


def test_means_that_layer_normalization_cancels_are_no_zero_gradients(monkeypatch):
    monkeypatch.setattr(rival_runs, "has_torchmortem", lambda: False)
    trainer = Trainer(
        SOUND.changed({"network.normalization": "layer"}), load(SOUND.data.settings())
    )
    seen = rival_runs.epoch(trainer, 0.5)
    trainer.loss_function(trainer.network(trainer.x), trainer.y).backward()
    first = trainer.network[0].linear.weight.grad
    assert abs(float(first.mean())) < 1e-6 * float(first.abs().mean())
    assert seen.grad_mean == seen.grad_size


@pytest.mark.filterwarnings("ignore")
def test_torchmortem_itself_watches_the_same_training():
    if not rival_runs.has_torchmortem():
        pytest.skip("pip install torchmortem==0.1.1")
    seen = rival_runs.watch(SOUND.changed({"network.init": "zeros", "optimizer.name": "sgd"}))
    # All outputs of the hidden layers are 0, which it calls dead in so many words.
    assert "dead_units" in torchmortem(seen.findings)
