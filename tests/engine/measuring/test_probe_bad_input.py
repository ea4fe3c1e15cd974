"""If a probe cannot measure something, it says so in one sentence, and training is not changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from caveats.errors import ConfigError
from caveats.measuring.probe import ForwardProbe, Probe


class Integers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).argmax(1)


@torch.no_grad()
def ungraded(network: nn.Module) -> tuple[Tensor, int]:
    return network(torch.ones(5, 4)).mean(), 5


class Failing(nn.Module):
    """Fails after its first layers, with a message of several lines."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.drop, self.act = nn.Linear(4, 3), nn.Dropout(0.5), nn.ReLU()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        self.act(self.norm(self.drop(self.layer(x))))
        raise KeyError("no such\nthing")


CASES: list[tuple[nn.Module, Callable[[nn.Module], Any], str]] = [
    (nn.ReLU(), lambda n: (n(torch.ones(5, 4)).mean(), 5), "no layer with weights takes part"),
    (nn.LazyLinear(3), lambda n: (n(torch.ones(5, 4)).mean(), 5), "LazyLinear has no weights yet"),
    (Failing(), lambda n: (n(torch.ones(5, 4)).mean(), 5), "fails .*: KeyError: 'no such"),
    (Integers(), lambda n: (n(torch.ones(5, 4)).sum(), 5), "int64 tensor of shape .*one real"),
    (nn.Linear(4, 3), lambda n: (n(torch.ones(5, 4)), 5), r"float32 tensor of shape \(5, 3\)"),
    (nn.Linear(4, 3), lambda n: (1.0, 5), "takes part"),
    (nn.Linear(4, 3), lambda n: (float(n(torch.ones(5, 4)).detach().sum()), 5), "is a float, not"),
    (nn.Linear(4, 3), ungraded, "it was computed without gradients"),
    (nn.Linear(4, 3), lambda n: n(torch.ones(5, 4)).mean(), "fails on .*: TypeError"),
    (
        nn.Linear(4, 3),
        lambda n: (n(torch.ones(5, 4, device="meta")).mean(), 5),
        "fails on the rows to measure on",
    ),
]


@pytest.mark.parametrize(("network", "forward", "sentence"), CASES)
def test_one_sentence_and_no_trace(
    network: nn.Module, forward: Callable[[nn.Module], Any], sentence: str
) -> None:
    lazy = isinstance(network, nn.LazyLinear)
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())
    before = [] if lazy else [t.clone() for t in network.state_dict().values()]
    random = torch.get_rng_state()
    for _ in range(2):  # the second time as the first: nothing is half known
        with pytest.raises(ConfigError, match=sentence) as raised:
            ForwardProbe(network, lambda batch: forward(network), None).measure()
        assert "\n" not in str(raised.value)
    assert all(module.training for module in network.modules())
    assert hooks == sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules()
    )
    assert (torch.get_rng_state() == random).all()
    if not lazy:
        assert all(map(torch.equal, before, network.state_dict().values()))
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_measures_under_whatever_mode_it_is_called(mode: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LSTM(8, 3))
    x, y = torch.randn(20, 4), torch.randint(3, (20,))

    def forward(batch: Tensor) -> tuple[Tensor, int]:
        return functional.cross_entropy(network(batch)[0], y), 20

    expected = ForwardProbe(network, forward, x).measure().layers
    with mode():
        grad = torch.is_grad_enabled()
        seen = ForwardProbe(network, forward, x).measure().layers
        assert torch.is_grad_enabled() is grad
        assert torch.is_inference_mode_enabled() is (mode is torch.inference_mode)
    np.testing.assert_array_equal(seen["delta_rms"], expected["delta_rms"])
    assert np.isfinite(seen["delta_rms"]).all()


