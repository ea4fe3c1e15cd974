"""What holds a network back though its layers and its rate are in order: no activation between the
layers, dropout, weight decay, clipping; and remedies that cannot help are not offered."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from histories import history, severities

from caveats.config import RunConfig
from caveats.data import Dataset
from caveats.facts import LayerFacts, is_linear
from caveats.measuring.yardsticks import linear_reach
from caveats.run import Run
from caveats.verdicts import Verdict, judge
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import pulled


def trained(dataset: Dataset | None = None, **changes: Any) -> Run:
    settings = {key.replace("__", "."): value for key, value in changes.items()}
    run = Run(RunConfig().changed(settings), dataset)
    while not run.finished:
        run.advance()
    return run


def verdict(run: Run, name: str) -> Verdict:
    return next(v for v in judge(run.history) if v.caveat == name)


def evidence(run: Run) -> Evidence:
    made = run.history
    return Evidence(made.snapshot(), len(made) - 1, made.layers, made.facts)


LINEAR: dict[str, Any] = {
    "data__name": "xor", "data__n": 200, "data__standardize": True,
    "network__widths": [16, 16], "network__activation": "identity",
    "network__init": "xavier_normal", "optimizer__name": "adam", "optimizer__lr": 0.01,
    "training__steps": 200, "training__batch_size": 32,
}  # fmt: skip


class TestLinear:
    """Layers without an activation between them are one linear map; no step makes XOR linear."""

    def test_it_is_told_and_the_first_remedy_bends_it(self) -> None:
        run = trained(**LINEAR)
        found = verdict(run, "underfitting")
        assert found.severity != "note"
        assert found.what.startswith("no activation stands between its layers")
        assert not {"step_too_small", "step_too_large", "plateau"} & severities(run.history).keys()
        change = found.next[0].change
        assert change["network.activation"] == "relu"
        cured = Run(run.config.changed(change))
        while not cured.finished:
            cured.advance()
        assert cured.history.snapshot().scalar("accuracy")[-1] > 0.95

    def test_a_line_that_a_linear_map_draws_needs_no_activation(self) -> None:
        blobs = LINEAR | {"data__name": "blobs"}
        assert all(s == "note" for s in severities(trained(**blobs).history).values())

    def test_steps_too_small_are_still_steps_too_small(self) -> None:
        slow = LINEAR | {"data__name": "blobs", "optimizer__name": "sgd", "optimizer__lr": 1e-5}
        assert severities(trained(**slow).history)["step_too_small"] != "note"

    def test_what_counts_as_linear(self) -> None:
        flat = LayerFacts("a", "linear", 4, 2, "identity")
        out = LayerFacts("b", "linear", 1, 4, "sigmoid", output=True)
        assert is_linear((flat, out))
        assert is_linear((replace(flat, normalization="batch"), out))
        assert not is_linear((replace(flat, normalization="layer"), out))  # divides by a size
        assert not is_linear((replace(flat, activation="relu"), out))
        assert not is_linear((replace(flat, activation=None), out))
        assert not is_linear(())

    def test_its_yardstick_is_ridge_regression_refitted_without_each_row(self) -> None:
        rng = np.random.default_rng(5)
        x = rng.normal(size=(40, 3))
        y = x @ [1.0, -2.0, 0.5] + 0.3 * rng.normal(size=40)
        ours = linear_reach(torch.tensor(x), torch.tensor(y[:, None]), "mse")
        z = (x - x.mean(0)) / x.std(0)
        losses = []
        for ridge in (1e-3, 1e-2, 0.1, 1.0):
            off = []
            for row in range(40):
                kept = np.arange(40) != row
                # (w: argmin |t - z·w/√3|² + ridge·|w|², targets around the mean of all rows)
                a, t = z[kept] / math.sqrt(3), y[kept] - y.mean()
                w = np.linalg.solve(a.T @ a + ridge * np.eye(3), a.T @ t)
                off.append(y[row] - y.mean() - z[row] / math.sqrt(3) @ w)
            losses.append(np.mean(np.square(off)))
        assert ours == pytest.approx(min(losses), rel=1e-6)


class TestDropoutAndDecay:
    def test_dropout_of_nine_tenths_is_no_saddle(self) -> None:
        run = trained(
            data__name="sine", network__widths=[32, 32], network__dropout=0.9,
            optimizer__name="adam", optimizer__lr=0.003, training__steps=300,
        )  # fmt: skip
        found = verdict(run, "underfitting")
        assert found.what.startswith("dropout takes 90% of a layer away in every step")
        assert found.next[0].change == {"network.dropout": 0.0}
        assert "plateau" not in severities(run.history)

    def test_where_weight_decay_stops_the_weights_both_forces_are_equal(self) -> None:
        """At a minimum of L + λ‖W‖²/2 the gradient of L is −λW, whatever the network is."""
        run = trained(
            data__name="gaussian_teacher", data__n=64, network__widths=[], optimizer__name="sgd",
            optimizer__lr=0.1, optimizer__weight_decay=0.5, training__batch_size=64,
            training__steps=400,
        )  # fmt: skip
        weights = [p for n, p in run.trainer.network.named_parameters() if n.endswith("weight")]
        run.trainer.network.zero_grad()
        out = run.trainer.network(run.trainer.x)
        loss = torch.nn.functional.cross_entropy(out, run.trainer.y)
        loss.backward()
        for weight in weights:
            assert weight.grad is not None
            torch.testing.assert_close(weight.grad, -0.5 * weight.detach(), rtol=0.01, atol=1e-6)
        assert pulled(evidence(run)) == pytest.approx(1.0, rel=0.02)

    @pytest.mark.parametrize("optimizer", ["adam", "adamw"])
    def test_it_is_named_and_taken_back(self, optimizer: str) -> None:
        decay = 1.0 if optimizer == "adam" else 30.0
        run = trained(
            data__name="sine", network__widths=[32, 32], optimizer__name=optimizer,
            optimizer__lr=0.003, optimizer__weight_decay=decay, training__steps=400,
        )  # fmt: skip
        found = verdict(run, "underfitting")
        assert found.severity != "note"
        assert found.what.startswith("weight decay pulls at the weights")
        assert found.next[0].change == {"optimizer.weight_decay": 0.0}

    def test_a_usual_decay_is_not_blamed(self) -> None:
        run = trained(
            data__name="moons", network__widths=[8], optimizer__name="adam",
            optimizer__lr=1e-5, optimizer__weight_decay=1e-4, training__steps=100,
        )  # fmt: skip
        assert not any("weight decay" in v.what for v in judge(run.history))


def test_steps_that_clipping_made_small_are_too_small() -> None:
    run = trained(
        data__name="blobs", network__widths=[16, 16], optimizer__name="sgd", optimizer__lr=0.1,
        optimizer__clip_norm=1e-4, training__steps=200,
    )  # fmt: skip
    found = verdict(run, "step_too_small")
    assert found.severity != "note"
    assert "; clipping leaves 0.0" in found.what
    assert found.next[0].change == {"optimizer.clip_norm": 0.0}


class TestSentencesAndRemedies:
    def test_nothing_is_lost_of_what_was_never_gained(self) -> None:
        made = history(
            lambda step: 2.3 * math.exp(-step / 20) + 0.01,
            held_out=lambda step: 2.4 + step / 100,
            accuracy=1.0,
            reachable=(0.1, 0.97),
        )
        (found,) = (v for v in judge(made) if v.caveat == "overfitting")
        assert "never below that of a constant" in found.why
        assert "share_given_back" not in found.evidence

    def test_rows_learnt_by_heart_are_a_note_where_new_rows_are_predicted_well(self) -> None:
        def made(end: float) -> dict[str, str]:
            return severities(
                history(
                    lambda step: 2.3 * math.exp(-step / 20) + 0.001,
                    held_out=lambda step: (
                        max(end - 0.01, 2.3 * math.exp(-step / 10)) + 0.01 * min(1, step / 100)
                    ),
                    accuracy=1.0,
                    reachable=(0.1, 0.97),
                )
            )

        assert made(0.5).get("overfitting") in (None, "note")  # gained .82 of what is in reach
        assert made(1.5)["overfitting"] == "warning"  # .36

    def test_a_run_that_overflowed_is_not_offered_more_steps(self) -> None:
        run = trained(
            data__name="sine", network__widths=[16], optimizer__name="sgd", optimizer__lr=1e4,
            training__steps=50,
        )  # fmt: skip
        assert run.divergence is not None
        changes = [dict(r.change) for v in judge(run.history) for r in v.next]
        assert changes
        assert not any(set(change) <= {"training.steps"} for change in changes)

    def test_only_what_frees_the_output_is_offered_where_it_cannot_reach_the_targets(self) -> None:
        run = trained(
            data__name="sine", network__widths=[16], network__output_activation="relu",
            optimizer__name="adam", optimizer__lr=0.005, training__steps=200,
        )  # fmt: skip
        found = verdict(run, "unscaled_data")
        assert found.next
        assert all(r.change.get("network.output_activation") == "none" for r in found.next)
