"""The README repeats figures of docs/verdicts.md, and what the page counts is so."""

import re
from pathlib import Path

import pytest
from benchmarks.verdict_suite import sampling, table_networks, tables
from benchmarks.verdict_suite.table_scoring import wilson

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
PAIR = re.compile(r"(\d+) of (\d+)")


def counts(row):
    """The last pair "N of M" of each cell."""
    return [tuple(map(int, found[-1])) for found in map(PAIR.findall, row.split("|")) if found]


def row_of(start):
    (row,) = (line for line in PAGE.splitlines() if line.startswith(start))
    return row


def test_the_readme_adds_up_the_last_looks_of_the_page():
    healthy, faulty = counts(row_of("| 3421–3424, 200 networks"))
    well, failed = (
        counts(row_of(f"| {title} |"))[-1] for title in ("well-trained flagged", "failed flagged")
    )
    false, sound = (healthy[i] + well[i] for i in (0, 1))
    found, failures = (faulty[i] + failed[i] for i in (0, 1))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert (
        f"of 520 networks on tables, drawn after the rules were written, {false} of the {sound} "
        f"well-trained ones is flagged, and {found} of the {failures} that failed."
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
