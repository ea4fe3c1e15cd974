"""Computes numbers of the literature again and compares them in one table.

    python -m benchmarks.literature [--long]

Each row: source, what, the paper's number, ours, the tolerance, pass or fail. The tolerance is 1e-6
for closed forms (or the digits printed in the paper) and 3 standard errors for Monte Carlo; for
finite networks and trainings the row names it, or the row is an inequality. ``--long`` adds the
rows of `benchmarks.trainings` and of `benchmarks.atlases`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
from benchmarks.atlases import ATLASES
from benchmarks.row import Row
from benchmarks.trainings import TRAININGS
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.models.mlp import build, linears
from caveats.theory import critical_point, edge_of_chaos, factor
from caveats.theory.kernels import gaussian_moments
from caveats.theory.response import Response

__all__ = ["main", "rows"]


def rows(long: bool = False) -> Iterator[Row]:
    """Every row, computed when it is asked for: about a minute and a half on one core, several
    minutes more with ``long``."""
    for part in (*PARTS, *((*TRAININGS, *ATLASES) if long else ())):
        yield from part()


def closed_forms() -> Iterator[Row]:
    edge = edge_of_chaos(Response.of("tanh"), 0.05)
    assert edge is not None
    yield Row("Schoenholz 2017", "tanh, σ_b² = .05: σ_w² at the edge", 1.7610, edge[0], 5e-5)
    gelu = critical_point(Response.of("gelu"))
    assert gelu is not None
    star = (3 + math.sqrt(17)) / 2
    yield Row("Roberts 2022", "GELU: critical K* = (3 + √17)/2", star, gelu[0], 1e-6)
    yield Row("Roberts 2022", "GELU: σ_w² there", 1.98305826, gelu[1], 1e-6)
    yield Row("Roberts 2022", "GELU: σ_b² there", 0.17292239, gelu[2], 1e-6)
    silu = critical_point(Response.of("silu"))
    assert silu is not None
    yield Row("Roberts 2022", "SiLU: critical K*", 14.32017362, silu[0], 1e-6)
    selu = gaussian_moments(Response.of("selu"), np.array([1.0]))
    yield Row("Klambauer 2017", "SELU: mean at N(0, 1)", 0.0, float(selu.mean[0]), 1e-6)
    yield Row("Klambauer 2017", "SELU: second moment at N(0, 1)", 1.0, float(selu.square[0]), 1e-6)
    network = {"widths": [100] * 30, "activation": "relu"}
    for init, what, paper in (
        ("xavier_normal", "ReLU + Xavier: √½ a layer", math.sqrt(0.5)),
        ("he_normal", "ReLU + He: 1 a layer", 1.0),
    ):
        config = RunConfig.from_dict({"network": {**network, "init": init}})
        yield Row("He 2015", what, paper, factor(config, 100).per_layer, 1e-6)


def he_thirty_layers() -> Iterator[Row]:
    """30 layers of ReLU with Xavier: the logarithm of delta in layer 1 over layer 30, which Hanin
    and Nica's β = 5/N a layer shifts."""
    network = {"widths": [100] * 30, "activation": "relu", "init": "xavier_normal"}
    config = RunConfig.from_dict({"network": network})
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 100))).float()
    logs = []
    for seed in range(200):
        model = build(config.network, 100, 10, seed)
        first, *_, last = deltas(model, x)
        logs.append(math.log(float(first.norm() / last.norm())))
    expected = 29 * math.log(0.5) / 2 - 29 * 5 / 100 / 4
    error = 3 * float(np.std(logs)) / math.sqrt(len(logs))
    yield Row("He 2015", "30 layers: ln(delta 1 / delta 30)", expected, float(np.mean(logs)), error)


def deltas(model: nn.Module, x: Tensor) -> list[Tensor]:
    """dLoss/dz of every hidden layer for a loss linear in the output."""
    kept: list[Tensor] = []
    handles = [
        layer.register_forward_hook(lambda module, inputs, z: kept.append(z))
        for layer in linears(model)
    ]
    out = model(x)
    for handle in handles:
        handle.remove()
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
    return list(torch.autograd.grad((out * direction).sum(), kept[:-1]))


