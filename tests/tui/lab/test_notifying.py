"""A notification comes when a long run ends and when a caveat is found, once each, and not else."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

from caveats.verdicts import Verdict
from caveats_tui.screens.lab.notifying import LONG, Notifier


def verdict(caveat: str, severity: str) -> Verdict:
    return Verdict(
        caveat, caveat, severity, 0, (), "what", MappingProxyType({}), "", ()  # type: ignore[arg-type]
    )  # fmt: skip


class Scene:
    """A bench whose state the test sets, and a clock that it turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.found: tuple[Verdict, ...] = ()
        self.notifier = Notifier(lambda: "bell", lambda: self.now)

    def look(self, state: str, run: int = 1, step: int = 7) -> list[str]:
        status = SimpleNamespace(state=state, run_number=run, step=step)
        bench: Any = SimpleNamespace(
            status=status, running=state == "running", verdicts=lambda: self.found
        )
        return self.notifier.news(bench)


def test_the_end_of_a_long_run_is_told_once() -> None:
    scene = Scene()
    assert scene.look("loading") == []
    assert scene.look("running") == []
    scene.now = LONG
    assert scene.look("running") == []
    assert scene.look("finished") == ["the run has finished at step 7"]
    assert scene.look("finished") == []


def test_a_short_run_and_a_pause_are_not_told() -> None:
    scene = Scene()
    scene.look("running")
    scene.now = LONG - 0.1
    assert scene.look("diverged") == []
    scene.look("running", run=2)
    scene.now = 10 * LONG
    assert scene.look("paused", run=2) == []


def test_a_verdict_is_told_once_a_run_and_notes_are_not() -> None:
    scene = Scene()
    scene.look("running")
    scene.found = (verdict("ravine", "note"),)
    assert scene.look("running") == []
    scene.found = (verdict("dying_relu", "warning"), *scene.found)
    assert scene.look("running") == ["warning: dying_relu: what"]
    scene.found = (verdict("dying_relu", "critical"),)
    assert scene.look("running") == []
    assert scene.look("running", run=2) == ["critical: dying_relu: what"]


def test_a_verdict_at_the_very_end_is_told_too() -> None:
    scene = Scene()
    scene.look("running")
    scene.found = (verdict("underfitting", "warning"),)
    assert scene.look("finished") == ["warning: underfitting: what"]


def test_a_kept_run_that_is_only_looked_at_tells_nothing() -> None:
    scene = Scene()
    scene.found = (verdict("dying_relu", "critical"),)
    assert scene.look("finished") == []
