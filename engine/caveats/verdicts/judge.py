"""Judges a history: which caveats it shows, since when, and which are over.

It runs every caveat's rule over each new record, remembers when a verdict was first seen, and
withdraws it when its rule no longer finds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from caveats.facts import Proposer, RunFacts
from caveats.history import History
from caveats.verdicts.catalogue import CAVEATS
from caveats.verdicts.evidence import DEFAULT, Evidence
from caveats.verdicts.headline import EFFECTS, headlined
from caveats.verdicts.progress import progress
from caveats.verdicts.thresholds import Thresholds
from caveats.verdicts.verdict import SEVERITIES, Finding, Remedy, Verdict, frozen

__all__ = [
    "Judge", "findings", "judge", "learnt", "share_learnt", "worst_first", "worth_a_trial",
]  # fmt: skip

# A verdict is withdrawn when its rule has not found it in this many records: one lucky batch is not
# a cure.
PATIENCE = 2


class Judge:
    """Follows one history. Call `look` at any time: only new records are judged.

    ``thresholds`` and ``without`` (signs that always answer no) are for `benchmarks.thresholds`.
    ``first_flagged`` maps each caveat that was ever a warning or critical to the step at which it
    first was.
    """

    def __init__(
        self, thresholds: Thresholds = DEFAULT, without: frozenset[str] = frozenset()
    ) -> None:
        self._asked = thresholds, without
        self.verdicts: tuple[Verdict, ...] = ()
        self.first_flagged: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._quiet: dict[str, int] = {}
        self._findings: dict[str, Finding] = {}
        self._remedies: Proposer | None = None
        self._judged = -1
        self._version: tuple[int, int] | None = None

    def look(self, history: History) -> tuple[Verdict, ...]:
        """The verdicts that hold now, worst first. Under 1 ms for each new record of 20 layers."""
        if history.version == self._version:
            return self.verdicts
        version, snapshot = history.version, history.snapshot()
        start = int(np.searchsorted(snapshot.steps, self._judged, side="right"))
        new = [start + int(i) for i in np.flatnonzero(snapshot.whole(start))]
        if not new and start:
            new = [start - 1]  # an event was noted after the newest record
        evidence = None
        with np.errstate(all="ignore"):  # NaN (not observed) compares as False
            for index in new:
                evidence = Evidence(snapshot, index, history.layers, history.facts, *self._asked)
                self._judge(evidence)
                self._judged = int(snapshot.steps[index])
            if evidence is not None:
                self.verdicts = self._worded(evidence)
        self._version = version
        return self.verdicts

    def _judge(self, evidence: Evidence) -> None:
        found = findings(evidence)
        for name in CAVEATS:
            finding = found.get(name)
            if finding is not None:
                self._since.setdefault(name, evidence.step)
                self._quiet[name] = 0
                self._findings[name] = finding
                if finding.severity != "note":
                    self.first_flagged.setdefault(name, evidence.step)
            elif name in self._findings:
                if evidence.step > self._judged:  # else an event made it judge this record again
                    self._quiet[name] += 1
                over = 0 < evidence.facts.steps <= evidence.step or evidence.trial is not None
                if self._quiet[name] >= PATIENCE or over or not evidence.finite:
                    del self._findings[name], self._since[name]

    def _worded(self, evidence: Evidence) -> tuple[Verdict, ...]:
        found = worst_first(self._findings)
        before = {verdict.caveat: verdict for verdict in self.verdicts}
        worded = tuple(
            self._verdict(name, finding, evidence, before.get(name)) for name, finding in found
        )
        self._remedies = evidence.facts.remedies
        return worded

    def _verdict(
        self, name: str, finding: Finding, evidence: Evidence, before: Verdict | None
    ) -> Verdict:
        caveat = CAVEATS[name]
        propose = evidence.facts.remedies
        remedies: tuple[Remedy, ...] = ()  # a note needs no cure
        same = before is not None and before.severity == finding.severity
        if finding.severity == "note":
            pass
        elif propose is None:
            remedies = tuple(Remedy({}, advice) for advice in finding.advice or caveat.advice)
        elif before is not None and same and propose is self._remedies:
            remedies = before.next  # choosing remedies takes longer than all the rules
        else:
            remedies = propose(name, evidence, finding)
        return Verdict(
            name,
            caveat.title,
            finding.severity,
            self._since[name],
            tuple(evidence.names[i] for i in finding.layers),
            finding.what,
            frozen(finding.evidence),
            finding.why,
            remedies,
        )


def findings(evidence: Evidence) -> dict[str, Finding]:
    """What the rules find in one record, by caveat; each rule may read what earlier ones found."""
    for name, caveat in CAVEATS.items():
        finding = caveat.rule(evidence)
        if finding is not None:
            evidence.findings[name] = finding
    return headlined(evidence)


def worst_first(found: Mapping[str, Finding]) -> list[tuple[str, Finding]]:
    """Findings by caveat, in the order of verdicts: of two that are equally bad, a cause stands
    before its effects."""
    order = {name: place for place, name in enumerate(dict.fromkeys((*EFFECTS, *CAVEATS)))}
    return sorted(
        found.items(), key=lambda item: (-SEVERITIES.index(item[1].severity), order[item[0]])
    )


def learnt(history: History) -> float:
    """The share of what can be learnt above a constant that a run had learnt at its last record: 0
    at the loss of the best constant, 1 at that of kernel regression. For classes, the accuracy
    above that of always naming the largest class counts where it is the larger share. Minus
    infinity for a run that diverged or has no record."""
    snapshot = history.snapshot()
    if not len(snapshot):
        return -math.inf
    last = Evidence(snapshot, len(snapshot) - 1, history.layers, history.facts)
    return last.progress.learnt(last.loss) if last.finite else -math.inf


def share_learnt(facts: RunFacts, loss: float, accuracy: float = math.nan) -> float:
    """As `learnt`, of a network that is at this ``loss`` and ``accuracy`` on the probe rows."""
    if not math.isfinite(loss):
        return -math.inf
    now = progress(np.zeros(1, np.int64), np.array([loss]), accuracy, facts, DEFAULT)
    return now.learnt(loss)


def worth_a_trial(history: History) -> bool:
    """Whether a trial of other steps can tell more about a run as it now stands: it has made steps,
    is far from what the data allow, and had no trial at its newest record."""
    snapshot = history.snapshot()
    if not len(snapshot):
        return False
    last = Evidence(snapshot, len(snapshot) - 1, history.layers, history.facts)
    if last.step == 0 or last.trial is not None:
        return False
    return not last.finite or (last.progress.learnable and not last.progress.close)


def judge(history: History) -> tuple[Verdict, ...]:
    """The verdicts that hold at the end of a history, worst first."""
    return Judge().look(history)
