"""The anatomy of networks of every kind, compared with their code."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from caveats.errors import ConfigError
from caveats.facts import LayerFacts
from caveats.measuring.anatomy import anatomy
from caveats.measuring.probe import Probe

sys.path.insert(0, str(Path(__file__).parent))
import networks

L = LayerFacts


def seen(kind: str) -> tuple[LayerFacts, ...]:
    make, (x, _) = networks.KINDS[kind]
    network = make()
    found = anatomy(network, lambda: network(x))
    assert found.unobserved == ()
    return found.layers


def attention(path: str) -> list[LayerFacts]:
    return [
        L(f"{path}.in_proj", "attention", 24, 8, "identity", residual=True),
        L(f"{path}.out_proj", "attention", 8, 8, "identity", residual=True),
    ]


EXPECTED = {
    "convolution": [
        L("first", "conv", 6, 18, "relu", "batch", dropout=0.25),
        L("up", "conv", 4, 12, "tanh"),
        L("head", "linear", 3, 4, "identity", output=True),
    ],
    "lstm": [
        L("words", "embedding", 6, 1, "identity"),
        L("memory", "recurrent", 5, 11, "tanh"),
        L("head", "linear", 3, 5, "identity", output=True),
    ],
    "stacked": [
        L("words", "embedding", 6, 1, "identity"),
        L("memory.l0", "recurrent", 5, 11, "tanh", dropout=0.3),
        L("memory.l0_reverse", "recurrent", 5, 11, "tanh", dropout=0.3),
        L("memory.l1", "recurrent", 5, 15, "tanh"),
        L("memory.l1_reverse", "recurrent", 5, 15, "tanh"),
        L("head", "linear", 3, 10, "identity", output=True),
    ],
    "gru": [
        L("words", "embedding", 6, 1, "identity"),
        L("memory", "recurrent", 5, 11, "tanh"),
        L("head", "linear", 3, 5, "identity", output=True),
    ],
    "rnn": [
        L("words", "embedding", 6, 1, "identity"),
        L("memory", "recurrent", 5, 11, "relu"),
        L("head", "linear", 3, 5, "identity", output=True),
    ],
    "cell": [
        L("cell", "recurrent", 5, 11, "tanh"),
        L("head", "linear", 3, 5, "identity", output=True),
    ],
    "bare": [
        L("into", "linear", 8, 6, "gelu"),
        L("across", "linear", 7, 8, "sigmoid"),
        L("out", "linear", 3, 7, "identity", output=True),
    ],
    "attention": [
        *attention("attention"),
        L("head", "linear", 3, 8, "identity", output=True),
    ],
    "gated": [
        L("first", "linear", 8, 6, "identity", "rms"),
        L("gate", "linear", 10, 8, "silu", residual=True),
        L("up", "linear", 10, 8, "identity", residual=True),
        L("down", "linear", 8, 10, "identity", "rms", residual=True),
        L("head", "linear", 3, 8, "identity", output=True),
    ],
    "block": [
        L("conv1", "conv", 4, 18, "relu", "batch", residual=True),
        L("conv2", "conv", 4, 36, "relu", "batch", residual=True),
        L("shortcut.0", "conv", 4, 2, "relu", "batch"),
        L("head", "linear", 3, 4, "identity", output=True),
    ],
    "post-norm": [
        L("0.self_attn.in_proj", "attention", 24, 8, "identity", residual=True),
        L("0.self_attn.out_proj", "attention", 8, 8, "identity", "layer", True, 0.1),
        L("0.linear1", "linear", 12, 8, "gelu", residual=True, dropout=0.1),
        L("0.linear2", "linear", 8, 12, "identity", "layer", True, 0.1),
        L("2", "linear", 3, 40, "identity", output=True),
    ],
    "pre-norm": [
        L("0.self_attn.in_proj", "attention", 24, 8, "identity", residual=True),
        L("0.self_attn.out_proj", "attention", 8, 8, "identity", "layer", True, 0.1),
        L("0.linear1", "linear", 12, 8, "gelu", residual=True, dropout=0.1),
        L("0.linear2", "linear", 8, 12, "identity", residual=True, dropout=0.1),
        L("2", "linear", 3, 40, "identity", output=True),
    ],
}


@pytest.mark.parametrize("kind", networks.KINDS)
def test_each_kind_of_network(kind: str) -> None:
    assert list(seen(kind)) == EXPECTED[kind]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (functional.relu, "relu"), (torch.relu, "relu"), (lambda z: z.relu(), "relu"),
        (lambda z: torch.relu_(z), "relu"), (lambda z: functional.relu(z, inplace=True), "relu"),
        (lambda z: z.clamp(min=0), "relu"), (functional.gelu, "gelu"),
        (lambda z: functional.gelu(z, approximate="tanh"), "gelu"), (torch.tanh, "tanh"),
        (lambda z: z.tanh(), "tanh"), (torch.sigmoid, "sigmoid"), (functional.sigmoid, "sigmoid"),
        (functional.silu, "silu"), (lambda z: functional.leaky_relu(z, 0.2), "leaky_relu"),
        (functional.elu, "elu"), (functional.selu, "selu"), (functional.mish, "mish"),
        (functional.softplus, "softplus"), (functional.hardtanh, "hard_tanh"),
        (functional.relu6, "relu6"), (torch.sin, "sin"),
        (lambda z: z * torch.sigmoid(z), "silu"), (lambda z: z * torch.sigmoid(1.702 * z), "gelu"),
        (lambda z: 0.5 * z * (1 + torch.erf(z / 2**0.5)), "gelu"),
        (lambda z: 0.5 * z * (1 + torch.tanh(0.7979 * (z + 0.0447 * z.pow(3)))), "gelu"),
        (lambda z: z * torch.sigmoid(-z), None), (torch.atan, None), (functional.hardswish, None),
        (lambda z: z.view(-1, 2, 4).relu().flatten(1), None),
    ],
)  # fmt: skip
def test_activations_that_are_functions(
    function: Callable[[Tensor], Tensor], name: str | None
) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(function(self.first(x)))

    network = Network()
    found = anatomy(network, lambda: network(torch.randn(20, 4)))
    assert [layer.activation for layer in found.layers] == [name, "identity"]
    assert [layer for layer, _ in found.unobserved] == ([] if name else ["first"])


@pytest.mark.parametrize(
    ("norm", "name"),
    [
        (nn.BatchNorm1d(8), "batch"), (nn.LayerNorm(8), "layer"), (nn.RMSNorm(8), "rms"),
        (nn.GroupNorm(2, 8), "group"), (nn.Identity(), "none"),
    ],
)  # fmt: skip
def test_normalizations(norm: nn.Module, name: str) -> None:
    network = nn.Sequential(nn.Linear(4, 8), norm, nn.ReLU(), nn.Linear(8, 3))
    found = anatomy(network, lambda: network(torch.randn(20, 4)))
    assert [layer.normalization for layer in found.layers] == [name, "none"]


def test_what_the_loss_does_with_the_output_is_no_activation_of_the_network() -> None:
    network = nn.Sequential(nn.Linear(4, 3))
    found = anatomy(network, lambda: functional.softplus(-network(torch.randn(5, 4))).mean())
    assert found.layers[0].activation == "identity"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda network: torch.compile(network, backend="eager"),
        nn.DataParallel,
        lambda network: torch.compile(nn.DataParallel(network), backend="eager"),
    ],
)
def test_wrappers_are_looked_into(wrap: Callable[[nn.Module], nn.Module]) -> None:
    network = networks.ConvFunctional()
    wrapped = wrap(network)
    x, _ = networks.data(2, 8, 8)
    before = wrapped.__dict__.get("forward")
    assert list(anatomy(wrapped, lambda: wrapped(x)).layers) == EXPECTED["convolution"]
    assert wrapped.__dict__.get("forward") is before


@pytest.mark.parametrize("in_place", [True, False])
def test_a_part_that_is_compiled_is_looked_into(in_place: bool) -> None:
    network = nn.Sequential(networks.Bare(), nn.Linear(3, 3))
    if in_place:
        network[0].compile(backend="eager")
    else:
        network[0] = torch.compile(network[0], backend="eager")
    found = anatomy(network, lambda: network(torch.randn(5, 6))).layers
    assert [layer.name for layer in found] == ["0.into", "0.across", "0.out", "1"]


def test_of_a_sum_that_goes_on_only_the_last_layers_are_the_output() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            return x + self.second(x)

    network = Network()
    found = anatomy(network, lambda: network(torch.randn(5, 4))).layers
    assert [layer.output for layer in found] == [False, True]
    assert [layer.residual for layer in found] == [False, True]


def test_a_tied_embedding_and_head_are_two_layers() -> None:
    words, head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
    head.weight = words.weight
    network = nn.Sequential(words, head)
    found = anatomy(network, lambda: network(torch.arange(11))).layers
    assert [(layer.name, layer.units) for layer in found] == [("0", 6), ("1", 11)]


@pytest.mark.parametrize("words", [11, 7])  # all of them, or some, as where one is no answer
def test_a_head_that_multiplies_by_the_embeddings_own_weight_is_a_layer_too(words: int) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.between = nn.Embedding(11, 6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.between(self.words(x))) @ self.words.weight[:words].T

    network = Network()
    found = anatomy(network, lambda: network(torch.arange(11))).layers
    assert [(layer.name, layer.units) for layer in found] == [
        ("words", 6), ("between", 6), ("words (2)", words),
    ]  # fmt: skip
    assert [layer.output for layer in found] == [False, False, True]


def test_weights_that_belong_to_no_known_layer_are_named_with_the_reason() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.form, self.idle = nn.Bilinear(4, 4, 5), nn.Linear(4, 4)
            self.head = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.form(x, x))

    network = Network()
    found = anatomy(network, lambda: network(torch.randn(5, 4)))
    assert [layer.name for layer in found.layers] == ["head"]
    assert dict(found.unobserved) == {
        "form.weight": "it is used by bilinear, which is not taken apart",
        "idle.weight": "it took no part in the pass",
    }


def test_a_packed_sequence_is_named() -> None:
    memory, head = nn.LSTM(6, 5), nn.Linear(5, 3)
    network = nn.ModuleList([memory, head])
    packed = nn.utils.rnn.pack_sequence([torch.randn(4, 6), torch.randn(2, 6)])
    found = anatomy(network, lambda: head(memory(packed)[1][0]))
    assert [layer.name for layer in found.layers] == ["1"]
    assert dict(found.unobserved)["0.weight_ih_l0"].startswith("it is used by lstm")


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (nn.Sequential(nn.ReLU()), "nothing to measure: no layer with weights takes part"),
        (nn.Sequential(nn.LazyLinear(3)), "0 has no weights yet: pass one batch"),
        (nn.Sequential(nn.Linear(5, 3)), "the network fails on the rows to measure on: Runtime"),
        (
            nn.Sequential(nn.Linear(4, 3, dtype=torch.complex64)),
            r"nothing to measure: .*\(0: its output is complex64\)",
        ),
        (nn.Sequential(nn.Linear(4, 3, device="meta")), "the network fails on the rows"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(network: nn.Module, sentence: str) -> None:
    complex_ = next(iter(network.parameters()), torch.ones(1)).is_complex()
    x = torch.randn(5, 4, dtype=torch.complex64 if complex_ else torch.float32)
    with pytest.raises(ConfigError, match=sentence):
        anatomy(network, lambda: network(x))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules()) or (
        isinstance(network[0], nn.LazyLinear)
    )


class Shares(nn.Module):
    """A classifier that returns shares, computed by a function; and whose hidden layer has a gate
    that is a softmax too."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.hidden, self.gate, self.head = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 3)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        gated = torch.relu(self.hidden(x)) * functional.softmax(self.gate(x), -1)
        return self.function(self.head(gated), -1)


@pytest.mark.parametrize("function", [functional.softmax, functional.log_softmax, torch.softmax])
def test_the_layer_below_a_softmax_is_the_output(function: Callable[..., Tensor]) -> None:
    network = Shares(function)
    layers = anatomy(network, lambda: network(torch.ones(2, 4))).layers
    assert [(layer.name, layer.activation, layer.output) for layer in layers] == [
        ("hidden", "relu", False), ("gate", "identity", False), ("head", "identity", True),
    ]  # fmt: skip


@pytest.mark.parametrize("last", [nn.Softmax(-1), nn.LogSoftmax(-1)])
def test_below_a_softmax_module_hooks_see_as_much(last: nn.Module) -> None:
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), last)
    x, y = torch.randn(8, 4), torch.arange(8) % 3
    probe = Probe(network, functional.cross_entropy, x, y)
    measured = probe.measure()
    assert probe._look is not None
    assert probe._look.hooks_suffice
    assert probe.anatomy.layers[-1] == L("2", "linear", 3, 6, "identity", output=True)
    assert measured.layers["dead"][1] == 0
    assert not math.isnan(measured.layers["activation_std"][1])
