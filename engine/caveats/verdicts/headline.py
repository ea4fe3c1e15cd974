"""Makes the cause the headline: what one finding explains becomes its notes, and a run that ends no
better than a constant is critical.
"""

from __future__ import annotations

from dataclasses import replace

from caveats.verdicts import (
    broadcast,
    class_imbalance,
    collapse,
    drowned_part,
    future_seen,
    held_back,
    loss_misfit,
    not_divided,
    nothing_learns,
    one_class,
    rows_mix,
    tiny_batch,
    undefined_number,
)
from caveats.verdicts.catalogue import CAVEATS
from caveats.verdicts.dying_relu import cuts
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import outdone
from caveats.verdicts.sign import sign
from caveats.verdicts.trial import Side, proved
from caveats.verdicts.verdict import Finding

__all__ = ["EFFECTS", "headlined"]

# By cause, the caveats that are its effects. Units that start alike stay alike at any scale, and
# mistakes of the script are no effects of each other.
MISTAKES = frozenset({
    "symmetry", "nothing_learns", "wrong_sign", "loss_misfit", "broadcast_loss", "undefined_number",
    "one_class", "not_divided", "tiny_batch", "collapse", "rows_mix", "future_seen",
    "drowned_part",
})  # fmt: skip
EFFECTS = {
    "wrong_sign": CAVEATS.keys() - MISTAKES,
    "undefined_number": undefined_number.EFFECTS,
    "one_class": one_class.EFFECTS,
    "not_divided": not_divided.EFFECTS,
    "tiny_batch": tiny_batch.EFFECTS,
    "loss_misfit": loss_misfit.EFFECTS,
    "broadcast_loss": broadcast.EFFECTS,
    "rows_mix": rows_mix.EFFECTS,
    "future_seen": future_seen.EFFECTS,
    "collapse": collapse.EFFECTS,
    "drowned_part": drowned_part.EFFECTS,
    "unscaled_data": CAVEATS.keys() - MISTAKES - {"unscaled_data"},
    "class_imbalance": class_imbalance.EFFECTS,
    # What is left out of training makes the rest slow.
    "nothing_learns": nothing_learns.EFFECTS,
    # Steps that are rounded away are too small for the type of the weights.
    "precision": frozenset({"step_too_small"}),
}

# The steps that would be better, by the verdict on the run's own.
SIDES: dict[str, Side] = {"step_too_large": "smaller", "step_too_small": "larger"}


def headlined(e: Evidence) -> dict[str, Finding]:
    """The findings of one record, with the severities that are shown."""
    found = dict(e.findings)
    for cause, effects in EFFECTS.items():
        if e.blames(cause):
            hidden = (name for name in found.keys() & effects if not tried_out(e, name))
            found |= {name: noted(found[name]) for name in hidden}
    if e.blames("underfitting") and outdone(e):
        found |= {name: noted(found[name]) for name in found.keys() & held_back.effects(e)}
    if "dying_relu" in found and cuts(e):
        # Whatever killed it, behind a wholly dead layer nothing trains any more.
        found["dying_relu"] = e.findings["dying_relu"]
    if useless(e) and all(finding.severity != "critical" for finding in found.values()):
        found = {name: raised(finding) for name, finding in found.items()}
    return found


def tried_out(e: Evidence, name: str) -> bool:
    """Whether a trial showed that another step alone cures the run: then the step is no mere
    effect."""
    return name in SIDES and proved(e, SIDES[name])


@sign
def useless(e: Evidence) -> bool:
    """Is the run nearly over, or flat past half of its steps, and is it no better than a constant
    on data that can be learnt?"""
    p, t = e.progress, e.thresholds
    over = p.late(t.over) or (p.late(t.half_way) and not p.improving)
    return p.learnable and over and p.gain < t.nothing and not p.skill > t.nothing


def noted(finding: Finding) -> Finding:
    return replace(finding, severity="note")


def raised(finding: Finding) -> Finding:
    return finding if finding.severity == "note" else replace(finding, severity="critical")
