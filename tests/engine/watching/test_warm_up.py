"""A learning rate that is still rising is not called too small (as in nanoGPT's train.py)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

import caveats


@pytest.mark.parametrize("warm", [True, False])
def test_the_step_is_judged_after_the_warm_up(warm: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-7)
    with caveats.watch(model, optimizer, every=1) as seen:
        for step in range(40):
            if warm:
                optimizer.param_groups[0]["lr"] = 1e-7 * (step + 1)
            x = torch.randn(64, 12)
            optimizer.zero_grad()
            functional.cross_entropy(model(x), x[:, :4].argmax(1)).backward()
            optimizer.step()
    said = {v.caveat for v in seen.verdicts() if v.severity != "note"}
    assert ("step_too_small" in said) is not warm
