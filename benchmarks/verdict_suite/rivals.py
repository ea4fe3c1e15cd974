"""The rules of AUTOTRAINER, DeepDiagnosis and torchmortem, each taken from its own source.

It also says which of our caveats each of their symptoms is. `verdict_suite.rival_runs` trains the
networks and records what the rules read.

- AUTOTRAINER: Zhang et al., ICSE 2021; github.com/shiningrain/AUTOTRAINER, `utils/monitor.py` as of
  the paper, with the settings of `reproduce.py`. It looks every third epoch, applies only to
  classes, and stops at the first problem.
- DeepDiagnosis: Wardat et al., ICSE 2022; github.com/DeepDiagnosis/ICSE2022,
  `callback/callbacks.py`, class mapFaluireToFix. It looks at every epoch and stops at the first
  symptom.
- torchmortem 0.1.1, the program itself: ``pip install torchmortem==0.1.1``. Its findings of
  severity WARNING or CRITICAL count; those called INFO do not. If it is not installed, the table
  says so.

If a rule can be read in two ways, the reading with fewer false alarms is used. Loss and accuracy
are taken on all training rows, so that the noise of a few batches does not look like oscillation.
Their values at the end of an epoch replace those on the test set, which the samples do not have.
Their means of an epoch's start and end replace the training accuracy of both tools, which is a mean
over the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["RIVALS", "Epoch", "Finding", "Output", "Rival", "Watched", "autotrainer",
           "deepdiagnosis", "torchmortem"]  # fmt: skip


class Output(NamedTuple):
    """The output of one module on the first batch. ``kind`` is the name of its class, ``idle`` the
    share of entries <= 0, ``far`` the share of entries of its *input* outside (-5, 5)."""

    kind: str
    mean: float
    idle: float
    far: float


class Epoch(NamedTuple):
    """What the rules read at the end of an epoch: loss and accuracy (NaN for regression; ``before``
    is the accuracy at its start) on all rows, everything else on the first batch. Lists have one
    entry for each linear layer, first to last. ``grad_mean`` holds ``grad_size`` if a softmax or a
    layer normalization after the layer makes the mean 0 in every network."""

    loss: float
    accuracy: float
    before: float
    finite: bool  # every weight and gradient
    zeros: float  # share of all gradient entries that are exactly 0
    grad_norm: Sequence[float] = ()  # of each weight matrix
    grad_mean: Sequence[float] = ()
    grad_size: Sequence[float] = ()  # mean of absolute values
    weight_mean: Sequence[float] = ()
    outputs: Sequence[Output] = ()
    stretch: float = math.nan  # range of a regression's output over that of its targets


class Finding(NamedTuple):
    """A finding of torchmortem's."""

    severity: str
    category: str
    title: str


class Watched(NamedTuple):
    """One training as the rivals saw it; ``findings`` is None where torchmortem is missing."""

    epochs: Sequence[Epoch]
    findings: Sequence[Finding] | None


class Rival(NamedTuple):
    """``symptoms`` is what the tool says about a run (None: not installed). ``names`` maps each
    symptom to a caveat, or to OTHER if it is none of ours."""

    symptoms: Callable[[Watched], set[str] | None]
    names: Mapping[str, str]

    def flags(self, watched: Watched) -> frozenset[str] | None:
        found = self.symptoms(watched)
        return None if found is None else frozenset(self.names[symptom] for symptom in found)


OTHER = "other"


