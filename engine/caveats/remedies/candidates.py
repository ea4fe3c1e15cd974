"""All changes of a config that may cure a failed run, whatever was found: those that race."""

from __future__ import annotations

from collections.abc import Sequence

from caveats.config import RunConfig
from caveats.remedies import changes, customary
from caveats.remedies.ranking import valid
from caveats.verdicts.verdict import Remedy

__all__ = ["candidates", "pairs"]


def candidates(c: RunConfig, proposed: Sequence[Remedy] = ()) -> tuple[Remedy, ...]:
    """``proposed`` and every single change of `caveats.remedies.changes`, each once."""
    lr = c.optimizer.lr
    singles = (
        changes.plain_output(c),
        changes.scaled_target(c),
        changes.standardize(c),
        changes.usual_lr(c),
        changes.lr(c, lr * 10, "steps ten times as long"),
        changes.lr(c, lr * 3, "steps three times as long"),
        changes.lr(c, lr / 3, "steps a third as long"),
        changes.lr(c, lr / 10, "steps a tenth as long"),
        changes.adam(c, customary.adam_lr(c)),
        changes.momentum(c),
        changes.clip(c),
        changes.usual_options(c),
        changes.matched_init(c),
        changes.bias_zero(c),
        changes.normalization(c),
        changes.residual(c),
        changes.steeper(c),
        changes.leaky(c, "elu"),
        changes.wider(c),
        changes.hidden_layer(c),
        changes.no_dropout(c),
        changes.balanced(c),
        changes.longer(c),
    )
    return valid(c, (*proposed, *singles))


def pairs(c: RunConfig, best: Sequence[Remedy]) -> tuple[Remedy, ...]:
    """Two of the ``best`` single changes at once, where they change different settings."""
    return valid(
        c,
        (
            changes.combined(c, a, b)
            for index, a in enumerate(best)
            for b in best[index + 1 :]
            if not a.change.keys() & b.change.keys()
        ),
    )
