"""Step too small: every update is a tiny share of the weights, and the loss hardly moves."""

from __future__ import annotations

import math

import numpy as np

from caveats.documents import short
from caveats.verdicts.advice import NORMALIZE
from caveats.verdicts.caveat import Caveat
from caveats.verdicts.evidence import Evidence
from caveats.verdicts.held_back import as_good_as_linear, held_back
from caveats.verdicts.learning_rates import (
    customary_lr,
    kept_by_clipping,
    leads_nowhere,
    limit,
    lr_is_far_below,
    lr_is_low,
    lr_is_lowish,
    rate_is_gone,
    rates,
)
from caveats.verdicts.not_zero_centred import means_hold_up
from caveats.verdicts.pace import projected_gain
from caveats.verdicts.sign import sign
from caveats.verdicts.soundness import cut_off, faded_start, grown_start, mostly_dead, symmetric
from caveats.verdicts.step_too_large import was_large
from caveats.verdicts.trial import contradicted, proof, proved
from caveats.verdicts.verdict import Finding, Severity
from caveats.verdicts.words import TINY, percent

__all__ = ["STEP_TOO_SMALL"]

STEP = "A learning rate ten times as large, or more steps."
ADAM = "torch.optim.Adam, whose steps do not shrink with the gradient."


def rule(e: Evidence) -> Finding | None:
    p = e.progress
    if not e.finite or not p.old_enough or p.close or not p.learnable:
        return None
    if not proved(e, "larger") and (not seems_small(e) or contradicted(e, "larger")):
        return None
    update, room = e.largest_update, share_of_limit(e)
    what = f"{change_in_words(e)}; loss {e.loss:.3g}"
    evidence = {"update_ratio": update, "gain": p.gain, "projected_gain": projected_gain(e)}
    kept = kept_by_clipping(e)
    if clipped(e):
        what += f"; clipping leaves {percent(kept)} of the gradient's length"
    if rate_is_gone(e):
        what += "; the schedule has taken the learning rate from "
        what += f"{short(highest(e))} to {short(float(rates(e)[-1]))}"
    if math.isfinite(room) and not cut_off(e):
        what += f", and the curvature would bear steps {longer(room)} times as long"
        evidence["share_of_limit"] = room
    what += proof(e, "larger")
    why = (
        "If lr·λ ≪ 2, the error along an eigenvector shrinks only by 1 − lr·λ a step: a learning "
        "rate ten times as large needs a tenth of the steps (LeCun et al. 1998)."
    )
    layers = tuple(range(e.hidden + 1))
    return Finding(severity(e), what, why, layers, evidence, advice(e))


def advice(e: Evidence) -> tuple[str, ...]:
    """What fits the optimizer and the layers of this run, the likeliest first."""
    o, known = e.optimizer, e.anatomy
    found = []
    if rate_is_gone(e):
        found.append(
            "A slower schedule: scheduler.step() once an epoch where it stands in the loop over "
            "minibatches, or a lower bound (eta_min=, min_lr=)."
        )
    if clipped(e):
        assert o is not None
        found.append(
            f"A larger bound than {short(o.clip_norm)} in clip_grad_norm_, about as long as the "
            "gradients usually are."
        )
    if not found:
        found.append(STEP)
    if o is None or not o.adaptive:
        found.append(ADAM)
    if not e.normalized() and (not known or any(e.activations)):
        found.append(NORMALIZE)
    return tuple(found) if len(found) > 1 or found[0] == STEP else (*found, STEP)


def highest(e: Evidence) -> float:
    return float(np.nanmax(rates(e)))


@sign
def clipped(e: Evidence) -> bool:
    """Does clipping leave less than a tenth of the gradient?"""
    return kept_by_clipping(e) < 1 / e.thresholds.far_above


def seems_small(e: Evidence) -> bool:
    """Whether the records alone say that the step is too small."""
    if hindered(e) or warms_up(e) or as_good_as_linear(e) or projected_gain(e) > e.thresholds.far:
        return False
    if cut_off(e) and not longer_steps_are_missing(e):
        return False
    if held_back(e) and not crawls(e):
        return False
    if rate_is_gone(e):
        return True
    return small(e) or longer_steps_are_missing(e) or has_room(e)


def change_in_words(e: Evidence) -> str:
    if e.largest_update == 0:
        return "no step changes any layer's weights"
    if e.largest_update < TINY:
        return f"a step changes every layer by {percent(e.largest_update)} of its weights"
    if not math.isnan(e.largest_update):
        return f"a step changes no layer by more than {percent(e.largest_update)} of its weights"
    if not np.nansum(e.now("weight_norm")):
        return "the weights are 0, and no step changes them"
    return f"the learning rate is {e.scalar('lr'):.3g}"


def longer(room: float) -> str:
    return short(1 / room) if room > 1e-6 else "more than a million"


def severity(e: Evidence) -> Severity:
    soon = plainly_small(e) or rate_is_gone(e)
    if not e.progress.late(e.thresholds.half_way) and not soon:
        return "note"
    return "critical" if e.progress.stuck else "warning"