def autotrainer(epochs: Sequence[Epoch]) -> set[str]:
    """At most one problem.

    Only numbers that are not finite, or a loss of 1e5, are a problem by themselves. From 30 %
    of the epochs on, a network whose accuracy never reached .6, or never rose by .01 between two
    epochs, is searched: dying ReLU (at least 70 % of all gradient entries were 0 at some look),
    explosion (norm of the first layer's gradient over the last one's above 70), vanishing (that
    ratio below 1e-3 and the first norm below 1e-4), else slow if accuracy never rose. Any other
    network oscillates if its accuracy's maxima exceed the minima of the same number by .03 a fifth
    as often as there were epochs.
    """
    died = exploded = vanished = False
    for index in range(0, len(epochs), 3):
        now, so_far = epochs[index], epochs[: index + 1]
        losses = [e.loss for e in so_far]
        if not (now.finite and np.isfinite(losses).all()) or now.loss >= 1e5:
            return {"explode"}
        if math.isnan(now.accuracy):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.float64(now.grad_norm[0]) / now.grad_norm[-1]
        died |= now.zeros >= 0.7
        exploded |= bool(ratio > 70)
        vanished |= bool(ratio < 1e-3) and now.grad_norm[0] < 1e-4
        if index + 1 < 0.3 * len(epochs):
            continue
        train = np.array([(e.before + e.accuracy) / 2 for e in so_far])
        test = np.array([e.accuracy for e in so_far])
        still = max(rise(train), rise(test)) < 0.01
        if min(train.max(), test.max()) < 0.6 or still:
            for found, symptom in (
                (died, "relu"), (exploded, "explode"), (vanished, "vanish"), (still, "slow"),
            ):  # fmt: skip
                if found:
                    return {symptom}
        elif oscillates(train):
            return {"unstable"}
    return set()


def rise(accuracy: np.ndarray[Any, Any]) -> float:
    return float(np.diff(accuracy).max(initial=0.0))


def oscillates(accuracy: np.ndarray[Any, Any]) -> bool:
    """Maxima and minima. Flat parts count as both, as in the original."""
    before, here, after = accuracy[:-2], accuracy[1:-1], accuracy[2:]
    highs = here[(here >= before) & (here >= after)]
    lows = here[(here <= before) & (here <= after)]
    pairs = min(len(highs), len(lows))
    return bool((highs[:pairs] - lows[:pairs] >= 0.03).sum() >= 0.2 * len(accuracy))


def deepdiagnosis(epochs: Sequence[Epoch]) -> set[str]:
    """At most one symptom: that of the first check to fire, epoch after epoch."""
    for index, now in enumerate(epochs):
        recent = epochs[index - 4 : index + 1] if (index + 1) % 5 == 0 else ()
        last = index == len(epochs) - 1
        found = (
            forward(now, index, bool(recent), last)
            or unchanged_outputs(recent)
            or metrics(epochs, index, recent)
            or backward(now)
            or unchanged(recent)
        )
        if found:
            return {found}
    return set()


def forward(now: Epoch, index: int, fifth: bool, last: bool) -> str | None:
    """Layer by layer: a mean that is not finite, or exactly 0; at the last epoch 70 % of a ReLU's
    outputs at 0; at every fifth half of what goes into a tanh or sigmoid outside (-5, 5). At the
    first epoch a linear output ten times as wide as its targets is out of range."""
    for place, output in enumerate(now.outputs):
        if place == len(now.outputs) - 1 and index == 0 and now.stretch > 10:
            return "out of range"
        if not math.isfinite(output.mean):
            return "numerical error"
        if output.mean == 0:
            return "zero output of a ReLU" if output.kind == "ReLU" else "zero output"
        if last and output.kind == "ReLU" and output.idle >= 0.7:
            return "dead node"
        if fifth and output.kind in ("Tanh", "Sigmoid") and output.far > 0.5:
            return "saturated activation"
    return None


def metrics(epochs: Sequence[Epoch], index: int, recent: Sequence[Epoch]) -> str | None:
    """A loss that is not finite, or the same for five epochs; an accuracy of 0, or the same for
    twenty."""
    now = epochs[index]
    if not math.isfinite(now.loss):
        return "numerical error"
    if recent and same([e.loss for e in recent]):
        return "loss not decreasing"
    if math.isnan(now.accuracy):
        return None
    if now.accuracy == 0:
        return "invalid accuracy"
    if (index + 1) % 20 == 0 and same([e.accuracy for e in epochs[index - 19 : index + 1]]):
        return "accuracy not increasing"
    return None


