"""The table that sets the rivals beside our verdicts, on eight made-up cases counted by hand."""

from benchmarks.verdict_suite import scoring
from benchmarks.verdict_suite.labels import Label
from benchmarks.verdict_suite.rivals import RIVALS
from benchmarks.verdicts import show_sampled

AUTOTRAINER, DEEPDIAGNOSIS, TORCHMORTEM = RIVALS


def case(kind, caveats, said, undecided=()):
    label = Label(kind, 0.0, 1.0, frozenset(caveats), frozenset(undecided))
    rivals = {AUTOTRAINER: frozenset(said), DEEPDIAGNOSIS: frozenset(), TORCHMORTEM: None}
    return scoring.Case(0, None, label, frozenset(), {}, (), rivals)


CASES = [
    case("faulty", ["dying_relu"], ["dying_relu"]),
    case("faulty", ["dying_relu", "step_too_large"], ["exploding_gradient"]),
    case("faulty", ["ravine"], ["step_too_small"]),  # of the same family
    case("faulty", ["plateau"], []),
    case("faulty", ["ravine"], ["dying_relu"], ["dying_relu"]),  # counts for the ravine alone
    case("healthy", [], ["dying_relu"]),
    case("healthy", [], []),
    case("between", [], ["dying_relu"]),  # counts nowhere
]


def row(name):
    names = {*RIVALS[name].names.values()}
    return scoring.beside(CASES, lambda case: case.rivals[name], names)


def test_a_row_counts_flags_and_names():
    found = row(AUTOTRAINER)
    assert (found["healthy"], found["faulty"]) == (0.5, 0.8)
    dying, family = found["columns"]["dying ReLU"], found["columns"]["SGD family"]
    assert (dying["precision"], dying["recall"]) == (0.5, 0.5)
    assert (family["precision"], family["recall"]) == (1.0, 0.25)
    assert found["columns"]["exploding"]["precision"] == 0
    assert found["columns"]["saturation"] is None  # it has no word for it


def test_what_is_not_installed_is_said_to_be(capsys):
    assert row(TORCHMORTEM) is None
    assert row(DEEPDIAGNOSIS)["faulty"] == 0
    show_sampled("made up", scoring.report(CASES, None, with_cures=False))
    lines = {line[:24].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert lines[TORCHMORTEM].endswith("not installed")
    assert "50.0%    80.0%    0.50/0.50" in lines[AUTOTRAINER]
