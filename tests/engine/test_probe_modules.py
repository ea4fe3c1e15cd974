"""The probe on modules other than plain perceptrons, compared with torch.autograd."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from caveats.errors import ConfigError
from caveats.measuring.probe import Probe
from caveats.measuring.scores import hit_rates

ALIVE, SILENT, SATURATED, DEAD, UNOBSERVED = range(5)


def loss(output: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(output, y)


def data(*shape: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(*shape, generator=generator),
        torch.randint(classes, (shape[0],), generator=generator),
    )


class Conv2dNet(nn.Module):
    """Convolution, batch norm, in-place ReLU, pooling, dropout, nested parts."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.inner = nn.ModuleDict({"conv": nn.Conv2d(6, 5, 3), "act": nn.ReLU(inplace=True)})
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(20, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.inner["act"](self.inner["conv"](x))
        out: Tensor = self.head(x)
        return out


def test_conv2d_with_batchnorm_inplace_relu_dropout_and_nesting() -> None:
    torch.manual_seed(0)
    network = Conv2dNet()
    with torch.no_grad():
        network.features[1].bias[2] = -100.0  # a channel that no row wakes
        network.inner["conv"].bias[4] = -100.0
    x, y = data(32, 2, 8, 8)
    seen = Probe(network, loss, x, y).measure(deep=True)

    # The same pass by hand; dropout off, batch statistics on.
    conv1, norm, conv2 = network.features[0], network.features[1], network.inner["conv"]
    linear = network.head[2]
    z1 = functional.conv2d(x, conv1.weight, conv1.bias, padding=1)
    n1 = functional.batch_norm(z1, None, None, norm.weight, norm.bias, True)
    p1 = functional.max_pool2d(functional.relu(n1), 2)
    z2 = functional.conv2d(p1, conv2.weight, conv2.bias)
    a2 = functional.relu(z2)
    z3 = functional.linear(a2.flatten(1), linear.weight, linear.bias)
    value = loss(z3, y)
    value_number = float(value.detach())
    zs = [z1, z2, z3]
    ws = [conv1.weight, conv2.weight, linear.weight]
    deltas = torch.autograd.grad(value, zs, retain_graph=True)
    grads = torch.autograd.grad(value, ws)

    assert seen.loss == pytest.approx(value_number, rel=1e-6)
    assert seen.accuracy == pytest.approx(float((z3.argmax(1) == y).float().mean()))
    assert seen.layers["units"].tolist() == [6, 5, 3]
    dead = [(n1 <= 0).all(0).all(1).all(1), (z2 <= 0).all(0).all(1).all(1)]
    assert dead[0][2]
    assert dead[1][4]
    assert seen.layers["dead"].tolist() == [int(dead[0].sum()), int(dead[1].sum()), 0]
    assert ((seen.states[0] == DEAD) == dead[0].numpy()).all()
    for index, (delta, grad) in enumerate(zip(deltas, grads, strict=True)):
        rms = float((delta * len(x)).double().square().mean().sqrt())
        assert seen.layers["delta_rms"][index] == pytest.approx(rms, rel=1e-4)
        assert seen.layers["grad_norm"][index] == pytest.approx(float(grad.norm()), rel=1e-4)
        per_unit = grad.flatten(1)
        signs = per_unit.sum(1).abs() / per_unit.abs().sum(1)
        assert seen.layers["sign_coherence"][index] == pytest.approx(
            float(signs.nanmean()), abs=1e-5
        )
    relu1 = functional.relu(n1).detach()
    assert seen.layers["activation_mean"][0] == pytest.approx(float(relu1.mean()), rel=1e-5)
    assert seen.layers["activation_std"][0] == pytest.approx(
        float(relu1.std(correction=0)), rel=1e-5
    )


def test_conv1d_and_conv3d_units_are_channels() -> None:
    for conv, shape in ((nn.Conv1d(2, 4, 3), (16, 2, 9)), (nn.Conv3d(2, 4, 2), (8, 2, 4, 4, 4))):
        torch.manual_seed(0)
        x, y = data(*shape)
        conv.bias.data[1] = -100.0
        tail = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
        network = nn.Sequential(conv, nn.ReLU(), tail)
        network(x)
        seen = Probe(network, loss, x, y).measure()
        assert seen.layers["units"].tolist() == [4, 3]
        assert seen.layers["dead"].tolist() == [1, 0]
        assert seen.states[0].tolist()[1] == DEAD
        z = conv(x)
        out = functional.relu(z)
        value = loss(tail(out), y)
        (delta,) = torch.autograd.grad(value, [z])
        rms = float((delta * len(x)).square().mean().sqrt())
        assert seen.layers["delta_rms"][0] == pytest.approx(rms, rel=1e-4)


class UnknownFunction(nn.Module):
    """An activation that no table knows."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(torch.atan(self.first(x)))
        return out


def test_an_activation_that_is_not_known_is_not_observable_which_is_not_zero() -> None:
    x, y = data(20, 4)
    probe = Probe(UnknownFunction(), loss, x, y)
    seen = probe.measure()
    for name in ("dead", "born_dead", "saturated", "dormant", "activation_mean"):
        assert math.isnan(seen.layers[name][0]), name
        assert not math.isnan(seen.layers[name][1]) or name == "born_dead", name
    assert set(seen.states[0]) == {UNOBSERVED}
    assert set(seen.states[1]) == {ALIVE}
    assert np.isfinite(seen.layers["grad_norm"]).all()
    assert np.isfinite(seen.layers["delta_rms"]).all()
    assert np.isfinite(seen.layers["mean_fraction"]).all()
    assert dict(probe.anatomy.unobserved) == {
        "first": "what follows it, atan, is not a known activation"
    }


class Twice(nn.Module):
    """One layer and one activation, both used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act, self.last = nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.act(self.layer(self.act(self.layer(x)))))
        return out