def backward(now: Epoch) -> str | None:
    """From the last layer to the first: a mean gradient or weight that is not finite or exactly 0,
    a mean absolute gradient below 1e-7."""
    for mean, size, weight in reversed(
        list(zip(now.grad_mean, now.grad_size, now.weight_mean, strict=True))
    ):
        if not math.isfinite(mean):
            return "numerical error"
        if mean == 0:
            return "zero gradient"
        if size < 1e-7:
            return "vanishing gradient"
        if not math.isfinite(weight):
            return "numerical error"
        if weight == 0:
            return "zero weights"
    return None


def unchanged_outputs(recent: Sequence[Epoch]) -> str | None:
    """The mean of some layer's outputs (not the last layer's) was the same for five epochs."""
    means = zip(*([o.mean for o in e.outputs[:-1]] for e in recent), strict=False)
    return "unchanged tensor" if any(map(same, means)) else None


def unchanged(recent: Sequence[Epoch]) -> str | None:
    """The mean of some layer's gradients or weights was the same for five epochs."""
    series = [*zip(*(e.grad_mean for e in recent), strict=True),
              *zip(*(e.weight_mean for e in recent), strict=True)]  # fmt: skip
    return "unchanged tensor" if any(map(same, series)) else None


def same(values: Sequence[float]) -> bool:
    """Whether all are equal. The original asks whether mean and maximum are equal, which is the
    same except for rounding: for twenty times 0.3 they differ."""
    return all(value == values[0] for value in values)


def torchmortem(findings: Sequence[Finding] | None) -> set[str] | None:
    if findings is None:
        return None
    return {symptom_of(f) for f in findings if f.severity in ("WARNING", "CRITICAL")}


def symptom_of(finding: Finding) -> str:
    """Findings are distinguished by category, and in three categories by title."""
    for start, symptom in TITLES.items():
        if finding.title.startswith(start):
            return symptom
    return finding.category


TITLES = {
    "Vanishing gradients": "vanishing", "Exploding gradients": "exploding",
    "Gradient stalling": "vanishing", "Update ratio too low": "slow updates",
    "Update ratio too high": "large updates", "Training divergence": "divergence",
    "Loss plateau": "plateau",
}  # fmt: skip

RIVALS: dict[str, Rival] = {
    "AUTOTRAINER's rules": Rival(
        lambda watched: autotrainer(watched.epochs),
        {"relu": "dying_relu", "vanish": "vanishing_gradient", "explode": "exploding_gradient",
         "slow": "step_too_small", "unstable": "step_too_large"},
    ),
    "DeepDiagnosis's rules": Rival(
        lambda watched: deepdiagnosis(watched.epochs),
        {"dead node": "dying_relu", "zero output of a ReLU": "dying_relu",
         "vanishing gradient": "vanishing_gradient", "zero gradient": "vanishing_gradient",
         "numerical error": "exploding_gradient", "saturated activation": "saturation",
         "loss not decreasing": "plateau", "accuracy not increasing": "plateau",
         "unchanged tensor": "plateau", "zero output": OTHER, "zero weights": OTHER,
         "out of range": OTHER, "invalid accuracy": OTHER},
    ),
    "torchmortem 0.1.1": Rival(
        lambda watched: torchmortem(watched.findings),
        {"dead_units": "dying_relu", "vanishing": "vanishing_gradient",
         "exploding": "exploding_gradient", "saturation": "saturation",
         "slow updates": "step_too_small", "large updates": "step_too_large",
         "divergence": "step_too_large", "plateau": "plateau", "weight_norm": OTHER,
         "rank_collapse": OTHER, "gradient_noise": OTHER},
    ),
}  # fmt: skip
