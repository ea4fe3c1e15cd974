"""The probe's measures in networks of many kinds, compared with each measure's definition, which is
computed with torch.autograd and the formulas of the layers."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from caveats.measuring.probe import ForwardProbe, Probe

sys.path.insert(0, str(Path(__file__).parent))
import networks


@dataclass
class Expected:
    """One layer by hand: outputs ``z``, each (..., units); the activation with what goes in and
    comes out of it, (..., units); rows of weights and biases, (units, n)."""

    z: list[Tensor]
    weights: list[Tensor]
    out: Tensor
    pre: list[tuple[Callable[[Tensor], Tensor], Tensor]]
    rows: Tensor


def channels(tensor: Tensor) -> Tensor:
    return tensor.movedim(1, -1)


def linear(z: Tensor, layer: nn.Module) -> Expected:
    rows = torch.cat((layer.weight, layer.bias[:, None]), 1)
    return Expected([z], [layer.weight], z, [(lambda v: v, z)], rows)


def by_hand_convolution(net: networks.ConvFunctional, x: Tensor) -> tuple[Tensor, list[Expected]]:
    z1 = functional.conv2d(x, net.first.weight, net.first.bias, padding=1)
    mean, var = z1.mean((0, 2, 3), keepdim=True), z1.var((0, 2, 3), correction=0, keepdim=True)
    n1 = (z1 - mean) / (var + 1e-5).sqrt()
    n1 = n1 * net.norm.weight[:, None, None] + net.norm.bias[:, None, None]
    p1 = n1.unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
    a1 = p1.clamp(min=0)
    # Group by group: inputs 0–2 make units 0–1, inputs 3–5 make units 2–3.
    w = net.up.weight  # (6, 2, 2, 2)
    z2 = (
        torch.cat(
            [
                torch.einsum("nihw,iokl->nohkwl", a1[:, 3 * g : 3 * g + 3], w[3 * g : 3 * g + 3])
                .flatten(4, 5)
                .flatten(2, 3)
                for g in range(2)
            ],
            1,
        )
        + net.up.bias[:, None, None]
    )
    a2 = torch.tanh(z2)
    z3 = a2.mean((2, 3)) @ net.head.weight.T + net.head.bias
    up_rows = [w[3 * g : 3 * g + 3, o].reshape(-1) for g in range(2) for o in range(2)]
    rows = torch.cat((torch.stack(up_rows), net.up.bias[:, None]), 1)
    first_rows = torch.cat((net.first.weight.flatten(1), net.first.bias[:, None]), 1)
    return z3, [
        Expected(
            [z1], [net.first.weight], channels(a1), [(functional.relu, channels(p1))], first_rows
        ),
        Expected([z2], [w], channels(a2), [(torch.tanh, channels(z2))], rows),
        linear(z3, net.head),
    ]


def recurrent(cell: nn.Module, suffix: str, kind: str, x: Tensor) -> tuple[list[Tensor], Expected]:
    """A recurrent layer over x (batch, steps, features), every unit's gate by its own rows."""
    wi, wh = getattr(cell, f"weight_ih{suffix}"), getattr(cell, f"weight_hh{suffix}")
    bi, bh = getattr(cell, f"bias_ih{suffix}"), getattr(cell, f"bias_hh{suffix}")
    hidden = wh.shape[1]
    part = [slice(k * hidden, (k + 1) * hidden) for k in range(len(wi) // hidden)]
    h = c = x.new_zeros(len(x), hidden)
    hs, pres, gates = [], [], []
    for t in range(x.shape[1]):
        fed = [x[:, t] @ wi[p].T + bi[p] for p in part]
        back = [h @ wh[p].T + bh[p] for p in part]
        both = [f + b for f, b in zip(fed, back, strict=True)]
        if kind == "lstm":
            i, f, g, o = both
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            pres.append(c)
            gates.append(
                [(torch.sigmoid, i), (torch.sigmoid, f), (torch.tanh, g), (torch.sigmoid, o)]
            )
        elif kind == "gru":
            n = fed[2] + torch.sigmoid(both[0]) * back[2]
            z = torch.sigmoid(both[1])
            h = (1 - z) * torch.tanh(n) + z * h
            pres.append(n)
            gates.append([(torch.sigmoid, both[0]), (torch.sigmoid, both[1])])
        else:
            h = both[0].clamp(min=0)
            pres.append(both[0])
            gates.append([])
        hs.append(h)
    main = functional.relu if kind == "rnn" else torch.tanh
    pre = [(main, torch.stack(pres))]
    pre += [(gates[0][k][0], torch.stack([at[k][1] for at in gates])) for k in range(len(gates[0]))]

    whole = torch.cat((wi, wh, bi[:, None], bh[:, None]), 1)
    rows = torch.cat([whole[p] for p in part], 1)
    return hs, Expected(hs, [wi, wh], torch.stack(hs), pre, rows)


def by_hand_recurrent(kind: str) -> Callable[..., tuple[Tensor, list[Expected]]]:
    def compute(net: networks.Recurrent, tokens: Tensor) -> tuple[Tensor, list[Expected]]:
        table = net.words.weight
        z1 = functional.one_hot(tokens, len(table)).float() @ table
        words = Expected([z1], [table], z1, [(lambda v: v, z1)], table.T)
        hs, memory = recurrent(net.memory, "_l0", kind, z1)
        z3 = hs[-1] @ net.head.weight.T + net.head.bias
        return z3, [words, memory, linear(z3, net.head)]

    return compute


def by_hand_cell(net: networks.Unrolled, x: Tensor) -> tuple[Tensor, list[Expected]]:
    hs, memory = recurrent(net.cell, "", "lstm", x)
    z = hs[-1] @ net.head.weight.T + net.head.bias
    return z, [memory, linear(z, net.head)]


def by_hand_bare(net: networks.Bare, x: Tensor) -> tuple[Tensor, list[Expected]]:
    z1 = torch.einsum("nf,fu->nu", x, net.into)
    a1 = z1 * 0.5 * (1 + torch.erf(z1 / 2**0.5))
    z2 = torch.einsum("nf,uf->nu", a1, net.across)
    a2 = torch.sigmoid(z2)
    z3 = torch.einsum("nf,uf->nu", a2, net.out_weight) + net.bias
    rows = torch.cat((net.out_weight, net.bias[:, None]), 1)
    return z3, [
        Expected([z1], [net.into], a1, [(functional.gelu, z1)], net.into.T),
        Expected([z2], [net.across], a2, [(torch.sigmoid, z2)], net.across),
        Expected([z3], [net.out_weight], z3, [(lambda v: v, z3)], rows),
    ]


def attend(module: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, list[Expected]]:
    """Two heads over x (batch, steps, 8)."""
    w, b = module.in_proj_weight, module.in_proj_bias
    z = torch.einsum("btf,uf->btu", x, w) + b  # (batch, steps, 24)
    q, k, v = (z[..., 8 * i : 8 * i + 8].unflatten(-1, (2, 4)) for i in range(3))
    weight = torch.einsum("bthd,bshd->bhts", q, k / 2).softmax(-1)
    mixed = torch.einsum("bhts,bshd->bthd", weight, v).flatten(2)
    out = mixed @ module.out_proj.weight.T + module.out_proj.bias
    rows = torch.cat((w, b[:, None]), 1)
    into = Expected([z], [w], z, [(lambda v: v, z)], rows)
    return out, [into, linear(out, module.out_proj)]


def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    size = (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt()
    return centred / size * layer.weight + layer.bias


def by_hand_attention(net: networks.Attending, x: Tensor) -> tuple[Tensor, list[Expected]]:
    out, layers = attend(net.attention, norm(net.norm, x))
    z = (x + out).mean(1) @ net.head.weight.T + net.head.bias
    return z, [*layers, linear(z, net.head)]


def by_hand_transformer(net: nn.Sequential, x: Tensor) -> tuple[Tensor, list[Expected]]:
    layer, head = net[0], net[2]
    first = layer.norm_first
    out, layers = attend(layer.self_attn, norm(layer.norm1, x) if first else x)
    x = x + out if first else norm(layer.norm1, x + out)
    y = norm(layer.norm2, x) if first else x
    z1 = y @ layer.linear1.weight.T + layer.linear1.bias
    a1 = functional.gelu(z1)
    z2 = a1 @ layer.linear2.weight.T + layer.linear2.bias
    x = x + z2 if first else norm(layer.norm2, x + z2)
    z = x.flatten(1) @ head.weight.T + head.bias
    hidden = linear(z1, layer.linear1)
    hidden.out, hidden.pre = a1, [(functional.gelu, z1)]
    return z, [*layers, hidden, linear(z2, layer.linear2), linear(z, head)]


BY_HAND = {
    "convolution": by_hand_convolution,
    "lstm": by_hand_recurrent("lstm"),
    "gru": by_hand_recurrent("gru"),
    "rnn": by_hand_recurrent("rnn"),
    "cell": by_hand_cell,
    "bare": by_hand_bare,
    "attention": by_hand_attention,
    "post-norm": by_hand_transformer,
    "pre-norm": by_hand_transformer,
}

LARGEST_SLOPE = {torch.tanh: 1.0, torch.sigmoid: 0.25}


def slopes(function: Callable[[Tensor], Tensor], pre: Tensor) -> Tensor:
    z = pre.detach().clone().requires_grad_()
    return torch.autograd.grad(function(z).sum(), z)[0].reshape(-1, z.shape[-1])


def prepare(kind: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A network with a dead unit, a saturated one, and two that are copies, where it can."""
    torch.manual_seed(3)
    make, (x, y) = networks.KINDS[kind]
    network = make()
    with torch.no_grad():
        if kind == "convolution":
            network.norm.bias[2] = -100.0
            network.up.weight.mul_(8)
        elif kind in ("lstm", "gru", "rnn", "cell"):
            cell = network.cell if kind == "cell" else network.memory
            bias = cell.bias_ih if kind == "cell" else cell.bias_ih_l0
            bias[1] = -30.0  # the first gate of unit 1, or the unit itself
            for weight in cell.parameters():
                whole = weight.view(-1, 5, *weight.shape[1:])
                whole[:, 4] = whole[:, 3]
        elif kind == "bare":
            network.across[2] *= 60
        elif kind in ("post-norm", "pre-norm"):
            network[0].linear1.weight[3] = network[0].linear1.weight[2]
            network[0].linear1.bias[3] = network[0].linear1.bias[2]
    return network, x, y


def loss(output: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(output, y)


@pytest.mark.parametrize("kind", BY_HAND)
def test_each_kind_of_layer_against_its_definition(kind: str) -> None:
    network, x, y = prepare(kind)
    probe = Probe(network, loss, x, y)
    probe.anatomy  # noqa: B018 - the first look is not what is compared
    seen = probe.measure()
    output, layers = BY_HAND[kind](network, x)
    value = loss(output, y)
    assert seen.loss == pytest.approx(value.item(), rel=1e-5)
    assert len(layers) == len(probe.layer_names) == len(probe.anatomy.layers)
    for index, layer in enumerate(layers):
        got = {name: column[index] for name, column in seen.layers.items()}
        deltas = torch.autograd.grad(value, layer.z, retain_graph=True)
        grads = torch.autograd.grad(value, layer.weights, retain_graph=True)
        whole = torch.cat([len(x) * delta.double().flatten() for delta in deltas])
        size = torch.cat([grad.double().flatten() for grad in grads]).norm()
        with torch.no_grad():
            rows, out = layer.rows, layer.out.reshape(-1, layer.out.shape[-1]).double()
            assert got["units"] == len(rows)
            assert got["distinct"] == len(np.unique(rows.numpy(), axis=0))
            weight = torch.cat([w.double().flatten() for w in layer.weights]).norm()
            assert got["weight_norm"] == pytest.approx(float(weight), rel=1e-5)
            assert got["delta_rms"] == pytest.approx(float(whole.square().mean().sqrt()), rel=1e-3)
            assert got["grad_norm"] == pytest.approx(float(size), rel=1e-3)
            assert got["activation_mean"] == pytest.approx(float(out.mean()), rel=1e-3, abs=1e-6)
            assert got["activation_std"] == pytest.approx(float(out.std(correction=0)), rel=1e-3)
            each = out.abs().mean(0)
            assert got["dormant"] == int((each <= 0.025 * each.mean()).sum())
        dead = torch.zeros(len(rows), dtype=torch.bool)
        saturated = dead.clone()
        for function, pre in layer.pre:
            slope = slopes(function, pre)
            if function is functional.relu:
                dead |= (slope == 0).all(0)
            if function in LARGEST_SLOPE:
                share = (slope < 0.05 * LARGEST_SLOPE[function]).double().mean(0)
                saturated |= share >= 0.95
        assert got["dead"] == int(dead.sum())
        assert got["saturated"] == int(saturated.sum())
        assert np.array_equal(seen.states[index] == 3, dead.numpy())


def test_the_oracles_meet_dead_saturated_dormant_and_copied_units() -> None:
    found = dict.fromkeys(("dead", "saturated", "dormant", "copied"), 0.0)
    for kind in BY_HAND:
        network, x, y = prepare(kind)
        layers = Probe(network, loss, x, y).measure().layers
        for name in ("dead", "saturated", "dormant"):
            found[name] += np.nansum(layers[name])
        found["copied"] += (layers["units"] - layers["distinct"]).sum()
    assert min(found.values()) >= 1, found


def train(kind: str, probed: bool) -> list[bytes]:
    torch.manual_seed(7)
    make, (x, y) = networks.KINDS[kind]
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    probe = Probe(network, loss, x[:9], y[:9])
    for _ in range(4):
        if probed:
            probe.remember()
        optimizer.zero_grad()
        loss(network(x), y).backward()
        optimizer.step()
        if probed:
            probe.measure(deep=True)
    noise = torch.rand(3)  # the generator goes on as if nobody had measured
    tensors = [*network.parameters(), *network.buffers(), noise]
    return [tensor.detach().numpy().tobytes() for tensor in tensors]


@pytest.mark.parametrize("kind", networks.KINDS)
def test_measuring_leaves_training_as_it_was_to_the_bit(kind: str) -> None:
    assert train(kind, probed=True) == train(kind, probed=False)


@pytest.mark.parametrize("kind", networks.KINDS)
def test_the_update_is_that_of_the_real_step(kind: str) -> None:
    network, x, y = prepare(kind)
    probe = Probe(network, loss, x, y)
    before = copy.deepcopy(network)
    probe.remember()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.01)
    ratios = probe.measure().layers["update_ratio"]
    np.testing.assert_allclose(ratios, 0.01, rtol=1e-3)
    assert not all(map(torch.equal, before.parameters(), network.parameters()))


def test_token_losses_and_several_inputs_by_a_closure() -> None:
    torch.manual_seed(0)
    words, head = nn.Embedding(11, 6), nn.Linear(6, 11)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = words, head

        def forward(self, tokens: Tensor, shift: Tensor) -> Tensor:
            return self.head(self.words(tokens) + shift)

    model = Model()
    batch = {"tokens": torch.randint(11, (4, 5)), "shift": torch.randn(4, 5, 6)}

    def forward(batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        logits = model(batch["tokens"], batch["shift"])
        return functional.cross_entropy(logits.flatten(0, 1), batch["tokens"].flatten()), 20

    seen = ForwardProbe(model, forward, batch).measure()
    z = head(words(batch["tokens"]) + batch["shift"])
    value = functional.cross_entropy(z.flatten(0, 1), batch["tokens"].flatten())
    (delta,) = torch.autograd.grad(value, [z])
    assert seen.layers["delta_rms"][1] == pytest.approx(
        float((20 * delta).square().mean().sqrt()), rel=1e-4
    )
    assert np.isnan(seen.accuracy)


class Crossing(nn.Module):
    """Attention over another sequence: the in-projection is multiplied part by part."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x[:, :2], x[:, 2:], x[:, 1:4])[0].mean(1)


def test_parts_of_one_weight_are_layers_of_their_own() -> None:
    torch.manual_seed(0)
    network = Crossing()
    x, y = networks.data(5, 8)
    probe = Probe(network, loss, x, y)
    seen = probe.measure().layers
    parts = ["attention.in_proj[0:8]", "attention.in_proj[8:16]", "attention.in_proj[16:24]"]
    assert [layer.name for layer in probe.anatomy.layers] == [*parts, "attention.out_proj"]
    w, b = network.attention.in_proj_weight, network.attention.in_proj_bias
    inputs = (x[:, :2], x[:, 2:], x[:, 1:4])
    z = [inputs[i] @ w[8 * i : 8 * i + 8].T + b[8 * i : 8 * i + 8] for i in range(3)]
    q, k, v = (part.unflatten(-1, (2, 4)) for part in z)
    weight = torch.einsum("bthd,bshd->bhts", q, k / 2).softmax(-1)
    mixed = torch.einsum("bhts,bshd->bthd", weight, v).flatten(2)
    out = mixed @ network.attention.out_proj.weight.T + network.attention.out_proj.bias
    value = loss(out.mean(1), y)
    (grad,) = torch.autograd.grad(value, [w], retain_graph=True)
    deltas = torch.autograd.grad(value, z)
    for index, delta in enumerate(deltas):
        rms = float((len(x) * delta).square().mean().sqrt())
        own = slice(8 * index, 8 * index + 8)
        assert seen["delta_rms"][index] == pytest.approx(rms, rel=1e-3)
        assert seen["grad_norm"][index] == pytest.approx(float(grad[own].norm()), rel=1e-3)
        assert seen["weight_norm"][index] == pytest.approx(float(w[own].detach().norm()), rel=1e-5)


class Branching(nn.Module):
    """One layer called twice; nothing comes of the second call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x), self.layer(2 * x)


def test_a_call_that_the_loss_does_not_see_counts_with_a_delta_of_zero() -> None:
    network = Branching()
    x, y = networks.data(4)
    seen = Probe(network, lambda output, y: loss(output[0], y), x, y).measure().layers
    z = network.layer(x)
    (delta,) = torch.autograd.grad(loss(z, y), [z])
    whole = torch.cat((len(x) * delta, torch.zeros_like(delta)))
    assert seen["delta_rms"][0] == pytest.approx(float(whole.square().mean().sqrt()), rel=1e-4)
