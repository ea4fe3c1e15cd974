"""The suite of real tables: the tables as their packages describe them, the draw, and the counts on
cases made up by hand."""

import numpy as np
import pytest
from benchmarks.real_tables.networks import RAW, SCALED, SEEDS, drawn, sampled
from benchmarks.real_tables.references import standardized
from benchmarks.real_tables.scoring import Case, report
from benchmarks.real_tables.tables import TABLES, table

# Rows, columns and classes by the packages' own documentation; at most 700 rows are used.
KNOWN = {
    "iris": (150, 4, 3), "wine": (178, 13, 3), "breast_cancer": (569, 30, 2),
    "digits": (700, 64, 10), "diabetes": (442, 10, None), "schools": (303, 12, None),
    "investment": (220, 3, None), "food": (235, 1, None), "weather": (700, 4, 5),
    "cars": (392, 6, None), "barley": (120, 18, None), "rare_tumours": (377, 30, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_tables_are_those_that_the_packages_ship(name):
    rows, columns, classes = KNOWN[name]
    found = table(name)
    assert len(found.x) + len(found.x_new) == rows
    assert len(found.x_new) == rows // 4
    assert found.x.shape[1] == columns
    assert found.task == ("regression" if classes is None else "classification")
    if classes:
        assert len(np.unique(found.y)) == classes


def test_at_least_ten_tables_of_both_kinds():
    tasks = [table(name).task for name in TABLES]
    assert len(tasks) >= 10
    assert min(tasks.count("regression"), tasks.count("classification")) >= 5


def test_no_seed_is_both_developed_on_and_held_out():
    assert not set(SEEDS["dev"]) & set(SEEDS["held-out"])
    assert len(sampled("held-out")) >= 300


def test_the_same_networks_are_drawn_each_time_and_faults_change_them():
    first, again = drawn(4101), drawn(4101)
    assert first == again
    for network in first:
        named = {SCALED.format(network.table), RAW.format(network.table)}
        assert network.config.data.file in named
        assert network.raw_target == bool({"raw", "raw_target"} & set(network.faults))
        if not network.faults:
            assert network.config.data.standardize
            assert network.config.network.widths


def test_new_rows_are_scaled_by_the_rows_that_were_seen():
    seen = np.array([[0.0, 5.0], [2.0, 5.0]])
    assert standardized(np.array([[3.0, 6.0]]), seen).tolist() == [[2.0, 1.0]]


NETWORK = drawn(4101)[0]


def case(share, flags=(), attempts=(), sizes=(1, 2, 3)):
    remedies = tuple({str(i): i for i in range(size)} for size in sizes)
    return Case(0, NETWORK, share, flags, remedies, attempts)


CASES = [
    case(0.8),
    case(0.9, ("plateau",)),
    case(0.6, ("plateau",)),  # between: counts nowhere
    case(0.1, ("plateau",), (0.75,)),
    case(0.4, ("plateau",), (0.2, 0.8)),
    case(0.4, ("plateau",), (0.2, 0.3, 0.9)),
    case(-np.inf),
]


def test_outcomes_flags_and_remedies_are_counted():
    found = report(CASES)
    assert found["networks"] == {"well-trained": 2, "between": 1, "failed": 4}

    def counts(title):
        return found[title]["count"], found[title]["of"]

    assert counts("well-trained flagged") == (1, 2)
    assert counts("failed flagged") == (3, 4)
    assert counts("first remedy reaches .75") == (1, 4)
    assert counts("one of five reaches .75") == (3, 4)
    assert counts("it changes one setting") == (1, 3)
    assert counts("it changes at most two") == (2, 3)
    assert counts("where the first works, one setting") == (1, 1)
