"""The suite of public reports: what stands in it, and its counts on results made up by hand."""

from collections import Counter

import numpy as np
import pytest
from benchmarks.reports.__main__ import share
from benchmarks.reports.catalogue import HELD_OUT, REPORTS
from benchmarks.reports.judging import Result, balanced
from benchmarks.reports.report import Cure, Report, Rows

from caveats.verdicts import CAVEATS

NEW = {"unscaled_data", "class_imbalance", "overfitting"}


def test_at_least_24_reports_each_with_its_own_source():
    assert len(REPORTS) >= 24
    assert len({r.name for r in REPORTS}) == len({r.url for r in REPORTS}) == len(REPORTS)
    for report in REPORTS:
        assert report.url.startswith(("https://", "http://"))
        assert report.title
        assert report.wrong


def test_a_third_is_held_out():
    assert len(HELD_OUT) == len(REPORTS) // 3


def test_scale_is_the_commonest_kind_as_in_the_world():
    kinds = Counter(r.kind for r in REPORTS)
    assert kinds.most_common(1)[0][0] == "scale"
    assert len(kinds) >= 8


def test_at_most_six_reports_need_settings_that_came_later():
    later = {"output_activation", "validation", "class_weight", "standardize_target"}
    needing = [r for r in REPORTS if any(later & set(section) for section in r.config.values())]
    assert len(needing) <= 6


def test_every_cause_is_a_caveat_by_its_name():
    assert {name for r in REPORTS for name in r.causes} <= set(CAVEATS) | NEW


@pytest.mark.parametrize("report", REPORTS, ids=lambda r: r.name)
def test_rows_are_the_same_each_time_and_finite(report):
    if report.rows is None:
        return
    first, again = (report.rows(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert np.isfinite(first.x).all()
    assert len(first.x) == len(first.y) >= 4


def test_rare_rows_are_repeated_until_the_classes_are_equally_many():
    rows = balanced(Rows(np.arange(10.0)[:, None], np.array([0] * 8 + [1] * 2)))
    assert np.bincount(rows.y).tolist() == [8, 8]
    assert set(rows.x[rows.y == 1, 0]) == {8.0, 9.0}


def result(own, best, flags, attempts, sizes=(1, 2)):
    report = Report("r", "scale", "", "", "", {}, {"unscaled_data": Cure()})
    remedies = tuple({f"key{i}": i for i in range(size)} for size in sizes)
    return Result(report, "", own, {"unscaled_data": best}, flags, remedies, attempts)


def test_a_report_counts_only_if_it_failed_and_its_cure_works():
    assert result(0.1, 0.9, (), ()).sound
    assert not result(0.5, 0.9, (), ()).sound  # it got more than half of the way
    assert not result(0.0, 0.1, (), ()).sound  # nothing to learn
    both = Report("r", "scale", "", "", "", {}, {})
    cures = {"unscaled_data": 0.9, "step_too_small": 0.3}
    assert not Result(both, "", 0.0, cures).sound  # one of its cures does not work alone


def test_named_headline_and_cured():
    r = result(0.0, 1.0, ("saturation", "unscaled_data"), ((0.6, ("ravine",)), (0.7, ())))
    assert r.named
    assert not r.headline
    assert not r.cured(0)  # a warning is left
    assert r.cured_by == 1
    assert result(0.0, 1.0, ("saturation",), ()).named is False


def test_shares_of_results():
    good = result(0.0, 1.0, ("unscaled_data",), ((0.9, ()),))
    bad = result(0.0, 1.0, (), ())
    assert share([good, bad], "named") == "1 of 2, 0.50 (goal 0.9)"
    assert share([good, bad], "first") == "1 of 2, 0.50 (goal 0.85)"
    assert share([good, good, bad], "one setting") == "2 of 3, 0.67"