def singular_values() -> Iterator[Row]:
    generator = torch.Generator().manual_seed(0)
    n = 1000
    for name, scale, paper in (
        ("U(±1/√n)", 1 / math.sqrt(3), 8 / (3 * math.pi) / math.sqrt(3)),
        ("variance 1/n", 1.0, 8 / (3 * math.pi)),
    ):
        weight = (2 * torch.rand(n, n, generator=generator) - 1) * math.sqrt(3 / n) * scale
        mean = float(torch.linalg.svdvals(weight).mean())
        yield Row("Glorot 2010", f"{name}: mean singular value", paper, mean, 2e-3)


def glorot_gradients() -> Iterator[Row]:
    """Five tanh layers with Glorot's initialisation: the variance of dW is the same everywhere."""
    network = {"widths": [500] * 5, "activation": "tanh", "init": "xavier_uniform"}
    config = RunConfig.from_dict({"network": network})
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((200, 500))).float() * 0.3
    model = build(config.network, 500, 10, 0)
    y = torch.arange(200) % 10
    weights = [layer.weight for layer in linears(model)[1:-1]]
    grads = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), weights)
    sizes = [float(grad.std()) for grad in grads]
    yield Row("Glorot 2010", "std of dW, layer 5 over layer 2", 1.0, sizes[-1] / sizes[0], 0.1)


def born_dead() -> Iterator[Row]:
    """Lu 2019: the share of networks of one input whose output is constant, of 100,000 networks."""
    for width, paper in ((10, 0.0013), (5, 0.129), (3, 0.581)):
        share, error = dead_share(width, 10, 100_000)
        # The paper's own number is rounded in its last digit.
        error = 3 * error + 0.5 * 10.0 ** -len(str(paper).split(".")[1])
        yield Row("Lu 2019", f"10 layers of width {width}: born dead", paper, share, error)
    inside = 0
    cells = [(width, depth) for width in (2, 3, 4, 5, 6) for depth in (3, 5, 10, 15, 20)]
    for width, depth in cells:
        share, error = dead_share(width, depth, 20_000)
        low, high = lu_bounds(width, depth)
        inside += low - 3 * error <= share <= high + 3 * error
    yield Row("Lu 2019", "cells (width, depth) inside the bounds", 25, inside, 0)


def dead_share(width: int, depth: int, networks: int) -> tuple[float, float]:
    """The share of ReLU networks from R to R, of ``depth`` layers without bias, that are constant.

    Without biases the output is proportional to |x| on each half-line, so x = ±1 are enough.
    """
    generator = torch.Generator().manual_seed(width * 100 + depth)
    x = torch.tensor([[1.0, -1.0]]).expand(networks, 1, 2)
    for _ in range(depth - 1):
        weight = torch.randn(networks, width, x.shape[1], generator=generator)
        x = torch.bmm(weight, x).relu()  # (networks, width, 2)
    share = float((x == 0).all(2).all(1).double().mean())
    return share, math.sqrt(max(share * (1 - share), 1 / networks) / networks)


def lu_bounds(width: int, depth: int) -> tuple[float, float]:
    """Theorem 3.3 of Lu et al. 2019, for one input."""
    n = float(width)
    one = 1 - 2**-n
    two = 1 - 2 ** (1 - n) - (n - 1) * 4**-n
    share = (1 - 2 ** (1 - n)) * (1 - 2**-n) / (1 + (n - 1) * 2**-n)
    low = 1 - one ** (depth - 2) + share * (two ** (depth - 2) - one ** (depth - 2))
    return low, 1 - one ** (depth - 1)


def hanin_nica() -> Iterator[Row]:
    """ln |x|² through 30 He ReLU layers of width 50, 4,000 networks in one tensor."""
    width, depth, networks = 50, 30, 4000
    generator = torch.Generator().manual_seed(0)
    x = torch.ones(networks, width, 1)
    for _ in range(depth):
        weight = torch.randn(networks, width, width, generator=generator) * math.sqrt(2 / width)
        x = torch.bmm(weight, x).relu()
    logs = x.square().sum((1, 2)).double().log()
    variance = float(logs.var())
    # Each layer multiplies |x|² by 2/N χ²_k, k ~ Binomial(N, ½), independently: the exact value,
    # of which Hanin and Nica's β = 5 L/N = 3.00 is the leading order in 1/N.
    ks = torch.arange(1, width + 1, dtype=torch.float64)
    p = torch.tensor([math.comb(width, int(k)) for k in ks], dtype=torch.float64)
    p = p / p.sum()
    mean = torch.special.digamma(ks / 2)
    exact = (p * torch.special.polygamma(1, ks / 2)).sum() + (p * mean**2).sum()
    exact = depth * float(exact - (p * mean).sum() ** 2)
    spread = float((logs - logs.mean()).pow(4).mean()) - variance**2
    error = 3 * math.sqrt(spread / networks)
    yield Row("Hanin & Nica 2018", "var ln|x|², N = 50, L = 30 (β = 3.00)", exact, variance, error)


