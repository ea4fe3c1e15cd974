"""What is said of a cure: a caveat has not ended while more than a tenth of the units has it."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from caveats.config import RunConfig
from caveats.facts import RunFacts
from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats.verdicts import CAVEATS, Verdict
from caveats_tui.bench import cure
from caveats_tui.bench.cure import Cure
from caveats_tui.screens.lab.curing import cases_of


def history(measure: str, counts: tuple[int, ...], units: int, loss: float) -> History:
    """One record in which each hidden layer has ``units`` units and counts so many."""
    layers = len(counts)
    names = (*(f"layer {i + 1}" for i in range(layers)), "output")
    made = History(names)
    values = {name: np.zeros(layers + 1) for name in LAYER_MEASURES}
    values["units"] = np.array([*([units] * layers), 10.0])
    values[measure] = np.array([*counts, 0.0])
    states = tuple(np.zeros(1, np.uint8) for _ in names)
    made.append(0, {"loss": loss, "accuracy": 1.0}, values, states)
    return made


def settled(caveat: str, after: History, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(cure, "outcome", lambda *args: "cured")
    verdict = Verdict(
        caveat, CAVEATS[caveat].title, "critical", 0, (), "", MappingProxyType({}), "", ()
    )
    tried = Cure(verdict, "lr 0.3 → 0.003", history("dead", (1,), 1, 2.5), RunConfig())
    tried.settle(after, ())
    return tried.outcome


@pytest.mark.parametrize(
    ("caveat", "measure", "word"),
    [("dying_relu", "dead", "dead"), ("saturation", "saturated", "saturated"),
     ("dormant", "dormant", "dormant")],
)  # fmt: skip
@pytest.mark.parametrize("count", range(0, 33, 4))
def test_what_is_left_above_a_tenth_is_said(
    caveat: str, measure: str, word: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = settled(caveat, history(measure, (count, 0), 16, 0.5), monkeypatch)
    many = count / 32 > 0.1
    assert ("ended" in said) is not many
    assert (f"{count} of 32 units still {word}" in said) is many
    assert "loss 2.5 → 0.5" in said
    assert said.startswith("cured: ")


def test_other_caveats_count_no_units(monkeypatch: pytest.MonkeyPatch) -> None:
    said = settled("ravine", history("dead", (16,), 16, 0.5), monkeypatch)
    assert said == "cured: lr 0.3 → 0.003 ended vanilla SGD in a ravine (loss 2.5 → 0.5)"


def test_losses_in_two_units_are_told_as_times_that_of_a_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the cure standardizes the target: dollars² are not compared with 1."""
    monkeypatch.setattr(cure, "outcome", lambda *args: "cured")
    before, after = history("dead", (0,), 1, 600.0), history("dead", (0,), 1, 0.25)
    before.facts, after.facts = RunFacts(baseline=400.0), RunFacts(baseline=1.0)
    verdict = Verdict(
        "unscaled_data", "unscaled data", "critical", 0, (), "", MappingProxyType({}), "", ()
    )
    tried = Cure(verdict, "standardize_target off → on", before, RunConfig())
    tried.settle(after, ())
    assert tried.outcome == (
        "cured: standardize_target off → on ended unscaled data "
        "(loss 1.5 → 0.25 times that of a guess)"
    )


def test_the_failed_run_is_explained_while_its_cure_runs() -> None:
    """After the verdicts of the new run, with the records and the setup of the failed one."""
    failed, new = (
        Verdict(name, name, "critical", 0, (), "", MappingProxyType({}), "", ())
        for name in ("dying_relu", "ravine")
    )
    setup, changed = RunConfig(), RunConfig().changed({"optimizer.lr": 0.003})
    tried = Cure(failed, "lr 0.3 → 0.003", history("dead", (1,), 1, 2.5), setup)
    bench = SimpleNamespace(
        verdicts=lambda: (new,), trace=lambda: "new records", shown=changed, cure=tried,
        ghost="old records", watching=True,  # no cursor to take away
    )  # fmt: skip
    cases = cases_of(SimpleNamespace(bench=bench))  # type: ignore[arg-type]
    assert [(case.verdict, case.trace, case.config) for case in cases] == [
        (new, "new records", changed), (failed, "old records", setup),
    ]  # fmt: skip
    assert [case.whose for case in cases] == ["", "the run before its cure"]
    bench.verdicts = lambda: (failed,)  # before the worker has begun the new run
    assert len(cases_of(SimpleNamespace(bench=bench))) == 1  # type: ignore[arg-type]
