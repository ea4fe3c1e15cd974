"""What the lab does about a failed run: try a remedy, list them all, explain the verdicts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from caveats_tui.charts.spec import Look
from caveats_tui.screens.explanation import Case, Explain
from caveats_tui.screens.remedies import RemedyList

if TYPE_CHECKING:
    from caveats.verdicts import Remedy
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["explain", "fix", "list_remedies"]


def fix(lab: LabScreen) -> None:
    """Try the first remedy of the worst verdict."""
    verdict = lab.bench.curable()
    if verdict is not None:
        lab.bench.fix(verdict, verdict.next[0])
    lab.frame()


def list_remedies(lab: LabScreen) -> None:
    """List the remedies of the worst verdict, and try the one that is chosen."""
    bench = lab.bench
    verdict = bench.curable()
    if verdict is None:
        return lab.frame()

    def took(remedy: Remedy | None) -> None:
        if remedy is not None:
            lab.do(lambda: bench.fix(verdict, remedy))

    setup, offer = bench.setup_of(verdict), partial(bench.offer, verdict)
    window = RemedyList(verdict.title, setup, offer, lab.tools.charts, look_of(lab))
    lab.app.push_screen(window, took)


def explain(lab: LabScreen) -> None:
    """Explain the verdicts on the present run, then that of the failed run whose cure is tried."""
    cases = cases_of(lab)
    if not cases:
        return lab.notice("nothing to explain: no caveat has been found in this run")
    lab.app.push_screen(Explain(cases, lab.tools.charts, look_of(lab)))


def look_of(lab: LabScreen) -> Look:
    """How windows over the lab draw; they know their sizes themselves."""
    return Look(0, 0, lab.app.current_theme.dark, False, lab.options.charset)


def cases_of(lab: LabScreen) -> tuple[Case, ...]:
    bench = lab.bench
    verdicts, trace, cure, ghost = bench.verdicts(), bench.trace(), bench.cure, bench.ghost
    if trace is not None and not bench.watching:  # the verdicts are those of the newest record
        trace = replace(trace, cursor=None)
    cases = [] if trace is None else [Case(v, trace, bench.shown) for v in verdicts]
    if cure is not None and ghost is not None and cure.verdict not in verdicts:
        cases.append(Case(cure.verdict, ghost, cure.failed, "the run before its cure"))
    return tuple(cases)
