"""Nothing learns here: parameters that no step changes, as the wiring of a watched training shows.

The findings are exact, and are made in the training's own process (`caveats.watching.untrained`,
`.idle` and `.unowned`). A finding that is over is an event whose severity is "over".
"""

from __future__ import annotations

from caveats.history import Event
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.verdict import SEVERITIES, Finding, Severity

__all__ = ["ADVICE", "EFFECTS", "NOTHING_LEARNS"]

# What else such a run shows.
EFFECTS = frozenset({
    "step_too_small", "step_too_large", "exploding_gradient", "ravine", "plateau",
})  # fmt: skip

FINDING = "wiring"  # the kind of the events

GIVE = (
    "torch.optim.Adam(model.parameters()): give the optimizer the parameters of the model that is "
    "trained, after it was moved or its layers were replaced."
)
LISTS = "nn.ModuleList or nn.ModuleDict in place of a list or a dict of layers."
ZERO = "optimizer.zero_grad() before each backward()."
BEFORE = "optimizer.zero_grad() before backward(), not after it."
STEP = "optimizer.step() after backward(), for this optimizer too."
CUT = (
    "No .detach(), .data, .item() or torch.no_grad() between these layers and the loss, and no "
    "function without a gradient (argmax, round, sign)."
)
MEANT = "Where it is meant: requires_grad_(False), and leave them out of the optimizer."
ROWS = "Look at the indices: a token that the vocabulary does not hold must not become the padding."

# What helps, by what was found.
ADVICE = {
    "never zeroed": (ZERO,),
    "wiped": (BEFORE,),
    "partly wiped": (BEFORE, MEANT),
    "no gradient": (GIVE, CUT),
    "cut off": (CUT, MEANT),
    "padding": (ROWS,),
    "partly": (CUT, MEANT),
    "unregistered": (LISTS,),
    "unowned": (GIVE, MEANT),
    "never steps": (STEP, MEANT),
}


def rule(e: Evidence) -> Finding | None:
    newest: dict[str, Event] = {}
    for event in e.snapshot.events:
        if event.kind == FINDING and event.step <= e.step:
            newest[str(event.changes.get("finding"))] = event
    found = [event for event in newest.values() if event.changes.get("severity") != "over"]
    if not found:
        return None
    found.sort(key=lambda event: -SEVERITIES.index(severity(event)))
    worst = severity(found[0])
    told = [event for event in found if severity(event) == worst]
    why = (
        "optimizer.step() changes the parameters that it was given, by the gradients that "
        "backward() left in them since zero_grad(): what is missing there is never trained."
    )
    advice = [a for event in told for a in ADVICE.get(str(event.changes.get("finding")), ())]
    return Finding(
        worst,
        "; ".join(event.text for event in told),
        why,
        (),
        {"findings": len(found)},
        tuple(dict.fromkeys(advice)),
    )


def severity(event: Event) -> Severity:
    said = event.changes.get("severity")
    return said if said in SEVERITIES else "note"


NOTHING_LEARNS = Caveat(
    "nothing_learns",
    "nothing learns here",
    "Parameters have had no gradient for 20 steps, or take part in the loss but are in no "
    "optimizer or in one that never steps, or gradients are never set back to zero.",
    "Δθ = 0, or g_t = Σ_{s≤t} ∇L_s",
    "TrainCheck (Jiang et al., OSDI 2025)",
    "It sees what is trained, not what should be: a layer that is frozen on purpose has "
    "requires_grad = False and is not named; trained weights and copies that no gradient changes "
    "are a note. Gradients that are summed up over several backward passes a step are not judged.",
    rule,
    (GIVE, LISTS, STEP, ZERO, CUT),
)
