"""The README repeats figures of docs/verdicts.md, and what the page counts is so."""

import re
from pathlib import Path

import pytest
from benchmarks.verdict_suite import sampling, table_networks, tables
from benchmarks.verdict_suite.table_scoring import wilson

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def test_the_readme_repeats_the_first_row_of_the_page():
    (row,) = (line for line in PAGE.splitlines() if "config hidden from the rules" in line)
    healthy, faulty = (cell.strip(" *") for cell in row.split("|")[2:4])
    (count,) = re.findall(r"\*\*The first row\*\* is of [^:]*: (\d+) networks", WORDS)
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"on {count} networks that the rules were not tuned on, {healthy} of the healthy ones are "
        f"flagged, and {faulty} of the faulty ones"
    ) in readme


def test_the_page_says_how_many_networks_there_are():
    seeds = [seed for part in sampling.SEEDS.values() for seed in part]
    assert f"draws {len(seeds) * (sampling.COUNT + sampling.COUNT_NOISY):,} networks" in WORDS
    seeds = [seed for part in table_networks.SEEDS.values() for seed in part]
    assert f"draws {len(seeds) * table_networks.COUNT:,} networks" in WORDS
    held_out = len(table_networks.SEEDS["held-out"]) * table_networks.COUNT
    assert f"on the {held_out} networks held out" in WORDS
    assert len(tables.TABLES) == 12  # "the six that scikit-learn ships and six"


def test_the_pages_example_of_an_interval():
    assert wilson(4, 150) == pytest.approx((0.01, 0.07), abs=0.005)
