"""Every row of the literature's table passes (a minute: it trains and draws 800,000 networks)."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "literature.py"


@pytest.mark.slow
def test_the_literatures_numbers_come_out_again():
    spec = importlib.util.spec_from_file_location("literature", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["literature"] = module
    spec.loader.exec_module(module)
    rows = list(module.rows())
    assert len(rows) >= 30
    assert [row for row in rows if not row.passed] == []
