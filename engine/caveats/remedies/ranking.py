"""For each caveat, the changes of a config that are worth trying, the likeliest to cure first.

First comes the change of what the records show to be at fault, and of nothing else; then single
changes that have cured this caveat most often on the development networks of
`benchmarks.verdicts`; then both together; last, a network of which everything is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.remedies import changes, customary
from caveats.remedies.faults import faults, unscaled
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import held_back
from caveats.verdicts.unscaled_data import out_of_reach
from caveats.verdicts.verdict import Finding, Remedy

__all__ = ["LENGTH", "MOST", "SINGLES", "remedies_for", "single_changes", "valid"]

MOST = 5
LENGTH = frozenset({"training.steps", "training.epochs"})
OUTPUT = "network.output_activation"

Single = Callable[[RunConfig, Finding], Remedy | None]


def remedies_for(caveat: str, e: Evidence, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    """The changes worth trying for a finding, the likeliest first, at most `MOST`."""
    data = unscaled(c, e)
    own = (data if len(data) > 1 else ()) + single_changes(caveat, finding, c)
    if not e.finite or held_back(e):  # what overflows or is held back in few steps is so in many
        own = tuple(remedy for remedy in own if not set(remedy.change) <= LENGTH)
    if caveat == "overfitting":  # it learns only too well: nothing else is at fault
        return valid(c, (*own, changes.combined(c, *own[1:])))[:MOST]
    together = changes.combined(c, *faults(c, e))
    most = changes.combined(c, together, own[0] if own else None, changes.normalization(c))
    sound = changes.combined(c, *data, changes.sound(c))
    every = valid(c, (together, *own[:2], most, sound, *own[2:]))
    if out_of_reach(e):  # then nothing helps that leaves the output's activation
        every = tuple(remedy for remedy in every if OUTPUT in remedy.change)
    return every[:MOST]


def single_changes(caveat: str, finding: Finding, c: RunConfig) -> tuple[Remedy, ...]:
    """Single changes that may cure a caveat whatever its reason, the likeliest first. Caveats that
    only watched trainings show have none."""
    found = (single(c, finding) for single in SINGLES.get(caveat, ()))
    return tuple(remedy for remedy in found if remedy is not None)


def init(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.matched_init(c)


def orthogonal(c: RunConfig, finding: Finding) -> Remedy | None:
    return Remedy({"network.init": "orthogonal"}, "orthogonal rows are as different as can be")


def normalized(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.normalization(c)


def adam(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.adam(c, customary.adam_lr(c))


def momentum(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.momentum(c)


def wider(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.wider(c)


def elu(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.leaky(c, "elu")


def steeper(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.steeper(c)


def centred(c: RunConfig, finding: Finding) -> Remedy | None:
    data = changes.standardize(c) if finding.layers[:1] == (0,) else None
    return data or changes.centred(c)


def longer(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.longer(c)


def smaller_step(c: RunConfig, finding: Finding) -> Remedy | None:
    value = min(c.optimizer.lr / 10, customary.bearable_lr(c))
    sharpness, limit = finding.evidence.get("sharpness"), finding.evidence.get("limit")
    reason = "smaller steps stay within the valley"
    if sharpness and limit and sharpness > limit:
        reason = f"the sharpness {sharpness:.3g} allows no more than the limit {limit:.3g}"
    return changes.lr(c, value, reason)


def larger_step(c: RunConfig, finding: Finding) -> Remedy | None:
    value = min(c.optimizer.lr * 10, max(customary.bearable_lr(c), 2 * c.optimizer.lr))
    return changes.lr(c, value, f"steps {value / c.optimizer.lr:.2g} times as long")


def balanced(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.balanced(c)


def no_dropout(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.no_dropout(c)


def clipped(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.clip(c)


def stopped(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.stopped(c, int(finding.evidence["best_step"]))


def decayed(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.decayed(c)


def more_dropout(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.more_dropout(c)


def narrower(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.narrower(c)


def hidden_layer(c: RunConfig, finding: Finding) -> Remedy | None:
    return changes.hidden_layer(c)


SINGLES: dict[str, tuple[Single, ...]] = {
    "symmetry": (init, orthogonal, elu),
    "dying_relu": (normalized, elu, wider, smaller_step),
    "exploding_gradient": (smaller_step, normalized, adam, clipped),
    "saturation": (normalized, smaller_step, adam, centred),
    "vanishing_gradient": (normalized, adam, steeper, init),
    "step_too_large": (smaller_step, normalized, adam),
    "step_too_small": (larger_step, adam, longer, normalized, wider),
    "not_zero_centred": (centred, normalized, adam),
    "ravine": (momentum, adam, normalized, longer),
    "class_imbalance": (balanced, longer, adam),
    "plateau": (normalized, steeper, adam, larger_step),
    "underfitting": (hidden_layer, wider, longer, no_dropout, normalized),
    "overfitting": (stopped, decayed, more_dropout, narrower),
    "dormant": (smaller_step, normalized, elu),
    "unscaled_data": (normalized, longer),
}


def valid(config: RunConfig, remedies: Iterable[Remedy | None]) -> tuple[Remedy, ...]:
    """The remedies that the config accepts and that change something, each once, in order."""
    kept: list[Remedy] = []
    seen: list[Mapping[str, Any]] = []
    present = config.flat()
    for remedy in remedies:
        if remedy is None:
            continue
        change = {k: v for k, v in remedy.change.items() if present.get(k) != v}
        if not change or change in seen:
            continue
        try:
            config.changed(change)
        except ConfigError:
            continue
        seen.append(change)
        kept.append(replace(remedy, change=change))
    return tuple(kept)
