"""For each caveat, the changes of a config that are worth trying, the likeliest to cure first.

The order comes from how often each change cured the networks of `benchmarks.verdicts`.
"""

from __future__ import annotations

from collections.abc import Callable

from caveats.config import RunConfig
from caveats.remedies import changes as cure
from caveats.remedies import customary as usual
from caveats.verdicts.evidence import DEFAULT
from caveats.verdicts.verdict import Finding, Remedy

__all__ = ["RANKED"]

Remedies = tuple[Remedy, ...]


def symmetry(finding: Finding, c: RunConfig) -> Remedies:
    random = cure.matched_init(c)
    start = cure.combined(c, cure.clean_start(c), cure.centred(c), cure.usual_lr(c))
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if usual.hard_shape(c) else start,
            random,
            Remedy({"network.init": "orthogonal"}, "orthogonal rows are as different as can be"),
            cure.combined(c, start, cure.adam(c)),
            cure.sound(c),
        ),
    )


def dying_relu(finding: Finding, c: RunConfig) -> Remedies:
    born = finding.evidence["born_dead"] >= 0.5 * finding.evidence["dead"]
    slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps do not throw a layer below zero")
    if usual.lr_is_high(c):
        slower = cure.usual_lr(c)
    elif usual.lr_is_low(c) or born:
        slower = None
    start = cure.combined(c, cure.clean_start(c), cure.usual_lr(c))
    soft = cure.leaky(c, "elu")
    first = cure.overhaul(c) if usual.hard_shape(c) else start or slower
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, start, soft),
            cure.wider(c),
            cure.combined(c, start, slower, soft, cure.normalization(c)),
            cure.sound(c),
        ),
    )


def exploding_gradient(finding: Finding, c: RunConfig) -> Remedies:
    calm = None
    if set(c.network.activations) & {"exp", "softplus"}:
        calm = cure.activation(c, "relu", "ReLU grows no faster than its input")
    start = cure.combined(c, calm, cure.clean_start(c))
    value = min(c.optimizer.lr / 10, usual.bearable_lr(c))
    tenth = cure.lr(c, value, "smaller steps do not overshoot")
    if usual.lr_is_high(c):
        value = min(usual.fitting_lr(c), value)
        tenth = cure.lr(c, value, "smaller steps do not overshoot")
    # If the weights alone make it explode, change their variance; in all other cases the steps.
    by_itself = finding.evidence["delta_ratio_at_start"] >= DEFAULT.grown and cure.matched_init(c)
    first = start if by_itself and not usual.lr_is_high(c) else cure.combined(c, start, tenth)
    if len(c.network.widths) >= usual.SIX:
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, start, tenth),
            cure.combined(c, start, tenth, cure.normalization(c)),
            cure.combined(c, start, cure.clip(c)),
            cure.sound(c),
        ),
    )


def saturation(finding: Finding, c: RunConfig) -> Remedies:
    slower = cure.usual_lr(c)
    if slower is None and finding.severity == "critical":
        slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps keep the units out of their tails")
    start = cure.combined(c, cure.clean_start(c), cure.centred(c), cure.usual_lr(c))
    relu = cure.activation(c, "relu", "ReLU has no upper end to saturate at")
    normal = cure.combined(c, start, slower, cure.normalization(c))
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if usual.hard_shape(c) else start,
            normal,
            cure.combined(c, start, slower),
            cure.combined(c, start, slower, relu),
            cure.sound(c),
        ),
    )


def vanishing_gradient(finding: Finding, c: RunConfig) -> Remedies:
    swap = None
    if set(c.network.activations) & usual.SLUGGISH:
        swap = cure.activation(
            c,
            "relu",
            "ReLU's slope is 1 where it fires (sigmoid's is at most 1/4), and He's variance "
            "2/fan_in makes up for the half that it cuts",
        )
    start = cure.combined(c, cure.clean_start(c), swap, cure.usual_lr(c))
    # If activation and weights are right already, only the network's shape is left to change.
    first = start or cure.normalization(c)
    narrow = min(c.network.widths) < usual.NARROW
    if narrow or (usual.hard_shape(c) and c.optimizer.name == "sgd"):
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            start,
            cure.combined(c, start, cure.scaffold(c) or cure.normalization(c)),
            cure.combined(c, start, cure.adam(c)),
            cure.sound(c),
        ),
    )