def batch_norm() -> Iterator[Row]:
    """Yang 2019: BatchNorm before ReLU multiplies gradients by √(π/(π−1)) a layer."""
    depth, width, rows_ = 24, 512, 512
    logs = []
    for seed in range(3):
        torch.manual_seed(seed)
        x = torch.randn(rows_, width)
        kept = []
        for _ in range(depth):
            z = x @ (torch.randn(width, width) / math.sqrt(width)).requires_grad_()
            kept.append(z)
            x = ((z - z.mean(0)) / z.std(0, correction=0)).relu()
        # The scale of z is 1 or √½, depending on the place: compare places with the same scale.
        grads = torch.autograd.grad((x * torch.randn_like(x)).sum(), kept)
        sizes = [float(grad.norm()) for grad in grads]
        logs.append(math.log(sizes[3] / sizes[-2]) / (len(sizes) - 5))
    ours = math.exp(float(np.mean(logs)))
    paper = math.sqrt(math.pi / (math.pi - 1))
    yield Row("Yang 2019", "BatchNorm + ReLU: factor a layer", paper, ours, 0.01)


def selu_network() -> Iterator[Row]:
    network = {"widths": [500] * 50, "activation": "selu", "init": "lecun_normal"}
    config = RunConfig.from_dict({"network": network})
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((500, 500))).float()
    with torch.no_grad():
        out = build(config.network, 500, 10, 0)[:-1](x)
    yield Row("Klambauer 2017", "SELU, 50 layers: mean", 0.0, float(out.mean()), 0.05)
    yield Row("Klambauer 2017", "SELU, 50 layers: variance", 1.0, float(out.var()), 0.1)


