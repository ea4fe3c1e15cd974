"""All changes of a config that may cure a failed run, whatever was found: those that race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from caveats.config import RunConfig
from caveats.remedies import changes, customary
from caveats.remedies.ranking import valid
from caveats.verdicts.verdict import Remedy

__all__ = ["candidates", "pairs", "parts"]

WHOLE = 4  # settings of a change of which all parts are tried


def candidates(c: RunConfig, proposed: Sequence[Remedy] = ()) -> tuple[Remedy, ...]:
    """``proposed`` and every single change of `caveats.remedies.changes`, each once. What the first
    of ``proposed`` changes comes first, setting by setting: of equals the first wins a race."""
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
        changes.nonlinear(c),
        changes.steeper(c),
        changes.leaky(c, "elu"),
        changes.wider(c),
        changes.hidden_layer(c),
        changes.no_dropout(c),
        changes.balanced(c),
        changes.longer(c),
    )
    every = valid(c, (*proposed, *singles))
    blamed = parts(c, proposed[0].change, most=1) if proposed else ()
    told = (next((r for r in every if r.change == part.change), part) for part in blamed)
    return valid(c, (*told, *every))


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


def parts(c: RunConfig, change: Mapping[str, Any], most: int | None = None) -> tuple[Remedy, ...]:
    """The changes of fewer settings (``most`` at most) that a ``change`` of several is made of: of
    up to `WHOLE` settings all, of more those that leave one or two out."""
    keys, count = tuple(change), len(change)
    sizes = range(1, count) if most is not None or count <= WHOLE else range(count - 2, count)
    reason = "this part of the change alone"
    return valid(
        c,
        (
            Remedy({key: change[key] for key in group}, reason)
            for size in sizes
            if most is None or size <= most
            for group in combinations(keys, size)
        ),
    )