def share_of_limit(e: Evidence) -> float:
    """The newest sharpness over the largest at which these steps are stable; NaN if unknown."""
    most = limit(e.optimizer)
    return e.newest("sharpness") / most if most > 0 else math.nan


@sign
def warms_up(e: Evidence) -> bool:
    """Is the learning rate still rising? Then its steps are not yet what they will be."""
    rates = e.snapshot.scalar("lr")[: e.index + 1]
    return len(rates) > 1 and bool(rates[-1] > 1.001 * rates[-2])


@sign
def small(e: Evidence) -> bool:
    """Do steps change no layer by more than a few thousandths of its weights, at a learning rate
    far below the customary one, though the curvature allows larger steps? If the optimizer is not
    known, the change must be far smaller still."""
    t = e.thresholds
    if e.optimizer is None:
        return e.largest_update < t.small_update * t.falling
    slight = e.largest_update < t.small_update and lr_is_lowish(e)
    return slight and (lr_is_low(e) or not share_of_limit(e) > t.tight)


@sign
def plainly_small(e: Evidence) -> bool:
    """Is the step so small that one can judge it without waiting?"""
    low = e.optimizer is None or lr_is_low(e)
    return low and e.largest_update <= e.thresholds.small_update / 3


@sign
def has_room(e: Evidence) -> bool:
    """Would steps thirty times as long be stable, in a run that has made little progress? A loss
    that is flat below that of a constant shows that it ended in a poor minimum instead."""
    p, t = e.progress, e.thresholds
    ended = p.stalled and p.gain >= t.nothing
    return share_of_limit(e) < t.room and p.gain < t.far and not ended


@sign
def longer_steps_are_missing(e: Evidence) -> bool:
    """Are longer steps the only thing missing?"""
    return crawls(e) or far_to_go(e) or sits_on_saddle(e) or holds_back(e)


@sign
def hindered(e: Evidence) -> bool:
    """Do the weights make even a usual step too small, or any step of plain SGD, which shrinks with
    its deltas? No learning rate makes up for a factor to the power of the depth."""
    o = e.optimizer
    if o is None:
        return False
    if e.blames("symmetry", "exploding_gradient") and not lr_is_low(e):
        return True
    return o.kind == "sgd" and e.blames("vanishing_gradient")


@sign
def crawls(e: Evidence) -> bool:
    """Are steps so small and so few that a sound network would not learn either? No step revives a
    dead layer, and a hundredth of the customary learning rate trains nothing at all."""
    return leads_nowhere(e) and (not mostly_dead(e) or lr_is_far_below(e))


@sign
def far_to_go(e: Evidence) -> bool:
    """Does the loss fall well with small steps, but too slowly to beat a constant at the end?"""
    behind = projected_gain(e) < -2 * e.thresholds.nothing
    falls = e.progress.fall > e.thresholds.jump
    return behind and falls and not was_large(e) and not grown_start(e)


@sign
def sits_on_saddle(e: Evidence) -> bool:
    """Are small weights of few layers still at their saddle? They grow by a factor 1 + lr·|λ| a
    step, which takes most of the run at the customary learning rate or less (Saxe et al. 2014). In
    more layers they do not leave it at all."""
    o = e.optimizer
    if o is None or o.lr > customary_lr(o.kind) or not faded_start(e):
        return False
    gone = symmetric(e) or np.any(np.nan_to_num(e.dead_share) >= e.thresholds.most)
    return e.hidden < e.thresholds.few and not gone and e.progress.failing


@sign
def holds_back(e: Evidence) -> bool:
    """Does a sound network get nowhere though its optimizer gives every gradient the same size?"""
    o = e.optimizer
    if o is None or not o.adaptive or o.lr > customary_lr(o.kind):
        return False
    if cut_off(e) or means_hold_up(e) or not e.facts.reachable > 0:
        return False  # little may be all that the data allow
    sound = not faded_start(e) and not grown_start(e) and not symmetric(e)
    return sound and math.isfinite(e.first_delta_ratio) and e.progress.failing


STEP_TOO_SMALL = Caveat(
    "step_too_small",
    "step too small",
    "One of four: at a learning rate far below the customary one, or with gradients that clipping "
    "makes as small, a step changes no layer by more than 0.3 % of its weights, and at that pace "
    "the run ends with a high loss; a schedule has kept the learning rate below a hundredth of its "
    "highest for two fifths of all steps, and the loss is still high; all steps together are too "
    "short for any network of this shape; or small weights of a few layers have not left their "
    "saddle by half of the run, in spite of momentum or Adam.",
    "‖ΔW‖/‖W‖ < 10^−2.5",
    "LeCun et al. 1998; Karpathy's rule of 10⁻³",
    "10⁻³ is a lower guide, not a target. If the gradient itself is gone (vanishing, dead, "
    "symmetric layers), a larger learning rate does not bring it back.",
    rule,
    (STEP, ADAM, NORMALIZE),
)