def step_too_large(finding: Finding, c: RunConfig) -> Remedies:
    value = min(c.optimizer.lr / 10, usual.bearable_lr(c))
    if usual.lr_is_high(c):
        value = min(value, usual.fitting_lr(c))
    sharpness, limit = finding.evidence.get("sharpness"), finding.evidence.get("limit")
    reason = "smaller steps stay within the valley"
    if sharpness and limit and sharpness > limit:
        reason = f"the sharpness {sharpness:.3g} allows no more than the limit {limit:.3g}"
    slower = cure.lr(c, value, reason)
    start = cure.clean_start(c)
    sluggish = set(c.network.activations) & usual.SLUGGISH
    hard = len(c.network.widths) >= usual.DEEP or sluggish
    return cure.ranked(
        c,
        (
            cure.overhaul(c) if hard else cure.combined(c, start, slower),
            slower,
            cure.combined(c, start, slower, cure.scaffold(c) or cure.normalization(c)),
            cure.combined(c, start, cure.lr(c, value / 10, "still smaller steps")),
            cure.sound(c),
        ),
    )


def step_too_small(finding: Finding, c: RunConfig) -> Remedies:
    low = usual.lr_is_low(c)
    value = usual.customary_lr(c.optimizer.name) if low else c.optimizer.lr * 10
    value = min(value, max(usual.bearable_lr(c), 2 * c.optimizer.lr))
    faster = cure.lr(c, value, "larger steps: weights move by about a thousandth of their size")
    quick = cure.adam(c) or faster
    start = cure.clean_start(c)
    swap = None
    if set(c.network.activations) & usual.SLUGGISH:
        swap = cure.activation(c, "relu", "a slope of 1 instead of at most 1/4 makes steps longer")
    first = cure.combined(c, start, swap, faster)
    if usual.hard_shape(c) or not low:
        first = cure.overhaul(c)
    return cure.ranked(
        c,
        (
            first,
            faster,
            cure.combined(c, start, quick),
            cure.combined(c, start, faster, cure.normalization(c)),
            cure.sound(c),
        ),
    )


def not_zero_centred(finding: Finding, c: RunConfig) -> Remedies:
    data = cure.standardize(c) if finding.layers[0] == 0 else None
    own = cure.combined(c, data, cure.centred(c))
    return cure.ranked(
        c,
        (
            own,
            cure.combined(c, own, cure.matched_init(c)),
            cure.combined(c, own, cure.normalization(c)),
            cure.combined(c, own, cure.adam(c)),
            cure.sound(c),
        ),
    )


def ravine(finding: Finding, c: RunConfig) -> Remedies:
    data = cure.combined(c, cure.standardize(c), cure.centred_target(c))
    roll = cure.momentum(c)
    first = cure.combined(c, roll, data)
    if usual.hard_shape(c):
        first = cure.combined(c, cure.clean_start(c), cure.scaffold(c), cure.adam(c, 0.005))
    return cure.ranked(
        c,
        (
            first,
            cure.combined(c, roll, data),
            cure.combined(c, cure.clean_start(c), cure.adam(c, 0.01)),
            cure.combined(c, roll, data, cure.normalization(c)),
            cure.sound(c),
        ),
    )


def plateau(finding: Finding, c: RunConfig) -> Remedies:
    start = cure.clean_start(c)
    shallow = len(c.network.widths) <= 3
    quick = cure.adam(c, 0.02 if shallow else 0.003)
    longer = cure.lr(c, 10 * c.optimizer.lr, "longer steps leave the flat region sooner")
    swap = cure.steeper(c)
    if set(c.network.activations) <= usual.ODD and not c.network.bias:
        swap = cure.activation(
            c, "relu", "odd units without biases cannot see even functions of the data"
        )
    return cure.ranked(
        c,
        (
            cure.combined(c, start, swap, quick or longer, cure.scaffold(c)),
            cure.combined(c, swap, start, cure.adam(c)),
            cure.combined(c, start, longer),
            cure.combined(c, start, cure.normalization(c)),
            cure.sound(c),
        ),
    )


def underfitting(finding: Finding, c: RunConfig) -> Remedies:
    fuller = cure.combined(c, cure.no_dropout(c), cure.wider(c))
    return cure.ranked(
        c,
        (
            fuller if usual.drops_most(c) else cure.combined(c, cure.overhaul(c), fuller),
            fuller,
            cure.combined(c, fuller, cure.lr(c, c.optimizer.lr * 10, "steps ten times as long")),
            cure.combined(c, fuller, cure.normalization(c)),
            cure.sound(c),
        ),
    )


def dormant(finding: Finding, c: RunConfig) -> Remedies:
    slower = cure.lr(c, c.optimizer.lr / 10, "smaller steps keep units in use")
    return cure.ranked(
        c,
        (
            cure.combined(c, slower, cure.matched_init(c)),
            cure.combined(c, slower, cure.normalization(c)),
            cure.activation(c, "elu", "ELU has no dormant units, as it passes means below zero"),
            cure.sound(c),
        ),
    )


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
    "plateau": plateau,
    "underfitting": underfitting,
    "dormant": dormant,
}
