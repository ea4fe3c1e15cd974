"""Memory through time: the gradient of a recurrent layer fades, or grows, from step to step back
in time, so that early inputs cannot teach, or steps become far too long."""

from __future__ import annotations

import math

import numpy as np

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.harm import READINGS, held_up
from caveats.verdicts.verdict import Finding

__all__ = ["MEMORY_THROUGH_TIME"]

REACH = 1 / 3  # of the sequence
LONG = 6  # steps from which a sequence has a far end
GROWS = 1.05  # a step (Pascanu et al. 2013)
FAR = 100.0  # times over the whole sequence


def horizon(factor: float) -> float:
    """The steps after which a gradient has fallen to 1/e."""
    return -1 / math.log(factor) if 0 < factor < 1 else (0.0 if factor <= 0 else math.inf)


def rule(e: Evidence) -> Finding | None:
    if e.facts.remedies is not None or not e.finite:
        return None  # the lab measures no such thing
    factors = e.snapshot.layers("memory")[: e.index + 1]
    newest = factors[np.isfinite(factors).any(axis=1)][-READINGS:]
    if len(newest) < READINGS or not e.progress.settled:
        return None
    lengths = e.now("sequence")
    with np.errstate(all="ignore"):
        middle = np.median(newest, axis=0)  # (layers,)
    short = np.array([horizon(m) < REACH * n for m, n in zip(middle, lengths, strict=True)])
    fades = short & (lengths >= LONG)
    grows = (middle > GROWS) & (middle**lengths > FAR)
    if grows.any():
        worst = int(np.where(grows, middle, 0).argmax())
        what = (
            f"{e.layer(worst)}: a gradient grows {middle[worst]:.2f} times at each step back in "
            f"time, {middle[worst] ** lengths[worst]:,.0f} times over {lengths[worst]:.0f} steps"
        )
        harm = held_up(e) or shakes(e, float(middle[worst] ** lengths[worst]))
        harm |= e.blames("loss_spike", "step_too_large", "exploding_gradient")
        found = grows
    elif fades.any():
        worst = int(np.where(fades, middle, np.inf).argmin())
        what = (
            f"{e.layer(worst)}: a gradient keeps {middle[worst]:.2f} of itself at each step back "
            f"in time, {middle[worst] ** lengths[worst]:.1g} of itself over "
            f"{lengths[worst]:.0f} steps"
        )
        harm, found = held_up(e), fades
    else:
        return None
    why = (
        "δ_{t−1} = (∂h_t/∂h_{t−1})ᵀ δ_t: the product of many such Jacobians falls or grows as ρᵏ "
        "(Bengio et al. 1994; Pascanu et al. 2013), so what stands −1/ln ρ steps back hardly "
        "teaches, and ρ > 1 makes steps too long."
    )
    evidence = {"factor": float(middle[worst]), "sequence": float(lengths[worst])}
    return Finding(
        "warning" if harm else "note", what, why, tuple(map(int, np.flatnonzero(found))), evidence
    )


def shakes(e: Evidence, growth: float) -> bool:
    """Whether a gradient grows so far over the sequence that it points anywhere, and little was
    learned by then."""
    p, t = e.progress, e.thresholds
    return growth >= t.anywhere and p.learnable and not p.close and p.gain < t.little


MEMORY_THROUGH_TIME = Caveat(
    "memory_through_time",
    "memory through time",
    "After a tenth of the run (100 steps if its length is unknown), the gradient of a recurrent "
    "layer has fallen to 1/e within a third of the sequence, or grows by over 5 % a step and a "
    "hundredfold in all, as the median of three readings. It is a warning if little is learned.",
    "ρ = (‖δ_1‖/‖δ_n‖)^{1/(n−1)}, horizon −1/ln ρ",
    "Pascanu et al. 2013, On the difficulty of training recurrent neural networks",
    "A task that needs only the newest steps is learned with a short memory: that is a note. Only "
    "the first 256 steps of a sequence are looked at, and cells that a script calls by itself are "
    "not.",
    rule,
    (
        "nn.LSTM or nn.GRU in place of nn.RNN, with the forget bias at 1: "
        "lstm.bias_ih_l0.data[units:2*units] = 1.0.",
        "nn.init.orthogonal_(rnn.weight_hh_l0), whose steps keep lengths.",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) if gradients grow.",
        "Shorter sequences, or an attention over the states, so that the way back is short.",
    ),
)
