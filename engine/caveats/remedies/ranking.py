"""For each caveat, the changes of a config that are worth trying, the likeliest to cure first.

The order comes from how often each change cured the networks of `benchmarks.verdicts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.remedies import changes, customary
from caveats.verdicts.evidence import DEFAULT
from caveats.verdicts.verdict import Finding, Remedy

__all__ = ["RANKED"]

Remedies = tuple[Remedy, ...]


def symmetry(finding: Finding, c: RunConfig) -> Remedies:
    random = changes.matched_init(c)
    start = changes.combined(c, changes.clean_start(c), changes.centred(c), changes.usual_lr(c))
    return ranked(
        c,
        (
            changes.overhaul(c) if customary.hard_shape(c) else start,
            random,
            Remedy({"network.init": "orthogonal"}, "orthogonal rows are as different as can be"),
            changes.combined(c, start, changes.adam(c)),
            changes.sound(c),
        ),
    )


def dying_relu(finding: Finding, c: RunConfig) -> Remedies:
    born = finding.evidence["born_dead"] >= 0.5 * finding.evidence["dead"]
    slower = changes.lr(c, c.optimizer.lr / 10, "smaller steps do not throw a layer below zero")
    if customary.lr_is_high(c):
        slower = changes.usual_lr(c)
    elif customary.lr_is_low(c) or born:
        slower = None
    start = changes.combined(c, changes.clean_start(c), changes.usual_lr(c))
    soft = changes.leaky(c, "elu")
    first = changes.overhaul(c) if customary.hard_shape(c) else start or slower
    return ranked(
        c,
        (
            first,
            changes.combined(c, start, soft),
            changes.wider(c),
            changes.combined(c, start, slower, soft, changes.normalization(c)),
            changes.sound(c),
        ),
    )


def exploding_gradient(finding: Finding, c: RunConfig) -> Remedies:
    calm = None
    if set(c.network.activations) & {"exp", "softplus"}:
        calm = changes.activation(c, "relu", "ReLU grows no faster than its input")
    start = changes.combined(c, calm, changes.clean_start(c))
    value = min(c.optimizer.lr / 10, customary.bearable_lr(c))
    tenth = changes.lr(c, value, "smaller steps do not overshoot")
    if customary.lr_is_high(c):
        value = min(customary.fitting_lr(c), value)
        tenth = changes.lr(c, value, "smaller steps do not overshoot")
    # If the weights alone make it explode, change their variance; in all other cases the steps.
    by_itself = finding.evidence["delta_ratio_at_start"] >= DEFAULT.grown and changes.matched_init(
        c
    )
    first = (
        start if by_itself and not customary.lr_is_high(c) else changes.combined(c, start, tenth)
    )
    if len(c.network.widths) >= customary.SIX:
        first = changes.overhaul(c)
    return ranked(
        c,
        (
            first,
            changes.combined(c, start, tenth),
            changes.combined(c, start, tenth, changes.normalization(c)),
            changes.combined(c, start, changes.clip(c)),
            changes.sound(c),
        ),
    )


def saturation(finding: Finding, c: RunConfig) -> Remedies:
    slower = changes.usual_lr(c)
    if slower is None and finding.severity == "critical":
        slower = changes.lr(
            c, c.optimizer.lr / 10, "smaller steps keep the units out of their tails"
        )
    start = changes.combined(c, changes.clean_start(c), changes.centred(c), changes.usual_lr(c))
    relu = changes.activation(c, "relu", "ReLU has no upper end to saturate at")
    normal = changes.combined(c, start, slower, changes.normalization(c))
    return ranked(
        c,
        (
            changes.overhaul(c) if customary.hard_shape(c) else start,
            normal,
            changes.combined(c, start, slower),
            changes.combined(c, start, slower, relu),
            changes.sound(c),
        ),
    )


def vanishing_gradient(finding: Finding, c: RunConfig) -> Remedies:
    swap = None
    if set(c.network.activations) & customary.SLUGGISH:
        swap = changes.activation(
            c,
            "relu",
            "ReLU's slope is 1 where it fires (sigmoid's is at most 1/4), and He's variance "
            "2/fan_in makes up for the half that it cuts",
        )
    start = changes.combined(c, changes.clean_start(c), swap, changes.usual_lr(c))
    # If activation and weights are right already, only the network's shape is left to change.
    first = start or changes.normalization(c)
    narrow = min(c.network.widths) < customary.NARROW
    if narrow or (customary.hard_shape(c) and c.optimizer.name == "sgd"):
        first = changes.overhaul(c)
    return ranked(
        c,
        (
            first,
            start,
            changes.combined(c, start, changes.scaffold(c) or changes.normalization(c)),
            changes.combined(c, start, changes.adam(c)),
            changes.sound(c),
        ),
    )


def step_too_large(finding: Finding, c: RunConfig) -> Remedies:
    value = min(c.optimizer.lr / 10, customary.bearable_lr(c))
    if customary.lr_is_high(c):
        value = min(value, customary.fitting_lr(c))
    sharpness, limit = finding.evidence.get("sharpness"), finding.evidence.get("limit")
    reason = "smaller steps stay within the valley"
    if sharpness and limit and sharpness > limit:
        reason = f"the sharpness {sharpness:.3g} allows no more than the limit {limit:.3g}"
    slower = changes.lr(c, value, reason)
    start = changes.clean_start(c)
    sluggish = set(c.network.activations) & customary.SLUGGISH
    hard = len(c.network.widths) >= customary.DEEP or sluggish
    return ranked(
        c,
        (
            changes.overhaul(c) if hard else changes.combined(c, start, slower),
            slower,
            changes.combined(c, start, slower, changes.scaffold(c) or changes.normalization(c)),
            changes.combined(c, start, changes.lr(c, value / 10, "still smaller steps")),
            changes.sound(c),
        ),
    )


def step_too_small(finding: Finding, c: RunConfig) -> Remedies:
    low = customary.lr_is_low(c)
    value = customary.customary_lr(c.optimizer.name) if low else c.optimizer.lr * 10
    value = min(value, max(customary.bearable_lr(c), 2 * c.optimizer.lr))
    faster = changes.lr(c, value, "larger steps: weights move by about a thousandth of their size")
    quick = changes.adam(c) or faster
    start = changes.clean_start(c)
    swap = None
    if set(c.network.activations) & customary.SLUGGISH:
        swap = changes.activation(
            c, "relu", "a slope of 1 instead of at most 1/4 makes steps longer"
        )
    first = changes.combined(c, start, swap, faster)
    if customary.hard_shape(c) or not low:
        first = changes.overhaul(c)
    return ranked(
        c,
        (
            first,
            faster,
            changes.combined(c, start, quick),
            changes.combined(c, start, faster, changes.normalization(c)),
            changes.sound(c),
        ),
    )


def not_zero_centred(finding: Finding, c: RunConfig) -> Remedies:
    data = changes.standardize(c) if finding.layers[0] == 0 else None
    own = changes.combined(c, data, changes.centred(c))
    return ranked(
        c,
        (
            own,
            changes.combined(c, own, changes.matched_init(c)),
            changes.combined(c, own, changes.normalization(c)),
            changes.combined(c, own, changes.adam(c)),
            changes.sound(c),
        ),
    )


def ravine(finding: Finding, c: RunConfig) -> Remedies:
    data = changes.combined(c, changes.standardize(c), changes.centred_target(c))
    roll = changes.momentum(c)
    first = changes.combined(c, roll, data)
    if customary.hard_shape(c):
        first = changes.combined(
            c, changes.clean_start(c), changes.scaffold(c), changes.adam(c, 0.005)
        )
    return ranked(
        c,
        (
            first,
            changes.combined(c, roll, data),
            changes.combined(c, changes.clean_start(c), changes.adam(c, 0.01)),
            changes.combined(c, roll, data, changes.normalization(c)),
            changes.sound(c),
        ),
    )


def plateau(finding: Finding, c: RunConfig) -> Remedies:
    start = changes.clean_start(c)
    shallow = len(c.network.widths) <= 3
    quick = changes.adam(c, 0.02 if shallow else 0.003)
    longer = changes.lr(c, 10 * c.optimizer.lr, "longer steps leave the flat region sooner")
    swap = changes.steeper(c)
    if set(c.network.activations) <= customary.ODD and not c.network.bias:
        swap = changes.activation(
            c, "relu", "odd units without biases cannot see even functions of the data"
        )
    return ranked(
        c,
        (
            changes.combined(c, start, swap, quick or longer, changes.scaffold(c)),
            changes.combined(c, swap, start, changes.adam(c)),
            changes.combined(c, start, longer),
            changes.combined(c, start, changes.normalization(c)),
            changes.sound(c),
        ),
    )


def underfitting(finding: Finding, c: RunConfig) -> Remedies:
    fuller = changes.combined(c, changes.no_dropout(c), changes.wider(c))
    return ranked(
        c,
        (
            fuller if customary.drops_most(c) else changes.combined(c, changes.overhaul(c), fuller),
            fuller,
            changes.combined(
                c, fuller, changes.lr(c, c.optimizer.lr * 10, "steps ten times as long")
            ),
            changes.combined(c, fuller, changes.normalization(c)),
            changes.sound(c),
        ),
    )


def unscaled_data(finding: Finding, c: RunConfig) -> Remedies:
    inputs = changes.standardize(c) if finding.evidence["inputs_off"] else None
    target = changes.standardize_target(c) if finding.evidence["target_off"] else None
    scaled = changes.combined(c, target, inputs)
    return ranked(
        c,
        (
            scaled,
            changes.combined(c, scaled, changes.usual_lr(c)),
            changes.combined(c, scaled, changes.matched_init(c), changes.usual_lr(c)),
            changes.combined(c, scaled, changes.adam(c)),
            changes.combined(c, scaled, changes.sound(c)),
        ),
    )


def class_imbalance(finding: Finding, c: RunConfig) -> Remedies:
    balanced = changes.balanced(c)
    longer = changes.longer(c)
    return ranked(
        c,
        (
            balanced,
            longer,
            changes.combined(c, balanced, longer),
            changes.combined(c, balanced, changes.adam(c)),
            changes.combined(c, balanced, changes.wider(c), changes.adam(c)),
        ),
    )


def dormant(finding: Finding, c: RunConfig) -> Remedies:
    slower = changes.lr(c, c.optimizer.lr / 10, "smaller steps keep units in use")
    return ranked(
        c,
        (
            changes.combined(c, slower, changes.matched_init(c)),
            changes.combined(c, slower, changes.normalization(c)),
            changes.activation(c, "elu", "ELU has no dormant units, as it passes means below zero"),
            changes.sound(c),
        ),
    )


def ranked(config: RunConfig, remedies: Iterable[Remedy | None]) -> tuple[Remedy, ...]:
    """The remedies that are valid and change something, each once, in order, at most five."""
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
        kept.append(Remedy(change, remedy.reason))
    return tuple(kept[:5])


RANKED: dict[str, Callable[[Finding, RunConfig], Remedies]] = {
    "symmetry": symmetry,
    "dying_relu": dying_relu,
    "exploding_gradient": exploding_gradient,
    "saturation": saturation,
    "vanishing_gradient": vanishing_gradient,
    "step_too_large": step_too_large,
    "step_too_small": step_too_small,
    "not_zero_centred": not_zero_centred,
    "ravine": ravine,
    "class_imbalance": class_imbalance,
    "plateau": plateau,
    "underfitting": underfitting,
    "dormant": dormant,
    "unscaled_data": unscaled_data,
}
