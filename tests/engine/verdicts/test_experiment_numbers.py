"""Numbers in the sentences and lessons of experiments, computed: none is only said."""

from __future__ import annotations

import re

import numpy as np
import pytest

from caveats.experiments import find
from caveats.history import Snapshot
from caveats.run import Run


def after(name: str, steps: int) -> tuple[Run, Snapshot]:
    """The experiment's records of steps 0 to ``steps``."""
    run = Run(find(name).config, every=1)
    while run.step < steps and not run.finished:
        run.advance()
    return run, run.history.snapshot()


def says(name: str, words: str) -> None:
    """Guard: the text still says what the test computes."""
    experiment = find(name)
    assert re.search(words, f"{experiment.sentence} {experiment.lesson}"), words


def share_born_dead(width: int, networks: int, seed: int) -> float:
    """How often one of ten ReLU layers of this width, He's weights and biases of 0, is silent for
    every number: below and above 0, since such a network is linear on either side."""
    rng = np.random.default_rng(seed)
    h = np.broadcast_to(np.array([[-1.0], [1.0]]), (networks, 2, 1))
    dead = np.zeros(networks, bool)
    for _ in range(10):
        fan_in = h.shape[2]
        weights = rng.normal(0, np.sqrt(2 / fan_in), (networks, fan_in, width))
        h = np.maximum(h @ weights, 0)
        dead |= ~h.any(axis=(1, 2))
    return float(dead.mean())


def test_how_many_narrow_networks_are_born_dead() -> None:
    says("born_dead", "nine in ten such networks")
    says("born_dead", "width 10 this happens in one network of six hundred")
    assert share_born_dead(2, 4000, 0) == pytest.approx(0.9, abs=0.025)
    assert 1 / 1000 < share_born_dead(10, 30_000, 1) < 1 / 400


def test_a_bias_of_minus_three_kills_before_the_first_step() -> None:
    says("born_with_bias", "most units of layer 1 and all of layer 2 are born dead")
    says("born_with_bias", "the first layer's gradient is exactly 0")
    _, seen = after("born_with_bias", 0)
    first, second = seen.layers("dead")[0, :2] / seen.layers("units")[0, :2]
    assert 0.5 < first < 1
    assert second == 1
    assert seen.layers("grad_norm")[0, 0] == 0


def test_raw_pixels_make_large_gradients() -> None:
    says("raw_pixels", "over ten times as large as with standardized inputs")
    says("raw_pixels", "hundreds of times after one step")
    _, raw = after("raw_pixels", 1)
    run = Run(find("raw_pixels").cured, every=1)
    while run.step < 1:
        run.advance()
    scaled = run.history.snapshot()
    ratio = raw.layers("grad_norm")[:2] / scaled.layers("grad_norm")[:2]
    assert (ratio[0] > 10).all()
    assert (ratio[0] < 20).all()
    assert (ratio[1] > 200).all()


@pytest.mark.parametrize(
    ("name", "words", "low", "high"),
    [
        ("sigmoid_staircase", "less than a thousandth", 0.0, 1e-3),
        ("default_that_vanishes", r"about 10⁻⁸", 3e-9, 3e-8),
        ("he_2015", r"3·10⁻⁵", 0.5e-5, 6e-5),
    ],
)
def test_how_little_reaches_the_first_layer(name: str, words: str, low: float, high: float) -> None:
    says(name, words)
    _, seen = after(name, 0)
    delta = seen.layers("delta_rms")[0]
    assert low < delta[0] / delta[-1] < high


def test_weights_of_a_hundredth_shrink_the_signal_tenfold() -> None:
    says("whispering_weights", "shrinks tenfold in every layer, up and down")
    _, seen = after("whispering_weights", 0)
    delta, size = seen.layers("delta_rms")[0], seen.layers("activation_std")[0, :-1]
    for column in (delta[1:-1] / delta[:-2], size[:-1] / size[1:]):
        assert (column > 8).all()
        assert (column < 15).all()


def test_twice_hes_variance_overflows_in_the_second_step() -> None:
    says("doubling", "the second step overflows")
    _, seen = after("doubling", 3)
    finite = np.isfinite(seen.scalar("loss"))
    assert finite.tolist()[:2] == [True, True]
    assert not finite[2:].any()


def test_clones_differ_after_five_steps_of_dropout() -> None:
    says("noise_breaks_the_mirror", "after five steps all sixteen differ")
    _, seen = after("noise_breaks_the_mirror", 5)
    distinct = seen.layers("distinct")[:, 0]
    assert distinct[0] == 1
    assert distinct[5] == 16


def test_four_activations_in_five_start_at_the_rails() -> None:
    says("against_the_rails", "four activations in five start near -1 or 1")
    says("against_the_rails", "the loss starts at several times that of a guess")
    run, seen = after("against_the_rails", 0)
    rng = np.random.default_rng(0)
    x = np.asarray(run.dataset.x, float)[:200]
    for fan_out in (100, 100):
        x = np.tanh(x @ rng.normal(0, 1, (x.shape[1], fan_out)))
        # nearer to -1 or 1 than to 0, in the slope: 1 - a² below a quarter
        assert np.mean(1 - x**2 < 0.25) == pytest.approx(0.85, abs=0.08)
    assert seen.scalar("loss")[0] / run.baseline > 4


def test_a_target_in_dollars_starts_at_nine_times_a_constant() -> None:
    says("target_in_dollars", "nine times that of the best constant")
    run, seen = after("target_in_dollars", 0)
    assert seen.scalar("loss")[0] / run.baseline == pytest.approx(9, abs=0.5)


def test_the_network_that_learns_by_heart_has_17000_weights() -> None:
    says("learnt_by_heart", "A hundred noisy rows, 17,000 weights")
    run, _ = after("learnt_by_heart", 0)
    assert run.dataset.rows == 100
    weights = sum(p.numel() for p in run.trainer.network.parameters())
    assert round(weights, -3) == 17_000