class Carrying(nn.Module):
    """Keeps its state from batch to batch, and counts the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.state, self.batches = nn.GRU(4, 3), None, 0

    def forward(self, x: Tensor) -> Tensor:
        out, state = self.memory(x, self.state)
        self.state, self.batches = state.detach(), self.batches + 1
        self.newest = out
        return out


def test_a_state_that_a_module_carries_is_that_of_training() -> None:
    network = Carrying()
    x, y = torch.randn(6, 2, 4), torch.randn(6, 2, 3)
    network(x)
    del network.newest
    state = network.state
    Probe(network, functional.mse_loss, x, y).measure()
    assert network.state is state
    assert network.batches == 1
    assert not hasattr(network, "newest")


def test_a_layer_that_takes_no_part_this_time_keeps_its_place() -> None:
    """As an expert that gets no token."""

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
            self.use_one = True

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.one(x) if self.use_one else x
            return self.head(torch.relu(self.two(hidden)))

    network = Experts()
    probe = Probe(network, functional.cross_entropy, torch.randn(9, 4), torch.zeros(9).long())
    first = probe.measure()
    assert probe.layer_names == ("one", "two", "head")
    network.use_one = False
    second = probe.measure()
    assert probe.layer_names == ("one", "two", "head")
    assert second.layers["units"].tolist() == [4, 4, 3]
    assert np.isnan(second.layers["delta_rms"]).tolist() == [True, False, False]
    assert second.layers["weight_norm"][0] == first.layers["weight_norm"][0]
    assert set(second.states[0]) == {4}


def test_modules_that_are_put_in_later_are_seen_and_no_pass_is_traced_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from caveats.measuring import probe as module

    looks = []
    whole = module.look
    monkeypatch.setattr(module, "look", lambda *args: (looks.append(1), whole(*args))[1])
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    probe = Probe(network, functional.cross_entropy, torch.randn(9, 4), torch.zeros(9).long())
    for _ in range(3):
        probe.remember()
        probe.measure()
    assert len(looks) == 1
    assert [layer.activation for layer in probe.anatomy.layers] == ["tanh", "identity"]
    network[1] = nn.ReLU()
    probe.measure()
    assert len(looks) == 2
    assert [layer.activation for layer in probe.anatomy.layers] == ["relu", "identity"]


@pytest.mark.parametrize("wrap", [lambda n: torch.compile(n, backend="eager"), nn.DataParallel])
def test_a_wrapped_network_is_measured_as_the_network_itself(
    wrap: Callable[[nn.Module], Any],
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    x, y = torch.randn(9, 4), torch.zeros(9).long()
    expected = Probe(network, functional.cross_entropy, x, y).measure().layers
    wrapped = wrap(network)

    def forward(batch: Tensor) -> tuple[Tensor, int]:
        return functional.cross_entropy(wrapped(batch), y), 9

    for probe in (
        Probe(wrapped, functional.cross_entropy, x, y),
        ForwardProbe(wrapped, forward, x),
    ):
        seen = probe.measure().layers
        assert probe.layer_names == ("0", "2")
        for name, column in expected.items():
            np.testing.assert_array_equal(seen[name], column, err_msg=name)


def test_a_network_in_ddp_trains_on_as_if_nobody_had_measured() -> None:
    """With one process of gloo: the reducer must not be prepared by a probe's forward pass."""
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        weights = []
        for probed in (True, False):
            torch.manual_seed(0)
            network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
            wrapped = nn.parallel.DistributedDataParallel(network)
            x, y = torch.randn(9, 4), torch.zeros(9).long()

            def forward(batch: Tensor) -> tuple[Tensor, int]:
                return functional.cross_entropy(wrapped(batch), y), 9  # noqa: B023

            probe = ForwardProbe(wrapped, forward, x)
            optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
            for _ in range(3):
                optimizer.zero_grad()
                forward(x)[0].backward()
                optimizer.step()
                if probed:
                    probe.measure()
            weights.append([t.clone() for t in wrapped.state_dict().values()])
        assert probe.anatomy.layers[0].name == "0"
        assert all(map(torch.equal, *weights))
    finally:
        distributed.destroy_process_group()


