"""The figures of trials and races are counted as docs/trials.md says, on cases made by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks.step_trials import Found, Tries, cured, judged
from benchmarks.verdict_suite.labels import Label

from caveats.config import RunConfig

CURE, WORSE = {"optimizer.lr": 0.1}, {"optimizer.lr": 9.0}
BOTH = {**CURE, "network.bias": 0.5}
CONFIG = RunConfig.from_dict({"optimizer": {"lr": 1e-4}})


class Trained:
    """A store in which one change cures: it gets .9 of the way, any other .1."""

    def changed(self, config: RunConfig, change: dict[str, Any]) -> dict[str, float]:
        rate = change.get("optimizer.lr")
        loss = 0.1 if rate == CURE["optimizer.lr"] else 0.9
        return {"loss": loss, "baseline": 1.0, "accuracy": float("nan")}


def case(kind: str, shown: str, flags: str, *offered: dict[str, Any], unknown: str = "") -> Any:
    undecided = frozenset({unknown} if unknown else ())
    told = Label(kind, 0.0, 1.0, frozenset({shown} if shown else ()), undecided)
    said = Found(frozenset({flags} if flags else ()), offered)
    return SimpleNamespace(label=told, said=said, sample=SimpleNamespace(config=CONFIG))


CASES = [
    case("faulty", "step_too_small", "step_too_small", CURE, WORSE),
    case("faulty", "step_too_small", "", WORSE),
    case("faulty", "ravine", "step_too_small", WORSE, BOTH),  # of one family
    case("faulty", "dying_relu", "step_too_large", BOTH),
    case("faulty", "", "plateau", unknown="step_too_small"),  # nobody knows
    case("healthy", "", "", CURE),
    case("healthy", "", "plateau"),
    case("between", "", "plateau"),
]


def test_figures_are_counted_as_told() -> None:
    figures = judged(CASES, lambda one: one.said)
    assert figures["precision"] == (2, 4)
    assert figures["recall"] == (2, 3)
    assert figures["healthy flagged"] == (1, 2)
    assert figures["faulty flagged"] == (4, 5)
    figures = cured(CASES, lambda one: one.said, Trained())  # type: ignore[arg-type]
    assert figures["first"] == (2, 5)
    assert figures["any"] == (3, 5)
    assert figures["single"] == (3, 5)


def test_what_was_tried_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig.from_dict(
        {
            "data": {"name": "moons", "n": 60}, "network": {"widths": [4]},
            "training": {"steps": 5, "batch_size": 20},
        }
    )  # fmt: skip
    from caveats.data import load

    store: Any = SimpleNamespace(folder=tmp_path, dataset=lambda c: load(c.data.settings()))
    first = Tries(store).trial(config)
    monkeypatch.setattr("benchmarks.step_trials.tried_steps", None)
    assert first is not None
    assert Tries(store).trial(config) == first
