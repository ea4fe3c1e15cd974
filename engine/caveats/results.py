"""What a finished run came to, and what its cures came to, as one JSON document.

It reads a run and its history, has the history judged, and measures nothing itself. `result` gives
plain dicts, lists and numbers, all finite: whatever writes JSON can write them in its strict form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caveats.curing import advised
from caveats.documents import finite, nonfinite, plain
from caveats.history import Snapshot
from caveats.measures import LAYER_MEASURES
from caveats.verdicts import Verdict, judge

if TYPE_CHECKING:
    from caveats.curing import Attempt
    from caveats.run import Run

__all__ = ["LAYER_KEYS", "attempt_words", "result", "with_fix"]

LAYER_KEYS = (
    "units",
    "dead",
    "born_dead",
    "dormant",
    "saturated",
    "delta_rms",
    "grad_norm",
    "weight_norm",
    "update_ratio",
    "distinct",
    "mean_fraction",
    "sign_coherence",
)


def result(run: Run) -> dict[str, Any]:
    """The run's config, length, last record, verdicts and divergence; of an experiment its own cure
    is the first remedy, as `--fix` and the lab take it.

    ``final`` holds the newest record: ``loss``, ``accuracy`` (None for regression) and one dict of
    `LAYER_KEYS` a layer, meanings as in `caveats.measures`; counts are ints. A number that came
    out infinite or NaN is None and its dotted path ("final.layers.0.grad_norm") stands in
    ``nonfinite``; one that does not exist (the accuracy of a regression, a count of units that
    nobody could observe, the update of a run without a step) is None and is not named.
    ``run`` is the folder that a run was written to, None for one that was not.
    """
    snapshot = run.history.snapshot()
    divergence = run.divergence
    document = {
        "run": None,
        "config": run.config.to_dict(),
        "steps": run.step,
        "seconds": run.seconds,
        "steps_per_second": run.step / run.seconds,
        "final": {
            "loss": float(snapshot.scalar("loss")[-1]),
            "accuracy": (
                None if run.dataset.classes is None else float(snapshot.scalar("accuracy")[-1])
            ),
            "layers": [
                {"name": name, **layer(snapshot, index)}
                for index, name in enumerate(run.history.layers)
            ],
        },
        "verdicts": [verdict_words(v) for v in advised(run.config, judge(run.history))],
        "diverged": (
            None if divergence is None else {"step": divergence.step, "where": divergence.where}
        ),
    }
    return {**finite(document), "nonfinite": list(nonfinite(document))}


def with_fix(
    document: Mapping[str, Any], verdict: Verdict | None, attempts: Sequence[Attempt]
) -> dict[str, Any]:
    """A run's `result` with what came of its remedies.

    ``fix`` holds the ``caveat`` to be cured (None where there is none), the ``attempts`` in their
    order (``change``, ``reason``, ``final`` loss and accuracy, ``verdicts`` and whether it
    ``cured``) and the index of the one that ``cured``, None where none did.
    """
    fix = {
        "caveat": None if verdict is None else verdict.caveat,
        "attempts": [attempt_words(attempt) for attempt in attempts],
        "cured": next((index for index, attempt in enumerate(attempts) if attempt.cured), None),
    }
    lost = [*document["nonfinite"], *nonfinite(fix, "fix")]
    return {**document, "fix": finite(fix), "nonfinite": lost}


def attempt_words(attempt: Attempt) -> dict[str, Any]:
    """One remedy that was tried; numbers as computed."""
    accuracy = None if math.isnan(attempt.accuracy) else attempt.accuracy
    return {
        "change": plain(attempt.change),
        "reason": attempt.reason,
        "final": {"loss": attempt.loss, "accuracy": accuracy},
        "verdicts": [verdict_words(verdict) for verdict in attempt.verdicts],
        "cured": attempt.cured,
    }


def verdict_words(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its remedies; numbers as computed."""
    return {
        "caveat": verdict.caveat,
        "severity": verdict.severity,
        "step": verdict.step,
        "layers": list(verdict.layers),
        "what": verdict.what,
        "evidence": plain(verdict.evidence),
        "why": verdict.why,
        "next": [
            {"change": plain(remedy.change), "reason": remedy.reason} for remedy in verdict.next
        ],
    }


def layer(snapshot: Snapshot, index: int) -> dict[str, int | float | None]:
    """The newest record of one layer, as computed: infinities and NaN too."""
    found: dict[str, int | float | None] = {}
    for key in LAYER_KEYS:
        value = float(snapshot.layers(key)[-1, index])
        if LAYER_MEASURES[key].counts:
            found[key] = int(value) if math.isfinite(value) else None
        else:
            found[key] = value
    norm = float(snapshot.layers("weight_norm")[-1, index])
    # A run that diverges between two records is measured without the weights of the step before.
    # Where the weights are finite and not all zero, their ratio can be NaN for that reason alone.
    stepped = snapshot.steps[-1] > 0 and not (math.isfinite(norm) and norm > 0)
    if math.isnan(snapshot.layers("update_ratio")[-1, index]) and not stepped:
        found["update_ratio"] = None
    return found
