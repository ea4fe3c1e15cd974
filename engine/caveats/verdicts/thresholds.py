"""The thresholds of the rules: the value, the meaning and the source of each.

A source is a paper, or "development": the value was chosen on those networks of
`benchmarks.verdicts` that were drawn to develop the rules. `benchmarks.thresholds` judges these
again with each number a quarter smaller and larger, and prints what changes. The table leaves out
exact definitions (a unit is dead when all its slopes are 0) and fractions that only name a part of
a record.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

__all__ = ["Thresholds", "table"]

DEVELOPMENT = "development"


def number(value: float, meaning: str, source: str = DEVELOPMENT) -> Any:
    return field(default=value, metadata={"meaning": meaning, "source": source})


def table() -> tuple[Field[float], ...]:
    """The thresholds as dataclass fields: ``name``, ``default``, and ``metadata`` with "meaning"
    and "source"."""
    return fields(Thresholds)


@dataclass(frozen=True, slots=True)
class Thresholds:
    # How training goes, by its loss alone. "Gain" is the share of the way from the loss of a
    # constant to the loss that the data allow; "late" is a share of the planned steps.
    finished: float = number(0.9, "gain of a run that is done, by loss or by accuracy")
    short: float = number(0.75, "gain from which a flat loss is no failure")
    little: float = number(0.3, "gain below which half a run has failed")
    nothing: float = number(0.05, "gain, or share of a constant's loss, that luck can give")
    falling: float = number(0.03, "share of the loss that the newest half of a run removes")
    first_steps: float = number(10, "steps before which a flat loss means nothing")
    early: float = number(0.045, "late: before it a flat loss means nothing")
    settled: float = number(0.1, "late: healthy networks may pause or recover before it")
    soon: float = number(0.6, "projected gain that excuses a slow pace")
    far: float = number(0.45, "gain that a slow run will not reach at its pace")
    half_way: float = number(0.5, "late: until then a verdict that blames no layer is a note")
    over: float = number(0.9, "late: hardly anything changes any more")
    steadily: float = number(0.6, "share of the newest records in which the loss falls")
    worse: float = number(0.5, "loss above a constant's, as a share of it, too large for chance")
    # The data.
    far_off: float = number(12.0, "size of inputs or targets, or of 1 over it, that is no scale")
    large_inputs: float = number(3.0, "size of inputs that makes a usual step too long")
    uneven: float = number(10.0, "deviation of an input column over that of the median column")
    # What the graph of a loss shows.
    unreached: float = number(
        0.1, "share of a constant's loss below which no output that an activation gives can go"
    )
    far_too_warm: float = number(
        0.9, "the same share, of cosines over a temperature: a sound one of 0.5 leaves 0.4",
        "Chen et al. 2020",
    )  # fmt: skip
    mass_off: float = number(
        0.25, "how far from 1 add up the exponentials of what is no logarithm of probabilities",
        "softmax adds up to 1",
    )  # fmt: skip
    # Layers.
    faded: float = number(
        1e-3, "‖delta‖ of the first layer over that of the output", "AUTOTRAINER's limit for ‖dW‖"
    )
    grown: float = number(
        100.0, "the same ratio where deltas grow: healthy small networks cross 70"
    )
    overflowing: float = number(1e6, "the same ratio at step 0 that is a warning at once")
    anywhere: float = number(1e4, "growth of a gradient over a sequence: it has no direction left")
    most: float = number(
        0.5, "share of a layer's units, or of anything else, that counts as most of it"
    )
    nearly_all: float = number(0.8, "share of a layer's units that leaves next to nothing")
    worth_saying: float = number(0.25, "share of a layer's units that is worth a note")
    wide: float = number(16, "units of a layer in which chance alone kills no such share")
    copies: float = number(1e-3, "largest distance between two units over one's length: rounding")
    parted: float = number(0.3, "late: dropout has parted copies by then")
    dull: float = number(0.1, "mean slope over its maximum: nine in ten values lie in the tails")
    high_start: float = number(2.0, "loss at step 0 over a constant's that saturated units cause")
    astronomic: float = number(1e3, "loss over a constant's that weights too large cause")
    mean_of_data: float = number(0.8, "|E x|²/E|x|² of the inputs that holds up the first layer")
    mean_of_units: float = number(0.6, "the same of units off centre: tanh + 1 has .7, sigmoid .95")
    weak: float = number(0.3, "fan-in times the variance of a weight: a little below torch's 1/3")
    strong: float = number(1.5, "the same, half-way from Xavier's 1 to He's 2")
    deep: float = number(4, "hidden layers over which means off centre add up")
    few: float = number(4, "units, layers, rows or passes: few enough that single ones decide")
    # What a step does.
    small_update: float = number(
        10**-2.5, "‖ΔW‖/‖W‖ below which a step is small", "Karpathy's 1e-3"
    )
    large_update: float = number(10**-1.3, "‖ΔW‖/‖W‖ above which trouble starts")
    upheaval: float = number(0.5, "‖ΔW‖/‖W‖ of a step that replaces the weights")
    climb: float = number(5.0, "loss over the first that only a large step reaches early")
    climb_at_usual: float = number(20.0, "the same at a learning rate that is usual")
    thrown: float = number(3.0, "highest loss over the first that early steps must answer for")
    bouncing: float = number(0.25, "share of the newest records that jump up")
    jump: float = number(0.1, "rise of the loss that is a jump, as a share of a constant's loss")
    lasting: float = number(0.2, "late: damage by early steps would have healed by then")
    room: float = number(0.03, "sharpness over its limit: thirty times the step would be stable")
    tight: float = number(0.1, "sharpness over its limit that leaves a usual step little to gain")
    edge: float = number(0.9, "sharpness over its limit that is the edge", "Cohen et al. 2021")
    # Learning rates, as multiples of what is customary for the kind of optimizer.
    high: float = number(3.0, "times the customary rate that is high")
    far_above: float = number(10.0, "times what fits optimizer and depth: breaks a sound network")
    unbearable: float = number(20.0, "times the customary rate that no start excuses")
    hot_steps: float = number(
        60, "steps in which a run of unknown length leaves such a rate behind"
    )
    lowish: float = number(0.3, "times the customary rate that may be too small")
    low: float = number(0.1, "times the customary rate that is low")
    far_below: float = number(
        0.01, "times the customary rate, or the run's highest, that trains nothing"
    )
    gone_for: float = number(0.4, "share of the steps since then: usual schedules are there last")
    deep_steps: float = number(6, "hidden layers from which a third of the customary rate fits")
    shortest_descent: float = number(
        20.0, "lr/(1-β)·units·steps of plain descent that carries no network anywhere"
    )
    shortest_walk: float = number(0.07, "lr·steps of Adam-like optimizers that does not either")
    # Trials of other steps, in shares of what can be learnt above a constant.
    trial_learns: float = number(0.5, "learnt in a trial: this step trains the network")
    trial_nowhere: float = number(0.1, "learnt in a short trial: the step carries nowhere")
    trial_lead: float = number(
        0.25, "learnt more in a trial than with the run's own step, or than with none"
    )