def saxe() -> Iterator[Row]:
    """Saxe 2013: a two-layer linear network learns each singular mode at a time of its own."""
    strengths, start, lr = np.array([4.0, 2.0, 1.0, 0.5]), 1e-3, 0.005
    first = second = np.diag(np.full(4, math.sqrt(start)))
    times = np.zeros(4)
    for step in range(1, 3000):
        error = np.diag(strengths) - second @ first
        first, second = first + lr * second.T @ error, second + lr * error @ first.T
        learned = np.diag(second @ first) >= strengths / 2
        times[learned & (times == 0)] = step
    for strength, ours in zip(strengths, times, strict=True):
        paper = math.log(strength / start - 1) / (2 * strength * lr)
        what = f"half-time of the mode of strength {strength:g} (steps)"
        yield Row("Saxe 2013", what, paper, float(ours), max(2.0, 0.02 * paper))
    matrices = torch.randn(100, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    product = torch.linalg.multi_dot(tuple(torch.linalg.qr(matrices)[0]))
    values = torch.linalg.svdvals(product)
    smallest = float(values.min())
    yield Row("Saxe 2013", "100 orthogonal layers: smallest singular value", 1.0, smallest, 1e-6)


def quadratic_rates() -> Iterator[Row]:
    """Polyak 1964: the best rates on a quadratic of condition number 100."""
    low, high = 1.0, 100.0
    lr = 2 / (low + high)
    x = np.array([1.0, 1.0])
    for _ in range(2000):
        last, x = x, x - lr * np.array([low, high]) * x
    ours = float(np.linalg.norm(x) / np.linalg.norm(last))
    yield Row("Polyak 1964", "κ = 100, gradient descent (κ−1)/(κ+1)", 99 / 101, ours, 1e-6)
    momentum = ((math.sqrt(high) - 1) / (math.sqrt(high) + 1)) ** 2
    lr = (2 / (math.sqrt(low) + math.sqrt(high))) ** 2
    radii = [
        np.abs(np.linalg.eigvals([[1 + momentum - lr * h, -momentum], [1.0, 0.0]])).max()
        for h in (low, 10.0, high)
    ]
    yield Row("Polyak 1964", "κ = 100, momentum (√κ−1)/(√κ+1)", 9 / 11, float(max(radii)), 1e-6)


def uncentred_inputs() -> Iterator[Row]:
    """LeCun 1998: inputs of mean m make one eigenvalue n m² + 1 of the linear unit's Hessian."""
    n, mean = 64, 5.0
    x = np.random.default_rng(0).standard_normal((20_000, n)) + mean
    largest = float(np.linalg.eigvalsh(x.T @ x / len(x))[-1])
    paper = n * mean**2 + 1
    yield Row("LeCun 1998", "64 inputs of mean 5: λ_max = n m² + 1", paper, largest, 0.005 * paper)


def edge_of_stability() -> Iterator[Row]:
    """Cohen 2021: full-batch gradient descent drives the sharpness to 2/lr and stays there."""
    from caveats.data import load

    data = load({"name": "digits"})
    x = torch.tensor(data.x[:300])
    y = nn.functional.one_hot(torch.tensor(data.y[:300]), 10).float()
    # Every run must start below its limit; torch's default weights are flat enough for the lower.
    for lr, init, steps in ((0.1, "xavier_normal", 4000), (0.2, "torch_default", 3000)):
        network = {"widths": [32, 32], "activation": "tanh", "init": init}
        model = build(RunConfig.from_dict({"network": network}).network, 64, 10, 0)
        weights: list[Tensor] = list(model.parameters())

        def loss(model: nn.Module = model) -> Tensor:
            value: Tensor = (model(x) - y).square().sum(1).mean() / 2
            return value

        found = []
        for step in range(1, steps + 1):
            grads = torch.autograd.grad(loss(), weights)
            with torch.no_grad():
                torch._foreach_sub_(weights, list(grads), alpha=lr)
            if step > steps - 500 and step % 100 == 0:
                found.append(sharpness(loss, weights))
        what = f"tanh, digits, 2/lr = {2 / lr:g}: sharpness"
        yield Row("Cohen 2021", what, 2 / lr, float(np.mean(found)), 0.05 * 2 / lr)


def sharpness(loss: Callable[[], Tensor], weights: list[Tensor]) -> float:
    """The Hessian's largest eigenvalue by 60 power iterations."""
    grads = torch.autograd.grad(loss(), weights, create_graph=True)
    generator = torch.Generator().manual_seed(0)
    vector = [torch.randn(w.shape, generator=generator) for w in weights]
    value = 0.0
    for _ in range(60):
        size = math.sqrt(sum(float(v.square().sum()) for v in vector))
        vector = [v / size for v in vector]
        along = sum((g * v).sum() for g, v in zip(grads, vector, strict=True))
        assert isinstance(along, Tensor)
        turned = torch.autograd.grad(along, weights, retain_graph=True)
        value = sum(float((t * v).sum()) for t, v in zip(turned, vector, strict=True))
        vector = list(turned)
    return value


def recurrent() -> Iterator[Row]:
    """Bengio 1994, Pascanu 2013: each step back in time multiplies gradients by the radius."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(200, 200, generator=generator).double()
    weight /= torch.linalg.eigvals(weight).abs().max()
    for radius in (0.5, 0.95, 1.25):
        delta = torch.randn(200, generator=generator).double()
        logs = []
        for _ in range(400):
            delta = radius * (weight.T @ delta)
            size = float(delta.norm())
            logs.append(math.log(size))
            delta /= size
        ours = math.exp(float(np.mean(logs[100:])))
        what = f"recurrent, spectral radius {radius}: factor a step"
        yield Row("Pascanu 2013", what, radius, ours, 0.01 * radius)


PARTS: tuple[Callable[[], Iterator[Row]], ...] = (
    closed_forms,
    he_thirty_layers,
    singular_values,
    glorot_gradients,
    born_dead,
    hanin_nica,
    batch_norm,
    selu_network,
    saxe,
    quadratic_rates,
    uncentred_inputs,
    edge_of_stability,
    recurrent,
)


def main() -> int:
    torch.set_num_threads(1)
    print(f"{'source':16} {'what':50} {'paper':>13} {'ours':>12} {'tolerance':>10}")
    found = []
    for row in rows("--long" in sys.argv[1:]):
        found.append(row)
        print(
            f"{row.source:16} {row.what:50} {row.relation:>2}{row.paper:11.7g} {row.ours:12.7g} "
            f"{row.tolerance:10.2g}  {'pass' if row.passed else 'FAIL'}",
            flush=True,
        )
    passed = sum(row.passed for row in found)
    print(f"{passed} of {len(found)} rows pass")
    return 0 if passed == len(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
