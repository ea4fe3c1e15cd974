"""The rows of the literature that train networks for minutes, for `benchmarks.literature --long`.

A curve in a paper becomes an inequality over three seeds. Sokar 2023's dormant share is left out,
because it needs ReDo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from benchmarks.row import Row
from torch import Tensor, nn

from caveats.config import RunConfig
from caveats.data import load
from caveats.experiments import find
from caveats.measuring.sharpness import Sharpness
from caveats.models.mlp import build, linears
from caveats.run import Run
from caveats.theory import fixed_point
from caveats.theory.response import Response
from caveats.training.stability import stability_limit

__all__ = ["TRAININGS"]

SEEDS = range(3)


def he_training() -> Iterator[Row]:
    """He 2015, figure 3: thirty ReLU layers stall with Xavier's variance and learn with He's."""
    found = {
        init: [trained_accuracy(init, seed) for seed in SEEDS]
        for init in ("xavier_normal", "he_normal")
    }
    stalled, learned = max(found["xavier_normal"]), min(found["he_normal"])
    yield Row("He 2015", "30 layers, Xavier: best accuracy of 3", 0.2, stalled, 0.0, "<=")
    text = "30 layers, He: worst of 3 over Xavier's best"
    yield Row("He 2015", text, stalled, learned, 0.0, ">=")


def trained_accuracy(init: str, seed: int) -> float:
    config = find("he_2015").config.changed({"network.init": init, "training.seed": seed})
    run = Run(config, every=config.training.steps)
    while not run.finished:
        run.advance()
    return float(run.history.snapshot().scalar("accuracy")[-1])


def glorot_figure_two() -> Iterator[Row]:
    """Glorot 2010, figure 2: the top layer of four sigmoid layers saturates at its lower end and
    recovers after a long time; the top layer of five stays there. The paper counts epochs on other
    data. The steps here, until 90 % of rows are right, are the range found on digits when this
    project began."""
    four, five = ([sinking(depth, seed) for seed in SEEDS] for depth in (4, 5))
    lowest = max(min(means) for means, _ in four)
    yield Row("Glorot 2010", "4 sigmoid layers: lowest mean of the top one", 0.02, lowest, 0.01)
    learned = [at for _, at in four]
    yield Row("Glorot 2010", "4 layers: learned at, first of 3", 3400, min(learned), 0, ">=")
    yield Row("Glorot 2010", "4 layers: learned at, last of 3", 4100, max(learned), 0, "<=")
    stuck = sum(max(means[len(means) // 5 :]) <= ESCAPED for means, _ in five)
    yield Row("Glorot 2010", "5 layers: of 3 saturated until step 5,000", 3, stuck, 0)


ESCAPED = 0.1  # the top layer's mean starts at 0.5 and falls to 0.02


def sinking(depth: int, seed: int) -> tuple[list[float], float]:
    """The top hidden layer's mean activation at every twentieth step of 5,000, and the step at
    which 90 % of the rows are right (inf if they never are)."""
    changes = {"network.widths": [64] * depth, "training.seed": seed}
    config = find("glorot_2010").config.changed(changes)
    data = load(config.data.settings())
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    network = build(config.network, data.features, data.outputs, seed)
    with torch.no_grad():
        for layer in linears(network):
            layer.bias.zero_()  # as in the paper; torch draws them like weights
    weights: list[Tensor] = list(network.parameters())
    draw = torch.Generator().manual_seed(seed)
    means, learned = [], math.inf
    order = torch.empty(0, dtype=torch.long)
    for step in range(5000):
        if len(order) < 32:
            order = torch.randperm(len(x), generator=draw)
        batch, order = order[:32], order[32:]
        loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
        grads = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            torch._foreach_sub_(weights, list(grads), alpha=1.0)
            if step % 20 == 0:
                top = network[:-1](x[:512])
                means.append(float(top.mean()))
                if float((network[-1](top).argmax(1) == y[:512]).float().mean()) >= 0.9:
                    learned = min(learned, step)
    return means, learned


def adaptive_edge() -> Iterator[Row]:
    """Cohen 2022: full-batch Adam drives the preconditioned sharpness to 38/lr."""
    data = load({"name": "digits"})
    x = torch.tensor(data.x[:300])
    y = nn.functional.one_hot(torch.tensor(data.y[:300]), 10).float()
    network = {"widths": [32, 32], "activation": "tanh", "init": "xavier_normal"}
    for lr, steps in ((3e-3, 2000), (1e-2, 4000)):
        model = build(RunConfig.from_dict({"network": network}).network, 64, 10, 0)

        def loss(out: Tensor, target: Tensor) -> Tensor:
            value: Tensor = (out - target).square().sum(1).mean() / 2
            return value

        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        meter = Sharpness(model, loss, x, y)
        found = []
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            torch.autograd.backward(loss(model(x), y))
            optimizer.step()
            if step > steps - 500 and step % 50 == 0:
                found.append(meter.measure(preconditioner(model, optimizer, step)))
        limit = stability_limit("adam", lr, {"betas": (0.9, 0.999)})
        ours = sum(found) / len(found) / limit
        yield Row("Cohen 2022", f"Adam, lr {lr:g}: sharpness over 38/lr", 1.0, ours, 0.06)


def preconditioner(model: nn.Module, optimizer: torch.optim.Adam, step: int) -> list[Tensor]:
    """1/√(√v̂ + ε) of each parameter, where v̂ has Adam's bias correction."""
    correction = 1 - 0.999**step
    states = [optimizer.state[p] for p in model.parameters()]
    return [((s["exp_avg_sq"] / correction).sqrt() + 1e-8).rsqrt() for s in states]


