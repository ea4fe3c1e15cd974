"""The literature's table and theory's grid, every row (the table 5 minutes, the grid 30)."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_literatures_numbers_come_out_again(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    rows = list(importlib.import_module("benchmarks.literature").rows(long=True))
    assert len(rows) >= 46
    assert [row for row in rows if not row.passed] == []


@pytest.mark.slow
def test_theory_is_within_its_bounds_over_the_whole_grid(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    rows = list(importlib.import_module("benchmarks.theory").rows())
    assert len(rows) == 72
    assert [row for row in rows if not row.passed] == []
