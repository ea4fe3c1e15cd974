"""The oracle's count of copies, which labels are made of."""

import torch
from benchmarks.verdict_suite.oracle import kinds


def test_copies_are_counted_each_by_its_own_length():
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(6, 5, generator=rng, dtype=torch.float64)
    assert kinds(rows) == 6
    assert kinds(rows.repeat(3, 1)) == 6
    assert kinds(torch.cat((rows, rows * (1 + 1e-7)))) == 6  # parted by rounding
    assert kinds(torch.zeros(4, 5, dtype=torch.float64)) == 1
    # One unit thrown far off does not make copies of the others.
    assert kinds(torch.cat((rows, 1e9 * rows[:1]))) == 7
