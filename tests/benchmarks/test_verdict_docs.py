"""The README and docs/verdicts.md show the same table, and what the page counts is so."""

from pathlib import Path

import pytest
from benchmarks.verdict_suite import sampling, table_networks, tables
from benchmarks.verdict_suite.table_scoring import wilson

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def rows(text):
    start = text.index("| | healthy flagged")
    return text[start : text.index("\n\n", start)]


def test_readme_and_page_show_the_same_table():
    assert rows((ROOT / "README.md").read_text(encoding="utf-8")) == rows(PAGE)


def test_the_page_says_how_many_networks_there_are():
    seeds = [seed for part in sampling.SEEDS.values() for seed in part]
    assert f"draws {len(seeds) * (sampling.COUNT + sampling.COUNT_NOISY):,} networks" in WORDS
    seeds = [seed for part in table_networks.SEEDS.values() for seed in part]
    assert f"draws {len(seeds) * table_networks.COUNT} networks" in WORDS
    held_out = len(table_networks.SEEDS["held-out"]) * table_networks.COUNT
    assert f"on the {held_out} networks held out" in WORDS
    assert len(tables.TABLES) == 12  # "the six that scikit-learn ships and six"


def test_the_pages_example_of_an_interval():
    assert wilson(4, 150) == pytest.approx((0.01, 0.07), abs=0.005)
