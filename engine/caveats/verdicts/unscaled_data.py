"""Unscaled data: inputs or targets of a size that the network's weights and steps are not made for.

It is judged last, because it hides behind the other caveats: its harm is what they found. Where it
is a warning or worse, it is the headline, and `caveats.verdicts.headline` turns them into notes.
"""

from __future__ import annotations

import math

from caveats.documents import short
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.learning_rates import lr_is_high
from caveats.verdicts.pace import too_slow
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import grown_start
from caveats.verdicts.verdict import SEVERITIES, Finding, Severity

__all__ = ["UNLIMITED", "UNSCALED_DATA", "inputs_off", "out_of_reach", "target_off"]

# What activations of an output can give.
REACH = {
    "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0), "softplus": (0.0, math.inf),
}  # fmt: skip

INPUTS = "Give every input column mean 0 and deviation 1: x = (x - x.mean(0)) / x.std(0)."
TARGET = "Give the target mean 0 and deviation 1, and undo it for predictions."
UNLIMITED = "No activation behind the output layer, if it keeps the output from the targets."
NORMALIZED = "Put nn.BatchNorm1d in front of the first layer."


def rule(e: Evidence) -> Finding | None:
    if not (inputs_off(e) or target_off(e) or out_of_reach(e)):
        return None
    severity = harm(e)
    if severity is None:
        return None
    data = e.facts.data
    found = []
    if far_off(e, data.input_size) or lengthens_steps(e):
        found.append(f"the inputs have a size of {short(data.input_size)}, where 1 is usual")
    if uneven(e):
        found.append(
            f"one input column varies {short(data.input_spread)} times as much as the median one"
        )
    if target_off(e):
        found.append(f"the target is {short(data.target_mean)} ± {short(data.target_deviation)}")
    if out_of_reach(e):
        low, high = reach(e)
        found.append(
            f"the target goes from {short(data.target_low)} to {short(data.target_high)}, the "
            f"output's {e.facts.layers[-1].activation} "
            + (f"from {low:g} to {high:g}" if high < math.inf else f"only from {low:g}")
        )
    return Finding(severity, "; ".join(found), " ".join(reasons(e)), (0,), evidence(e), advice(e))


def advice(e: Evidence) -> tuple[str, ...]:
    """What helps against what is off."""
    inputs = inputs_off(e)
    found = {
        INPUTS: inputs, TARGET: target_off(e), UNLIMITED: out_of_reach(e), NORMALIZED: inputs,
    }  # fmt: skip
    return tuple(words for words, holds in found.items() if holds)


def reasons(e: Evidence) -> list[str]:
    """Why what is off does harm."""
    found = []
    if inputs_off(e):
        found.append(
            "The curvature along a weight grows with the square of its input, E[x·xᵀ], so no "
            "learning rate suits all weights (LeCun et al. 1998, Efficient BackProp, section 4.3)."
        )
    if target_off(e):
        found.append(
            "A network starts with outputs of a size around 1, so its first steps all go to the "
            "mean and the size of the target, and the gradient of the loss is of that size too."
        )
    if out_of_reach(e):
        found.append(
            "No weights give such outputs (LeCun et al. 1998, Efficient BackProp, section 4.5)."
        )
    return found


def evidence(e: Evidence) -> dict[str, float]:
    """The numbers of what is off."""
    data = e.facts.data
    found: dict[str, float] = {}
    if inputs_off(e):
        found |= {"input_size": data.input_size, "input_spread": data.input_spread}
    if target_off(e):
        found |= {"target_mean": data.target_mean, "target_deviation": data.target_deviation}
    if out_of_reach(e):
        low, high = reach(e)
        found |= {"lowest_target": data.target_low, "highest_target": data.target_high}
        found |= {"lowest_output": low, "highest_output": high}
    return found


def harm(e: Evidence) -> Severity | None:
    """The worst that the other rules found, a warning if the run fails without a finding, None if
    the run learns well. Units that start alike stay alike at any scale, so they do not count."""
    p = e.progress
    others = [f.severity for name, f in e.findings.items() if name != "symmetry"]
    if any(severity != "note" for severity in others):
        return max(others, key=SEVERITIES.index)
    if not e.finite or p.stuck:
        return "critical"
    short = fails(e) or (out_of_reach(e) and p.settled)
    return "warning" if p.learnable and not p.close and short else None


@sign
def fails(e: Evidence) -> bool:
    """Is half of the run over, and does it fail or go too slowly? Where no number of steps is
    known, as in a watched run: has it learned little in its first 200?"""
    p, t = e.progress, e.thresholds
    if not e.facts.steps:
        return p.late(t.lasting) and p.gain < t.little
    return p.late(t.half_way) and (p.failing or too_slow(e))


def far_off(e: Evidence, size: float) -> bool:
    return size > e.thresholds.far_off or 0 < size < 1 / e.thresholds.far_off


@sign
def uneven(e: Evidence) -> bool:
    """Does one input column vary much more than most?"""
    return e.facts.data.input_spread > e.thresholds.uneven


@sign
def inputs_off(e: Evidence) -> bool:
    """Are the inputs much larger or smaller than 1, their columns of unlike size, or do they make
    steps too long?"""
    return far_off(e, e.facts.data.input_size) or uneven(e) or lengthens_steps(e)


@sign
def lengthens_steps(e: Evidence) -> bool:
    """Are steps too long at a usual learning rate and with sound weights, and are the inputs larger
    than usual? The curvature along a weight of the first layer grows with their square."""
    large = e.facts.data.input_size > e.thresholds.large_inputs
    too_long = e.blames("step_too_large", "exploding_gradient")
    return large and too_long and not lr_is_high(e) and not grown_start(e)


@sign
def target_off(e: Evidence) -> bool:
    """Are the targets numbers much larger than 1, or do they vary by much less than 1?"""
    data = e.facts.data
    return data.target_size > e.thresholds.far_off or (
        0 < data.target_deviation < 1 / e.thresholds.far_off
    )


def reach(e: Evidence) -> tuple[float, float]:
    """The lowest and the highest number that the output's activation gives."""
    behind = e.facts.layers[-1].activation if e.facts.layers else None
    return REACH.get(behind or "", (-math.inf, math.inf))


@sign
def out_of_reach(e: Evidence) -> bool:
    """Do targets lie beyond what the output's activation can give? Where the graph of the loss
    was seen, the caveat loss_misfit tells how far."""
    if any(math.isfinite(facts.unreached) for facts in e.facts.losses):
        return False
    (low, high), data = reach(e), e.facts.data
    margin = e.thresholds.jump * data.target_deviation
    return data.target_low < low - margin or data.target_high > high + margin


UNSCALED_DATA = Caveat(
    "unscaled_data",
    "unscaled data",
    "Inputs whose size √E[x²] is more than 12 or less than 1/12, or more than 3 where steps are "
    "too long at a usual learning rate; an input column that varies 10 times as much as the median "
    "one; targets of such a size, or beyond what the output's activation can give; in a run that "
    "does not learn as these data allow.",
    "λ_max(E[x·xᵀ]) ≥ Σ E[x]², κ ≥ max σ_j² / min σ_j²; L_start / L_constant ≈ 1 + E[y]² / σ_y²",
    "LeCun et al. 1998, Efficient BackProp, sections 4.3 and 4.5",
    "The proof is to scale the data and change nothing else. Adam makes up for the size of the "
    "target only in part: its steps stay as small as the learning rate.",
    rule,
    (INPUTS, TARGET, UNLIMITED, NORMALIZED),
)
