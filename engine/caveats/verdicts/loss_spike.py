"""Loss spike: the loss of a minibatch jumps far above those before it."""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import Finding

__all__ = ["LOSS_SPIKE"]

FINDING = "spike"  # the kind of the events that a watched training notes
LATELY = 200  # steps in which a spike is still news
SEVERAL = 3  # spikes in that time that are no accident


def rule(e: Evidence) -> Finding | None:
    spikes = [s for s in e.snapshot.events if s.kind == FINDING and s.step <= e.step]
    recent = [s for s in spikes if s.step > e.step - max(LATELY, e.step // 10)]
    if not recent or not e.finite:
        return None
    score = max(float(s.changes.get("z", 0.0)) for s in recent)
    newest = recent[-1]
    what = f"{newest.text}, at step {newest.step}"
    if len(recent) > 1:
        what = f"{len(recent)} spikes; the last: {what}"
    why = (
        "A robust score, .6745 (x − median)/MAD of the log losses of the last 100 steps, above 8: "
        "healthy runs stay below 4.5. A spike of Adam comes when its second moment is too old for "
        "the gradients (Wortsman et al. 2023), or from a broken minibatch (Chowdhery et al. 2022)."
    )
    evidence = {"spikes": len(spikes), "largest_score": score}
    return Finding("warning" if len(recent) >= SEVERAL else "note", what, why, (), evidence)


LOSS_SPIKE = Caveat(
    "loss_spike",
    "loss spike",
    "The loss of a minibatch lies more than eight robust deviations above those of the last "
    "hundred steps; three times in 200 steps it is a warning.",
    "z = .6745 (x − median)/MAD > 8",
    "Wortsman et al. 2023; Chowdhery et al. 2022 (PaLM)",
    "A single spike that comes down again costs little. A loss that is not a number is no spike: "
    "see exploding gradient.",
    rule,
    (
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step().",
        "betas=(0.9, 0.95) in torch.optim.AdamW, whose second moment then follows faster.",
        "A smaller learning rate, with a warm-up.",
        "Look at the minibatch of that step: skip it, or clean the data.",
    ),
)
