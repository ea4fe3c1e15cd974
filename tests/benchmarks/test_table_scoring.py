"""The counts over the second generator's networks, on seven made-up cases counted by hand."""

import pytest
from benchmarks.verdict_suite.table_labels import TableLabel
from benchmarks.verdict_suite.table_scoring import TableCase, report, wilson
from benchmarks.verdicts import show_tables


def case(index, kind, flags=(), injected=(), shown=()):
    label = TableLabel(kind, 0.0, 1.0, injected, frozenset(shown))
    return TableCase(index, label, frozenset(flags))


CASES = [
    case(0, "healthy"),
    case(1, "healthy", ["saturation"], ["clip"]),
    case(2, "faulty", ["dying_relu", "plateau"], ["frozen_layer", "clip"], ["frozen_layer"]),
    case(3, "faulty", ["plateau"], ["clip"], ["clip"]),
    case(4, "faulty", (), ["clip"]),
    case(5, "between", ["plateau"]),  # counts nowhere
    case(6, "hopeless"),
]


def test_flags_are_counted_by_outcome():
    found = report(CASES)
    assert found["networks"] == {"between": 1, "faulty": 3, "healthy": 2, "hopeless": 1}
    assert (found["healthy"]["share"], found["faulty"]["share"]) == (0.5, 2 / 3)
    assert found["faulty"]["caveats"] == {"plateau": 2, "dying_relu": 1}
    assert found["missed"] == [4]
    assert found["false_alarms"] == {1: ["saturation"]}


def test_a_fault_is_counted_where_it_was_put_in():
    assert report(CASES)["faults"] == {
        "clip": {"networks": 4, "failed": 3, "flagged": 2, "shown": 1},
        "frozen_layer": {"networks": 1, "failed": 1, "flagged": 1, "shown": 1},
    }


def test_the_interval_of_a_share():
    assert wilson(5, 50) == pytest.approx((0.0435, 0.2136), abs=1e-4)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1


def test_the_table_says_the_goals(capsys):
    show_tables("made up", report(CASES))
    out = capsys.readouterr().out
    assert "healthy networks flagged: 1 of 2, 50.0%" in out
    assert "goal at least 95 %); by plateau 2, dying_relu 1" in out
    assert out.splitlines()[-1].split() == ["frozen_layer", "1", "1", "1", "1"]
