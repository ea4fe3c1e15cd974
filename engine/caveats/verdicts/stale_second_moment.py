"""Stale second moment: Adam's average of squared gradients lags behind the gradients, its steps are
too long, and the loss jumps a few steps later.

The ratio is taken in the training's own process (`caveats.watching.moments`), and kept with the
spike that followed.
"""

from __future__ import annotations

from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.loss_spike import FINDING
from caveats.verdicts.verdict import Finding

__all__ = ["STALE_SECOND_MOMENT"]

HIGH = 2.3  # Wortsman et al. 2023, figure 9
LATELY = 500  # steps in which spikes belong together
SEVERAL = 2  # spikes in that time that are no accident


def rule(e: Evidence) -> Finding | None:
    led = [
        s for s in e.snapshot.events
        if s.kind == FINDING and s.step <= e.step and float(s.changes.get("rms", 0.0)) >= HIGH
    ]  # fmt: skip
    recent = [s for s in led if s.step > e.step - max(LATELY, e.step // 10)]
    if not recent or not e.finite:
        return None
    newest = recent[-1]
    rms, lead = float(newest.changes["rms"]), int(newest.changes.get("lead", 0))
    what = (
        f"{lead} steps before the loss jumped at step {newest.step}, the gradients were {rms:.3g} "
        "times as large as Adam's second moment expected"
    )
    if len(recent) > 1:
        what += f"; so it was before {len(recent)} jumps"
    why = (
        "Adam divides by √v, v = β₂v + (1 − β₂)g²: with β₂ = .999 it remembers a thousand steps. "
        "When gradients grow, RMS(g/√v) is far above 1 and the steps are longer than lr; at 2.3 "
        "and above, the loss jumps 1 to 8 steps later (Wortsman et al. 2023, section 3.4)."
    )
    evidence = {"rms": rms, "lead": float(lead), "spikes": float(len(led))}
    return Finding("warning" if len(recent) >= SEVERAL else "note", what, why, (), evidence)


STALE_SECOND_MOMENT = Caveat(
    "stale_second_moment",
    "stale second moment",
    "1 to 8 steps before a jump of the loss, RMS(g/√v) of the first layer was 2.3 or more; twice "
    "in 500 steps it is a warning.",
    "RMS_t = √mean(g² / max(v, ε²)) ≥ 2.3",
    "Wortsman et al. 2023, Stable and low-precision training, section 3.4",
    "It is seen in the first layer with weights only, at every fourth step (of steps of a "
    "millisecond or so, at every eighth), and only where the "
    "optimizer keeps Adam's second moment. A jump at the very step of a broken minibatch is a loss "
    "spike and nothing more.",
    rule,
    (
        "betas=(0.9, 0.95) in torch.optim.AdamW: its second moment then follows in twenty steps.",
        "Divide the lr by max(1, RMS) at each step, as Adafactor and StableAdamW do.",
        "A longer warm-up: torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=1000).",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step().",
    ),
)