def trainable_depth() -> Iterator[Row]:
    """Schoenholz 2017, section 5: tanh networks train up to a depth of about 6 ξ, where ξ is the
    depth over which correlations fall by a factor e. σ_b² = 0.05, on both sides of the edge."""
    for weights in (1.0, 3.0):
        at = fixed_point(Response.of("tanh"), weights, 0.05)
        xi = at.depth_of_correlation
        for times, what, relation, paper in (
            (2, "worst", ">=", 0.9),
            (12, "best", "<=", 0.3),
        ):
            depth = math.ceil(times * xi)
            found = [tanh_accuracy(weights, 0.05, depth, seed) for seed in SEEDS]
            ours = min(found) if what == "worst" else max(found)
            text = f"σ_w² = {weights:g}, {times} ξ = {depth} layers: {what} accuracy"
            yield Row("Schoenholz 2017", text, paper, ours, 0.0, relation)


def tanh_accuracy(weights: float, biases: float, depth: int, seed: int) -> float:
    """The accuracy on the training rows of digits after 300 steps of SGD at 0.01 on batches of
    64."""
    data = load({"name": "digits"})
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    draw = torch.Generator().manual_seed(seed)
    sizes = [data.features, *[128] * depth, data.outputs]
    parameters = []
    for fan_in, units in pairwise(sizes):
        w = torch.randn(units, fan_in, generator=draw) * math.sqrt(weights / fan_in)
        b = torch.randn(units, generator=draw) * math.sqrt(biases)
        parameters += [w.requires_grad_(), b.requires_grad_()]

    def output(h: Tensor) -> Tensor:
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            h = torch.tanh(nn.functional.linear(h, w, b))
        return nn.functional.linear(h, *parameters[-2:])

    for _ in range(300):
        batch = torch.randint(len(x), (64,), generator=draw)
        loss = nn.functional.cross_entropy(output(x[batch]), y[batch])
        grads = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_sub_(parameters, list(grads), alpha=0.01)
    with torch.no_grad():
        return float((output(x).argmax(1) == y).float().mean())


TRAININGS: tuple[Callable[[], Iterator[Row]], ...] = (
    he_training,
    glorot_figure_two,
    adaptive_edge,
    trainable_depth,
)
