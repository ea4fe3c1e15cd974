"""The table of measures: the name and the meaning of every number in a record. The full
definitions, with their sources, are in docs/measurements.md.

`caveats.measuring.probe` fills these columns, `caveats.history` keeps them, and screens and
verdicts read them by name.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LAYER_MEASURES", "SCALARS", "UNIT_STATES", "Measure"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: a number of units where ``counts`` is True, else a real number."""

    name: str
    meaning: str
    counts: bool = False


SCALARS: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("loss", "the run's loss on the probe set, mean over rows"),
        Measure("accuracy", "share of probe rows whose class is predicted; NaN without classes"),
        Measure("lowest_recall", "that share in the class that has the fewest right; NaN without"),
        Measure("batch_loss", "mean of the minibatch losses since the record before"),
        Measure("lr", "learning rate of the next step"),
        Measure("seconds", "time spent training and measuring so far"),
        Measure("overhead", "share of the time that watching has taken; watched trainings only"),
        Measure("sharpness", "λ_max of the Hessian, divided by √v for Adam; taken now and then"),
        Measure("validation_loss", "the run's loss on rows held out; NaN without such rows"),
        Measure("validation_accuracy", "as accuracy, on rows held out"),
        Measure("r2", "1 - squared error/variance of the targets on the probe set; NaN of classes"),
        Measure("rmse", "root mean square error on the probe set, in the target's own unit"),
    )
}

LAYER_MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("units", "units of the layer", counts=True),
        Measure("dead", "units that are flat (slope 0) on every probe row", counts=True),
        Measure("born_dead", "dead units that were dead at step 0 already", counts=True),
        Measure("confirmed_dead", "units that are flat on every training row", counts=True),
        Measure(
            "dormant",
            "units whose mean |a| is at most 0.025 of the layer's (Sokar et al. 2023)",
            counts=True,
        ),
        Measure(
            "saturated",
            "units with a slope below 5 % of its maximum on at least 95 % of the rows",
            counts=True,
        ),
        Measure(
            "silent", "units that fired in none of the last minibatches looked at", counts=True
        ),
        Measure("activation_mean", "mean of a over rows and units"),
        Measure("activation_std", "standard deviation of a over rows and units"),
        Measure("delta_rms", "√ mean over rows and units of (dLoss of that row/dz)²"),
        Measure("grad_norm", "‖dLoss/dW‖ of the mean loss"),
        Measure("weight_norm", "‖W‖"),
        Measure("update_ratio", "‖ΔW‖/‖W‖ of the step that led here"),
        Measure("distinct", "units whose row of [W, b] differs from every other", counts=True),
        Measure("mean_fraction", "|E x|²/E|x|² of what feeds the layer: 1 is all mean, 0 centred"),
        Measure("sign_coherence", "mean over units of |Σ g|/Σ|g| of the incoming gradient"),
        Measure("spread", "largest distance between two units' rows of [W, b]"),
        Measure("feature_rank", "directions that make up .99 of what feeds the layer (srank)"),
        Measure("attention_entropy", "entropy of a head's rows over ln of the tokens, 0 to 1"),
        Measure("attention_logit", "largest q·k/√d of an attention"),
        Measure("saturated_gates", "units of which a gate is stuck near 0 or 1", counts=True),
        Measure("memory", "what a recurrent layer keeps of a gradient, a step back in time"),
        Measure("sequence", "steps of time over which memory was measured"),
    )
}

# The states of a unit, from best to worst; the index is the code in a record's state arrays.
UNIT_STATES: tuple[str, ...] = ("alive", "silent", "saturated", "dead", "unobserved")
