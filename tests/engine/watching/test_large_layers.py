"""Layers that are too large to copy are measured in parts; the numbers are those of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import caveats
from caveats.measuring.columns import LARGE, norm_by_parts
from caveats.watching.reading import MOST_MOVED, sampled

UNITS, INPUTS = 700, 1024


def test_a_layer_of_many_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(INPUTS, UNITS, bias=False), nn.ReLU(), nn.Linear(UNITS, 3))
    weight = model[0].weight
    with torch.no_grad():
        weight[300:400] = weight[0]  # a hundred copies
    assert weight.numel() > max(LARGE, MOST_MOVED, 2**18)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sizes, slopes, moves = [], [], []
    with caveats.watch(model, optimizer, every=1) as seen:
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.randn(16, INPUTS)).square().mean().backward()
            before = weight.detach().double()
            sizes.append(float(before.norm()))
            slopes.append(float(weight.grad.double().norm()))
            optimizer.step()
            moves.append(float((weight.detach().double() - before).norm()) / sizes[-1])
    records = seen.history.snapshot()
    read = {n: records.layers(n)[:4, 0] for n in ("weight_norm", "grad_norm", "update_ratio")}
    assert read["weight_norm"].tolist() == pytest.approx(sizes, rel=1e-12)
    assert read["grad_norm"].tolist() == pytest.approx(slopes, rel=1e-12)
    assert read["update_ratio"][1:].tolist() == pytest.approx(moves[:3], rel=0.05)  # of a part
    assert records.layers("distinct")[0, 0] == UNITS - 100


def test_the_norm_of_a_large_tensor_is_that_of_all_of_it() -> None:
    torch.manual_seed(0)
    for scale in (1.0, 1e-30):  # whose squares float32 has no number for
        tensor = torch.randn(3, 2**17 + 5) * scale
        assert norm_by_parts(tensor.T) == pytest.approx(float(tensor.double().norm()), rel=1e-12)


def test_what_is_compared_before_and_after_a_step_is_spread_over_rows_and_columns() -> None:
    weight = torch.arange(2**19).reshape(512, 1024)
    found = sampled(weight)
    assert 2**19 / len(found) < 2 * 2**19 / MOST_MOVED
    assert len(set((found // 1024).tolist())) == 512
    assert len(set((found % 1024).tolist())) == 1024
