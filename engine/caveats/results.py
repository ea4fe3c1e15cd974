"""The result of a finished run, and of its attempts at a cure, as one JSON document.

`result` gives plain dicts, lists and finite numbers, which any writer of strict JSON accepts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
    """The run's config, length, last record, verdicts and divergence. For an experiment, its own
    cure is the first remedy, as in `--fix` and in the lab.

    ``final`` holds the newest record: ``loss``, ``accuracy`` (None for regression), ``r2`` and
    ``rmse`` (None for classes), ``validation_loss`` and ``validation_accuracy`` (None where no rows
    are held out) and, for each layer, one dict of `LAYER_KEYS`; the meanings are in
    `caveats.measures`, counts are ints.

    A number that came out infinite or NaN is None, and ``nonfinite`` holds its dotted path
    ("final.layers.0.grad_norm"). A number that does not exist (the accuracy of a regression, a
    count of units that could not be observed, the update of a run without a step) is None and is
    not in ``nonfinite``. ``run`` is the folder of the run, None if it was not written to disk.
    ``target`` says how the target was read, such as "species: 3 classes, 50 50 50".
    ``yardsticks`` holds what the last record is judged between: ``loss`` and ``accuracy`` of the
    best network that ignores its input (``constant``) and of kernel regression (``reachable``).
    ``trial`` holds the trial of other steps (`caveats.facts.Trial`), None where none was made.
    """
    snapshot = run.history.snapshot()
    divergence = run.divergence
    document = {
        "run": None,
        "config": run.config.to_dict(),
        "target": run.dataset.target_told,
        "yardsticks": yardsticks(run),
        "steps": run.step,
        "seconds": run.seconds,
        "steps_per_second": run.step / run.seconds,
        "final": {
            **scores(run, snapshot),
            "layers": [
                {"name": name, **layer(snapshot, index)}
                for index, name in enumerate(run.history.layers)
            ],
        },
        "verdicts": [verdict_words(v) for v in advised(run.config, judge(run.history))],
        "trial": trial_words(snapshot),
        "diverged": (
            None if divergence is None else {"step": divergence.step, "where": divergence.where}
        ),
    }
    return {**finite(document), "nonfinite": list(nonfinite(document))}


def trial_words(snapshot: Snapshot) -> dict[str, Any] | None:
    trials = [event.trial for event in snapshot.events if event.trial is not None]
    if not trials:
        return None
    newest = trials[-1]
    tried = [asdict(one) for one in newest.tried]
    return {"step": newest.step, "steps": newest.steps, "tried": tried}


def yardsticks(run: Run) -> dict[str, dict[str, float | None]]:
    """The accuracies are None for numbers."""
    facts = run.history.facts
    classes = run.dataset.classes is not None
    return {
        "constant": {"loss": facts.baseline, "accuracy": facts.data.chance if classes else None},
        "reachable": {
            "loss": facts.reachable, "accuracy": facts.reachable_accuracy if classes else None,
        },
    }  # fmt: skip


def scores(run: Run, snapshot: Snapshot) -> dict[str, float | None]:
    """The loss and how right the answers are, None for what does not exist."""
    classes, held_out = run.dataset.classes is not None, run.dataset.held_out is not None
    exist = {
        "loss": True,
        "accuracy": classes,
        "r2": not classes,
        "rmse": not classes,
        "validation_loss": held_out,
        "validation_accuracy": held_out and classes,
    }
    return {
        name: float(snapshot.scalar(name)[-1]) if there else None for name, there in exist.items()
    }


def with_fix(
    document: Mapping[str, Any], verdict: Verdict | None, attempts: Sequence[Attempt]
) -> dict[str, Any]:
    """A run's `result`, with the attempts at a cure under ``fix``.

    ``fix`` holds the ``caveat`` to be cured (None where there is none), the ``attempts`` in order
    (each with ``change``, ``reason``, ``final`` loss and accuracy, ``learnt``, ``verdicts``, its
    ``outcome`` and whether it ``cured``) and, as ``cured``, the index of the attempt that cured
    the run, None if none did.
    """
    fix = {
        "caveat": None if verdict is None else verdict.caveat,
        "attempts": [attempt_words(attempt) for attempt in attempts],
        "cured": next((index for index, attempt in enumerate(attempts) if attempt.cured), None),
    }
    lost = [*document["nonfinite"], *nonfinite(fix, "fix")]
    return {**document, "fix": finite(fix), "nonfinite": lost}


def attempt_words(attempt: Attempt) -> dict[str, Any]:
    """One attempt as a dict; its numbers may be infinite or NaN."""
    accuracy = None if math.isnan(attempt.accuracy) else attempt.accuracy
    return {
        "change": plain(attempt.change),
        "reason": attempt.reason,
        "final": {"loss": attempt.loss, "accuracy": accuracy},
        "learnt": attempt.learnt,
        "verdicts": [verdict_words(verdict) for verdict in attempt.verdicts],
        "cured": attempt.cured,
        "outcome": attempt.outcome,
    }


def verdict_words(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its remedies as a dict; its numbers may be infinite or NaN."""
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
    """One layer of the newest record; its numbers may be infinite or NaN."""
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
