"""Nothing learns here: parameters that no step changes, as the wiring of a watched training shows.

The findings are exact, and are made in the training's own process (`caveats.watching.untrained`).
"""

from __future__ import annotations

from caveats.history import Event
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import SEVERITIES, Finding, Severity

__all__ = ["NOTHING_LEARNS"]

FINDING = "wiring"  # the kind of the events


def rule(e: Evidence) -> Finding | None:
    found = [event for event in e.snapshot.events if event.kind == FINDING and event.step <= e.step]
    if not found:
        return None
    worst = max(found, key=lambda event: SEVERITIES.index(severity(event)))
    why = (
        "optimizer.step() changes the parameters that it was given, by the gradients that "
        "backward() left in them since zero_grad(): what is missing there is never trained."
    )
    return Finding(severity(worst), worst.text, why, (), {"findings": len(found)})


def severity(event: Event) -> Severity:
    said = event.changes.get("severity")
    return said if said in SEVERITIES else "note"


NOTHING_LEARNS = Caveat(
    "nothing_learns",
    "nothing learns here",
    "Parameters have had no gradient for 20 steps, or take part in the loss but are in no "
    "optimizer, or gradients are never set back to zero.",
    "Δθ = 0, or g_t = Σ_{s≤t} ∇L_s",
    "TrainCheck (Jiang et al., OSDI 2025)",
    "It sees what is trained, not what should be: a layer that is frozen on purpose has "
    "requires_grad = False and is not named. Gradients that are summed up over several backward "
    "passes a step are not judged.",
    rule,
    (
        "torch.optim.Adam(model.parameters()): give the optimizer the parameters of the model that "
        "is trained, after it was moved or replaced.",
        "nn.ModuleList and nn.ModuleDict in place of a list or a dict of layers.",
        "optimizer.zero_grad() before each backward().",
        "No .detach(), .item() or torch.no_grad() between the parameters and the loss.",
    ),
)