def test_a_module_used_twice_is_one_layer_over_the_rows_of_both_calls() -> None:
    torch.manual_seed(0)
    network = Twice()
    x, y = data(20, 4)
    probe = Probe(network, loss, x, y)
    seen = probe.measure()
    assert probe.layer_names == ("layer", "last")
    z1 = network.layer(x)
    z2 = network.layer(torch.tanh(z1))
    value = loss(network.last(torch.tanh(z2)), y)
    deltas = torch.autograd.grad(value, [z1, z2], retain_graph=True)
    (grad,) = torch.autograd.grad(value, [network.layer.weight])
    rms = float((torch.cat(deltas) * len(x)).square().mean().sqrt())
    assert seen.layers["delta_rms"][0] == pytest.approx(rms, rel=1e-4)
    assert seen.layers["grad_norm"][0] == pytest.approx(float(grad.norm()), rel=1e-4)
    out = torch.tanh(torch.cat((z1, z2))).detach()
    assert seen.layers["activation_mean"][0] == pytest.approx(float(out.mean()), rel=1e-4)


class Reshaped(nn.Module):
    """An activation after the units were folded into positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        folded = self.act(self.first(x).reshape(-1, 2, 4))
        out: Tensor = self.last(folded.flatten(1))
        return out


def test_an_activation_of_other_units_is_not_the_layers() -> None:
    x, y = data(20, 4)
    seen = Probe(Reshaped(), loss, x, y).measure()
    assert math.isnan(seen.layers["dead"][0])
    flattened = nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), nn.ReLU(), nn.Linear(6, 3))
    x, y = data(20, 1, 4)
    assert math.isnan(Probe(flattened, loss, x, y).measure().layers["dead"][0])


def test_an_identity_placeholder_does_not_hide_the_activation() -> None:
    layer = nn.Linear(4, 8)
    nn.init.constant_(layer.bias, -100.0)
    network = nn.Sequential(layer, nn.Identity(), nn.ReLU(), nn.Linear(8, 3))
    x, y = data(20, 4)
    assert Probe(network, loss, x, y).measure().layers["dead"].tolist() == [8, 0]


class Overwritten(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = self.act(self.first(x))
        a += 1000.0
        out: Tensor = self.last(a)
        return out


def test_an_activation_that_is_overwritten_is_not_reported() -> None:
    x, y = data(20, 4)
    seen = Probe(Overwritten(), loss, x, y).measure()
    assert math.isnan(seen.layers["activation_mean"][0])
    assert seen.layers["mean_fraction"][1] > 0.99  # what feeds the next layer is what it is


@pytest.mark.parametrize(
    ("module", "dead", "saturated"),
    [
        # Five units whose inputs are exactly -4, -0.5, 0.5, 4 and 8.
        (nn.ReLU(), [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]),
        (nn.ReLU6(), [1, 1, 0, 0, 1], [0, 0, 0, 0, 1]),
        (nn.Hardtanh(), [1, 0, 0, 1, 1], [1, 0, 0, 1, 1]),
        (nn.Hardtanh(-5.0, 5.0), [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]),
        (nn.Hardtanh(0.0, 5.0), [1, 1, 0, 0, 1], [1, 1, 0, 0, 1]),
        (nn.Hardsigmoid(), [1, 0, 0, 1, 1], [1, 0, 0, 1, 1]),
        (nn.LeakyReLU(0.0), [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]),
        (nn.LeakyReLU(0.1), [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        (nn.Tanh(), [0, 0, 0, 0, 0], [1, 0, 0, 1, 1]),
        (nn.Sigmoid(), [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]),
        (nn.Softplus(), [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]),
        (nn.Softplus(beta=10.0), [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]),
        (nn.ELU(), [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]),
        (nn.ELU(alpha=0.06), [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]),
        (nn.CELU(alpha=0.1), [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]),
    ],
)
def test_flat_and_tails_follow_the_modules_own_settings(
    module: nn.Module, dead: list[int], saturated: list[int]
) -> None:
    first = nn.Linear(1, 5)
    nn.init.zeros_(first.weight)
    first.bias.data = torch.tensor([-4.0, -0.5, 0.5, 4.0, 8.0])
    network = nn.Sequential(first, module, nn.Linear(5, 3))
    x, y = data(10, 1)
    seen = Probe(network, loss, x, y).measure()
    slope = torch.autograd.grad(module(z := first.bias.detach().requires_grad_()).sum(), z)[0]
    assert (slope == 0).int().tolist() == dead  # autograd agrees with the table of this test
    assert seen.layers["dead"][0] == sum(dead)
    assert seen.layers["saturated"][0] == sum(saturated)
    expected = [
        DEAD if d else SATURATED if s else ALIVE for d, s in zip(dead, saturated, strict=True)
    ]
    assert seen.states[0].tolist() == expected


def test_frozen_layers_have_no_gradient_and_are_measured_otherwise() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    for parameter in network[0].parameters():
        parameter.requires_grad_(False)
    x, y = data(20, 4)
    seen = Probe(network, loss, x, y).measure()
    assert np.isnan(seen.layers["grad_norm"]).tolist() == [True, False]
    assert np.isnan(seen.layers["delta_rms"]).tolist() == [True, False]
    assert np.isfinite(seen.layers["dead"]).all()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    assert np.isnan(Probe(network, loss, x, y).measure().layers["grad_norm"]).all()


def fingerprint(network: nn.Module) -> list[bytes]:
    return [t.detach().numpy().tobytes() for t in (*network.parameters(), *network.buffers())]


@pytest.mark.parametrize("norm", ["batch", "instance", "spectral"])
@pytest.mark.parametrize("training", [True, False])
def test_a_pass_leaves_no_trace_in_the_module(norm: str, training: bool) -> None:
    torch.manual_seed(0)
    conv: nn.Module = nn.Conv2d(2, 4, 3)
    between: nn.Module = nn.Identity()
    if norm == "spectral":
        conv = nn.utils.parametrizations.spectral_norm(conv)
    else:
        between = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}[norm](
            4, track_running_stats=True
        )
    network = nn.Sequential(
        conv, between, nn.ReLU(inplace=True), nn.Dropout2d(0.3), nn.Flatten(), nn.Linear(64, 3)
    ).train(training)
    x, y = data(12, 2, 6, 6)
    network[5].weight.grad = torch.ones_like(network[5].weight)
    before, random, hooks = fingerprint(network), torch.get_rng_state(), hook_count(network)
    first = Probe(network, loss, x, y).measure(deep=True)
    second = Probe(network, loss, x, y).measure()
    assert fingerprint(network) == before
    assert (torch.get_rng_state() == random).all()
    assert hook_count(network) == hooks
    assert all(module.training == training for module in network.modules())
    assert (network[5].weight.grad == 1).all()
    assert all(p.grad is None for p in network[0].parameters())
    np.testing.assert_array_equal(first.layers["grad_norm"], second.layers["grad_norm"])


def hook_count(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


def test_a_pass_that_fails_leaves_no_hooks_and_no_switched_off_dropout() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 3))
    x, y = data(20, 4)
    with pytest.raises(ConfigError, match="mat1 and mat2 shapes cannot be multiplied"):
        Probe(network, loss, x, y).measure()
    assert hook_count(network) == 0
    assert network[2].training


def test_half_precision_and_double_are_measured_too() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    x, y = data(64, 4)
    expected = Probe(network, loss, x, y).measure(deep=True).layers
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.bfloat16, 0.05)):
        twin = copy.deepcopy(network).to(dtype)
        seen = Probe(twin, loss, x.to(dtype), y).measure(deep=True).layers
        for name in ("grad_norm", "delta_rms", "activation_mean", "distinct", "spread"):
            np.testing.assert_allclose(seen[name], expected[name], rtol=tolerance, err_msg=name)


def test_a_vanishing_delta_does_not_underflow() -> None:
    """Deltas of 1e-30, whose squares no float32 holds, keep their norm."""
    network = nn.Sequential(nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 3))
    nn.init.constant_(network[2].weight, 1e-30)
    nn.init.constant_(network[2].bias, 0.0)
    network[2].weight.data[0] *= 2
    x, y = data(64, 4)
    seen = Probe(network, loss, x, y).measure()
    output = network(x)
    residual = torch.softmax(output.double(), 1) - functional.one_hot(y, 3)
    delta = residual @ network[2].weight.double()
    expected = float(delta.detach().square().mean().sqrt())
    assert 1e-32 < expected < 1e-29
    assert seen.layers["delta_rms"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("difference", [1.0, 1e-7, 1e-30, 0.0])
def test_distinct_and_spread_tell_copies_from_near_copies(difference: float) -> None:
    network = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 3))
    nn.init.constant_(network[0].weight, 0.5)
    nn.init.constant_(network[0].bias, 0.0)
    network[0].bias.data[3] = difference
    network[0].bias.data[5] = -0.0  # equal to 0.0
    x, y = data(20, 6)
    seen = Probe(network, loss, x, y).measure(deep=True).layers
    assert seen["distinct"][0] == (2 if difference else 1)
    assert seen["spread"][0] == pytest.approx(difference, rel=1e-5, abs=1e-37)


def test_update_ratio_is_of_the_real_step() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    x, y = data(20, 4)
    probe = Probe(network, loss, x, y)
    assert np.isnan(probe.measure().layers["update_ratio"]).all()
    before = network[0].weight.detach().clone()
    probe.remember()
    with torch.no_grad():
        network[0].weight += 0.01 * torch.randn(8, 4)
    seen = probe.measure().layers["update_ratio"]
    expected = float((network[0].weight.detach() - before).norm() / before.norm())
    assert seen[0] == pytest.approx(expected, rel=1e-5)
    assert seen[1] == 0
    assert np.isnan(probe.measure().layers["update_ratio"]).all()


def test_confirm_counts_over_all_rows_in_chunks() -> None:
    network = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2))
    network[0].weight.data = torch.tensor([[1.0], [1.0], [-1.0]])
    network[0].bias.data = torch.tensor([-5.0, -50.0, -0.5])
    x = torch.linspace(0, 9, 100)[:, None]  # the first unit fires beyond 5 alone
    y = torch.zeros(100, dtype=torch.int64)
    probe = Probe(network, loss, x[:20], y[:20])
    assert probe.measure().layers["dead"].tolist() == [3, 0]
    for chunk in (7, 100, 4096):
        assert probe.confirm(x, chunk).tolist() == [2, 0]


def test_accuracy_where_classes_are_not_last() -> None:
    network = nn.Conv1d(2, 3, 1)
    x, _ = data(6, 2, 5)
    y = torch.randint(3, (6, 5), generator=torch.Generator().manual_seed(0))
    seen = Probe(network, loss, x, y).measure()
    assert seen.accuracy == pytest.approx(float((network(x).argmax(1) == y).float().mean()))
    assert seen.layers["dead"].tolist() == [0]
    numbers = Probe(nn.Linear(2, 1), functional.mse_loss, torch.ones(3, 2), torch.ones(3, 1))
    assert math.isnan(numbers.measure().accuracy)


def test_the_accuracy_of_a_regression_lies_where_its_targets_lie() -> None:
    """A NaN made on the CPU made every regression on a GPU crash; meta stands in for one here."""
    output, y = torch.ones(3, 1, device="meta"), torch.ones(3, 1, device="meta")
    assert hit_rates(output, y)[0].device.type == "meta"


def test_layers_and_activations_that_are_called_by_keyword_are_measured() -> None:
    class ByKeyword(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.bend, self.head = nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(input=self.bend(input=self.first(input=x)))

    torch.manual_seed(0)
    network = ByKeyword()
    plain = nn.Sequential(network.first, network.bend, network.head)
    x, y = torch.randn(20, 4), torch.randint(3, (20,))
    ours = Probe(network, nn.functional.cross_entropy, x, y).measure()
    theirs = Probe(plain, nn.functional.cross_entropy, x, y).measure()
    for name, values in theirs.layers.items():
        np.testing.assert_array_equal(ours.layers[name], values, err_msg=name)


def test_of_a_single_output_none_is_the_largest() -> None:
    """It was counted as class 0 for every row."""
    assert hit_rates(torch.randn(4, 1), torch.tensor([0, 0, 0, 1])).isnan().all()
