"""The list of caveats, causes before their effects: a rule may read what earlier rules found.

Each caveat's words and rule are in a file of their own.
"""

from __future__ import annotations

from caveats.verdicts.attention_collapse import ATTENTION_COLLAPSE
from caveats.verdicts.broadcast import BROADCAST
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.class_imbalance import CLASS_IMBALANCE
from caveats.verdicts.collapse import COLLAPSE
from caveats.verdicts.dormant import DORMANT
from caveats.verdicts.drowned_part import DROWNED_PART
from caveats.verdicts.dying_relu import DYING_RELU
from caveats.verdicts.exploding_gradient import EXPLODING_GRADIENT
from caveats.verdicts.future_seen import FUTURE_SEEN
from caveats.verdicts.loss_misfit import LOSS_MISFIT
from caveats.verdicts.loss_spike import LOSS_SPIKE
from caveats.verdicts.memory_through_time import MEMORY_THROUGH_TIME
from caveats.verdicts.not_divided import NOT_DIVIDED
from caveats.verdicts.not_zero_centred import NOT_ZERO_CENTRED
from caveats.verdicts.nothing_learns import NOTHING_LEARNS
from caveats.verdicts.one_class import ONE_CLASS
from caveats.verdicts.overfitting import OVERFITTING
from caveats.verdicts.plateau import PLATEAU
from caveats.verdicts.precision import PRECISION
from caveats.verdicts.rank_loss import RANK_LOSS
from caveats.verdicts.ravine import RAVINE
from caveats.verdicts.rows_mix import ROWS_MIX
from caveats.verdicts.saturated_gates import SATURATED_GATES
from caveats.verdicts.saturation import SATURATION
from caveats.verdicts.stale_second_moment import STALE_SECOND_MOMENT
from caveats.verdicts.step_too_large import STEP_TOO_LARGE
from caveats.verdicts.step_too_small import STEP_TOO_SMALL
from caveats.verdicts.symmetry import SYMMETRY
from caveats.verdicts.tiny_batch import TINY_BATCH
from caveats.verdicts.undefined_number import UNDEFINED_NUMBER
from caveats.verdicts.underfitting import UNDERFITTING
from caveats.verdicts.unscaled_data import UNSCALED_DATA
from caveats.verdicts.update_off_scale import UPDATE_OFF_SCALE
from caveats.verdicts.vanishing_gradient import VANISHING_GRADIENT
from caveats.verdicts.wrong_sign import WRONG_SIGN

__all__ = ["CAVEATS", "ONLY_WATCHED"]

CAVEATS: dict[str, Caveat] = {
    caveat.name: caveat
    for caveat in (
        SYMMETRY,
        DYING_RELU,
        EXPLODING_GRADIENT,
        SATURATION,
        VANISHING_GRADIENT,
        STEP_TOO_LARGE,
        STEP_TOO_SMALL,
        NOT_ZERO_CENTRED,
        RAVINE,
        CLASS_IMBALANCE,
        PLATEAU,
        NOTHING_LEARNS,
        UNDERFITTING,
        OVERFITTING,
        DORMANT,
        LOSS_SPIKE,
        STALE_SECOND_MOMENT,
        PRECISION,
        UPDATE_OFF_SCALE,
        ATTENTION_COLLAPSE,
        SATURATED_GATES,
        MEMORY_THROUGH_TIME,
        RANK_LOSS,
        TINY_BATCH,
        NOT_DIVIDED,
        ONE_CLASS,
        UNDEFINED_NUMBER,
        WRONG_SIGN,
        LOSS_MISFIT,
        BROADCAST,
        COLLAPSE,
        ROWS_MIX,
        FUTURE_SEEN,
        DROWNED_PART,
        UNSCALED_DATA,
    )
}

# What only a watched training shows: it has no config that a remedy could change.
ONLY_WATCHED = frozenset({
    "nothing_learns", "loss_spike", "stale_second_moment", "precision", "update_off_scale",
    "attention_collapse", "saturated_gates", "memory_through_time", "rank_loss",
    "tiny_batch", "not_divided", "one_class", "undefined_number", "wrong_sign", "loss_misfit",
    "broadcast_loss", "collapse", "rows_mix", "future_seen", "drowned_part",
})  # fmt: skip
