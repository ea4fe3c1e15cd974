"""What a trial of the run's steps says about a verdict on them: it proves it, or it speaks against
it.

A trial (`caveats.trials.steps`) tried other steps than the run's own for some dozen steps. It
counts only for the record of the step at which it was made.
"""

from __future__ import annotations

from typing import Literal

from caveats.facts import Origin, TriedStep
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.soundness import began_symmetric
from caveats.verdicts.words import percent

__all__ = ["Side", "contradicted", "other_step_helps", "proof", "proved"]

Side = Literal["smaller", "larger", "other"]  # a learning rate, or another kind of step

OWN: tuple[Origin, ...] = ("present", "start")  # where the run's own network was tried
RATES = {
    0.01: "a hundredth of the rate", 0.1: "a tenth of the rate", 3.0: "three times the rate",
    10.0: "ten times the rate", 100.0: "a hundred times the rate",
}  # fmt: skip
PLACES: dict[Origin, str] = {
    "present": "", "start": "from step 0, ", "sound": "in a sound network of this shape, ",
}  # fmt: skip


def own(e: Evidence, origin: Origin) -> TriedStep | None:
    """The run's own step, tried from ``origin``."""
    tried = () if e.trial is None else e.trial.tried
    return next((t for t in tried if t.origin == origin and t.times == 1.0), None)


def best(e: Evidence, origin: Origin, side: Side) -> TriedStep | None:
    """The step of one ``side`` that learnt most from ``origin``."""
    unchanged = own(e, origin)
    if unchanged is None or e.trial is None:
        return None
    found = [t for t in e.trial.tried if t.origin == origin and side_of(t, unchanged) == side]
    return max(found, key=lambda t: t.learnt, default=None)


def side_of(tried: TriedStep, unchanged: TriedStep) -> Side | None:
    if tried.optimizer != unchanged.optimizer:
        return "other"
    if tried.times == 1.0:
        return None
    return "smaller" if tried.times < 1 else "larger"


def ahead(e: Evidence, origin: Origin, side: Side, least: float, lead: float) -> bool:
    """Whether steps of one side learnt at least ``least`` of what can be learnt from ``origin``,
    and ``lead`` more of it than the run's own."""
    unchanged, other = own(e, origin), best(e, origin, side)
    if unchanged is None or other is None:
        return False
    return other.learnt >= max(least, max(unchanged.learnt, 0.0) + lead)


def proved(e: Evidence, side: Side) -> bool:
    """Whether other steps alone make this network learn from its own start (unless its units are
    copies there, which only rounding parts), or whether a sound network of its shape learns little
    with the run's step in as many steps as the run has (gets nowhere in fewer) and learns with
    other ones; unless the run itself comes near what the data allow when it goes on."""
    t = e.thresholds
    going_on, sound = own(e, "present"), own(e, "sound")
    if going_on is not None and going_on.learnt >= t.short:
        return False
    if ahead(e, "start", side, t.trial_learns, t.trial_lead) and not began_symmetric(e):
        return True
    least = t.trial_lead if whole(e) else t.trial_nowhere
    fails = sound is not None and sound.learnt < least
    return fails and ahead(e, "sound", side, t.trial_learns, t.trial_lead)


def contradicted(e: Evidence, side: Side) -> bool:
    """Whether the run's step trains a sound network of its shape, or makes its own learn something,
    and no step of this side does better on the run's own network; or whether it trains that from
    its own start to near what the data allow."""
    t = e.thresholds
    sound, started = own(e, "sound"), own(e, "start")
    if sound is None or started is None:
        return False
    if started.learnt >= t.short:
        return True
    if sound.learnt < t.trial_learns and started.learnt < t.jump:
        return False
    return not any(ahead(e, origin, side, 0.0, t.jump) for origin in OWN)


def other_step_helps(e: Evidence) -> bool:
    """Whether another kind of step, or a larger one, trains this network from its own start where
    the run's own leaves it behind. A trial of fewer steps than the run has need only show a lead,
    also from the run's present weights."""
    t = e.thresholds
    sides: tuple[Side, ...] = ("other", "larger")
    if whole(e):
        return any(ahead(e, "start", side, t.trial_learns, t.trial_lead) for side in sides)
    return any(ahead(e, origin, side, 0.0, t.jump) for origin in OWN for side in sides)


def whole(e: Evidence) -> bool:
    """Whether the trial had as many steps as the run has."""
    return e.trial is not None and e.trial.steps >= e.facts.steps > 0


def proof(e: Evidence, *sides: Side) -> str:
    """What the trial found, for the end of a sentence; "" where it found nothing of this kind."""
    if e.trial is None:
        return ""
    for origin, place in PLACES.items():
        unchanged = own(e, origin)
        found = [
            other
            for side in sides
            if ahead(e, origin, side, 0.0, e.thresholds.jump)
            and (other := best(e, origin, side)) is not None
        ]
        if unchanged is None or not found:
            continue
        other = max(found, key=lambda t: t.learnt)
        if other.fall > 0 and not unchanged.fall >= other.fall:
            return (
                f"; trial: {place}in {e.trial.steps} steps the loss {course(other)} "
                f"{called(other, unchanged)}, and {course(unchanged)} with this step"
            )
    return ""


def course(tried: TriedStep) -> str:
    fall = tried.fall
    if not fall > -float("inf"):
        return "diverges"
    return f"falls {percent(fall)}" if fall > 0 else f"rises {percent(-fall)}"


def called(tried: TriedStep, unchanged: TriedStep) -> str:
    if tried.optimizer != unchanged.optimizer:
        return f"with {tried.optimizer}"
    return f"at {RATES.get(round(tried.times, 6), f'{tried.times:g} times the rate')}"