class Odd(nn.Module):
    """One layer, and a function of the module, its input and the layer's output."""

    def __init__(self, then: Callable[[Any, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.then, self.calls = nn.Linear(4, 3), then, 0
        self.register_buffer("average", torch.zeros(3))

    def forward(self, x: Tensor) -> Any:
        return self.then(self, x, self.layer(x))


def mean_size(output: Tensor, y: Tensor) -> Tensor:
    return output.double().abs().mean() if output.dtype is torch.bool else output.abs().mean()


@pytest.mark.parametrize("odd", [torch.Tensor.cfloat, torch.Tensor.bool])
def test_outputs_that_cannot_be_ordered_have_no_accuracy(odd: Callable[[Tensor], Tensor]) -> None:
    network = Odd(lambda module, x, z: odd(z)).requires_grad_(False)
    seen = Probe(network, mean_size, torch.randn(5, 4), torch.zeros(5).long()).measure()
    assert np.isnan(seen.accuracy)
    assert np.isfinite(seen.loss)


def test_targets_that_are_no_tensor_have_no_accuracy() -> None:
    seen = Probe(nn.Linear(4, 3), mean_size, torch.randn(5, 4), None).measure()  # type: ignore[arg-type]
    assert np.isnan(seen.accuracy)


def test_rows_that_are_no_tensor_are_refused() -> None:
    with pytest.raises(ConfigError, match="are a dict, not a tensor: use a ForwardProbe"):
        Probe(nn.Linear(4, 3), mean_size, {"x": torch.randn(5, 4)}, torch.zeros(5))  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_names_that_do_not_fit_the_layers_are_refused(names: list[str]) -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(ConfigError, match="2 layers need as many different names"):
        Probe(network, mean_size, torch.randn(5, 4), torch.zeros(5), names)


@pytest.mark.parametrize("rows", [None, "x", 10**400])
def test_a_number_of_rows_that_is_none_is_one_sentence(rows: Any) -> None:
    network = nn.Linear(4, 3)
    probe = ForwardProbe(network, lambda x: (network(x).mean(), rows), torch.randn(5, 4))
    with pytest.raises(ConfigError, match="the network fails on the rows"):
        probe.measure()


def test_tensors_that_cannot_be_reduced_are_one_sentence() -> None:
    network = Odd(lambda module, x, z: torch.func.vmap(module.layer)(x))
    with pytest.raises(ConfigError, match="the network fails on the rows"):
        ForwardProbe(network, lambda x: (network(x).mean(), 5), torch.randn(5, 4)).measure()


def test_a_sparse_gradient_is_measured_as_a_dense_one() -> None:
    def measured(sparse: bool) -> Any:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Embedding(9, 4, sparse=sparse), nn.Flatten(), nn.Linear(8, 3))
        x, y = torch.randint(9, (20, 2)), torch.randint(3, (20,))
        return Probe(network, functional.cross_entropy, x, y).measure().layers

    for name, column in measured(True).items():
        np.testing.assert_array_equal(column, measured(False)[name], name)


def test_the_rows_of_a_whole_data_set_are_never_a_batch_of_one() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    x, y = torch.randn(11, 4), torch.randint(3, (11,))
    probe = Probe(network, functional.cross_entropy, x, y)
    assert probe.confirm(x, chunk=5).tolist() == [0, 0]
    with pytest.raises(ConfigError, match="the network fails on the rows"):
        probe.confirm(x[:1])


def count(module: Any, x: Tensor, z: Tensor) -> Tensor:
    module.calls += 1
    return z


def draw(module: Any, x: Tensor, z: Tensor) -> Tensor:
    return z * random.random() * float(np.random.rand())


def average(module: Any, x: Tensor, z: Tensor) -> Tensor:
    module.average += z.detach().mean(0)
    return z


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("then", [count, draw, average])
def test_counters_averages_and_other_generators_are_those_of_training(
    then: Callable[[Any, Tensor, Tensor], Tensor], training: bool
) -> None:
    network = Odd(then).train(training)

    def state() -> Any:
        kept = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
        return *kept, network.calls, network.average.tolist()

    before = state()
    probe = Probe(network, functional.cross_entropy, torch.randn(5, 4), torch.zeros(5).long())
    for _ in range(2):
        probe.measure()
    assert state() == before


@pytest.mark.parametrize("units", [8, 5])
def test_a_layer_that_is_put_in_does_not_take_the_name_of_another(units: int) -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, units), nn.ReLU())
    network.append(nn.Linear(units, 3))
    x, y = torch.randn(20, 4), torch.randint(3, (20,))
    probe = Probe(network, functional.cross_entropy, x, y)
    probe.measure()
    network.insert(2, nn.Linear(8, 8))
    seen = probe.measure()
    expected = Probe(network, functional.cross_entropy, x, y).measure()
    assert probe.layer_names == ("0", "2", "3", "5")
    np.testing.assert_array_equal(seen.layers["weight_norm"], expected.layers["weight_norm"])
    network[3].weight = nn.Parameter(torch.randn(units + 2, 8))
    network[3].bias = None
    network[5].weight = nn.Parameter(torch.randn(3, units + 2))
    assert probe.measure().layers["units"].tolist() == [8, 8, units + 2, 3]
