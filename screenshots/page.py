"""The derived part of docs/caveats.md: each caveat in the words of its verdict, the experiments
that show it, and their pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from caveats.experiments import Experiment, experiments
from caveats.verdicts import CAVEATS
from caveats_tui.demos.script import scripts
from screenshots.stills import STILLS

__all__ = ["ORDER", "PAGE", "derived", "renew"]

PAGE = Path(__file__).parents[1] / "docs" / "caveats.md"
BEGIN, END = "<!-- derived -->", "<!-- /derived -->"

# The five caveats that the program was written for (the fifth has four forms), then the others.
ORDER = (
    "dying_relu", "vanishing_gradient", "not_zero_centred", "symmetry",
    "ravine", "plateau", "step_too_large", "step_too_small",
    "exploding_gradient", "saturation", "unscaled_data", "class_imbalance",
    "underfitting", "overfitting", "dormant",
    "nothing_learns", "loss_spike", "stale_second_moment", "precision", "update_off_scale",
    "attention_collapse", "saturated_gates", "memory_through_time", "rank_loss",
    "loss_misfit", "broadcast_loss", "wrong_sign", "undefined_number",
    "one_class", "not_divided", "tiny_batch",
    "rows_mix", "future_seen", "drowned_part", "collapse",
)  # fmt: skip

# What to look at on the screen; all other words come from the caveat itself.
SEEN = {
    "dying_relu": (
        "Chart 1 climbs and stays; in chart 4 (*neurons*) whole rows turn to crosses. In "
        "chart 2 the curves of layers without any gradient end, since 0 has no place on a "
        "logarithmic axis."
    ),
    "vanishing_gradient": (
        "The curves of chart 2 open like a fan, the layers next to the input at the bottom; from "
        "eight layers on they are rows of a map, which darkens towards layer 1. "
        "Where forward and backward signals fade together they do not: `v` shows *delta*, "
        "which does."
    ),
    "not_zero_centred": (
        "The loss of chart 3 comes down slowly and in zigzags, though every gradient of chart"
        " 2 is of a healthy size; in *activation mean ± std* (`v` on chart 4) the layers' "
        "means stand off zero."
    ),
    "symmetry": (
        "On data of two inputs the boundary (`v` on chart 4) is one straight cut, however "
        "wide the layer is, and chart 3 stands still. That units are copies no chart shows: "
        "the verdict counts the distinct ones."
    ),
    "ravine": ("Chart 3 falls, and falls ever more slowly; charts 1 and 2 show nothing wrong."),
    "plateau": ("Chart 3 is flat at the loss of a guess, and charts 1 and 2 show nothing broken."),
    "step_too_large": (
        "Chart 3 jumps, or stands far above the loss of a guess; *update/weight* (`v` on "
        "chart 4) is above one twentieth."
    ),
    "step_too_small": (
        "Chart 3 hardly falls; *update/weight* (`v` on chart 4) is below 0.003 in every layer."
    ),
    "exploding_gradient": (
        "The fan of chart 2 opens the other way, with the layers next to the input at the "
        "top; then the curves end, where numbers are no longer finite."
    ),
    "saturation": (
        "The loss starts far above that of a guess. Chart 4 (*neurons*) marks the units that "
        "are flat on nearly every row; a layer whose slope is small on most rows shows in the"
        " verdict first."
    ),
    "unscaled_data": (
        "Chart 3 starts far above the loss of a guess, or stands still at it; what else the charts "
        "show is an effect. `caveats-tui run` says how the target was read: *302,000 ± 106,000*."
    ),
    "class_imbalance": (
        "In chart 3 the loss falls, but the accuracy stands still at the share of the largest "
        "class; on data of two inputs the boundary (`v` on chart 4) leaves no room for the rare "
        "class."
    ),
    "underfitting": (
        "Chart 3 ends between the loss of a guess and what the data allow, and no other chart "
        "shows anything wrong."
    ),
    "overfitting": (
        "The dim curve of chart 3, the loss on rows held out, turns and rises while the other one "
        "falls on. Without `data.validation` there is no such curve, and no verdict."
    ),
    "dormant": (
        "No chart draws it: the verdict counts these units, and so does `caveats-tui run --json`."
    ),
    "nothing_learns": (
        "Only in a watched training (`caveats-tui watch`). Chart 3 stands still; the verdict names "
        "the parameters."
    ),
    "loss_spike": "Only in a watched training. Chart 3 has a mark *spike* at the step.",
    "stale_second_moment": (
        "Only in a watched training, with Adam. Chart 3 has a mark *spike* at the step of the jump."
    ),
    "precision": (
        "Only in a watched training. *update/weight* (`v` on chart 4) is 0 where steps are rounded "
        "away."
    ),
    "update_off_scale": (
        "Only in a watched training. *update/weight* (`v` on chart 4) has one curve far above the "
        "others."
    ),
    "attention_collapse": (
        "Only in a watched training. No chart draws the entropy: the verdict names the layer, and "
        "`caveats-tui export` writes `attention_entropy` of every record."
    ),
    "saturated_gates": (
        "Only in a watched training. No chart draws the gates: the verdict counts them, and "
        "`caveats-tui export` writes `saturated_gates`."
    ),
    "memory_through_time": (
        "Only in a watched training. No chart draws it: the verdict says how far back a gradient "
        "reaches, and `caveats-tui export` writes `memory`."
    ),
    "rank_loss": (
        "Only in a watched training. No chart draws it: the verdict counts the directions, and "
        "`caveats-tui export` writes `feature_rank`."
    ),
    "loss_misfit": (
        "Only in a watched training. Chart 3 falls a little and stays high: the verdict names what "
        "stands before the loss."
    ),
    "broadcast_loss": (
        "Only in a watched training. Chart 3 comes down to the loss of a constant and stays there; "
        "the verdict names the two shapes."
    ),
    "undefined_number": (
        "Only in a watched training. The curve of chart 3 ends, without having risen before."
    ),
    "one_class": (
        "Only in a watched training. Chart 3 goes up and down in steps, one for each class."
    ),
    "not_divided": (
        "Only in a watched training. *update/weight* (`v` on chart 4) is high from the first steps "
        "on, as where a step is too large."
    ),
    "tiny_batch": (
        "Only in a watched training. Chart 3 is noisy and falls little; the verdict "
        "counts the rows."
    ),
    "wrong_sign": (
        "Only in a watched training. Chart 3 falls below 0 and ever faster, while the network "
        "forgets what it knew."
    ),
    "rows_mix": (
        "Only in a watched training. Chart 3 falls less than it should, and no other chart says "
        "why; the verdict says how much other rows change an answer."
    ),
    "future_seen": (
        "Only in a watched training. Chart 3 falls far lower than it can on a text that is not "
        "known in advance."
    ),
    "drowned_part": (
        "Only in a watched training. Chart 3 falls, since the larger part of the loss does; the "
        "verdict names the part that does not."
    ),
    "collapse": (
        "Only in a watched training. Chart 3 comes down to the lowest loss there is, and stays."
    ),
}
FIGURES = {  # of caveats whose pictures have another name: a demo may have the caveat's name
    "dying_relu": ("lab", "cure"), "vanishing_gradient": ("vanishing", "theory"),
    "symmetry": ("copies",),
}  # fmt: skip


def derived() -> str:
    """The text between the two marks."""
    return "\n".join(line for name in ORDER for line in section(name))


def section(name: str) -> Iterator[str]:
    caveat = CAVEATS[name]
    yield f"## {caveat.title[0].upper()}{caveat.title[1:]}\n"
    yield f"{caveat.definition}\n"
    captions = {still.name: still.caption for still in STILLS}
    for still in FIGURES.get(name, (name,)):
        if still in captions:
            yield f"![{captions[still]}](../screenshots/{still}.png)\n"
    yield f"**Formula.** `{caveat.formula}`\n"
    yield f"**Source.** {caveat.source}\n"
    yield f"**What you see.** {SEEN[name]}\n"
    shown = [e for e in experiments().values() if e.caveat == name]
    if shown:
        yield "**Where you see it, and what cures it.**\n"
        yield from (item(experiment) for experiment in shown)
        yield ""
    for demo in demos(name):
        yield f"**Watch it.** `caveats-tui demo {demo}`\n"
    yield "**In PyTorch.**\n"
    yield from (f"- {advice}" for advice in caveat.advice)
    yield ""
    yield f"**Limits.** {caveat.limits}\n"


def demos(caveat: str) -> list[str]:
    """The demos that wait for the verdict of this caveat."""
    return [
        name
        for name, script in scripts().items()
        if {s.wait.value for s in script.scenes if s.wait and s.wait.kind == "verdict"} == {caveat}
    ]


def item(experiment: Experiment) -> str:
    cure = ", ".join(f"{key} = {plain(value)}" for key, value in experiment.cure.items())
    cured = f"Cure: `{cure}`." if cure else "There is nothing to cure: it is to be observed."
    return f"- `{experiment.name}`: {experiment.sentence} {experiment.lesson} {cured}"


def plain(value: object) -> str:
    """A value as it is written in a config file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def renew() -> None:
    """Write the derived part to the page."""
    text = PAGE.read_text("utf-8")
    between = re.compile(f"{BEGIN}\n.*{END}", re.DOTALL)
    if not between.search(text):
        raise SystemExit(f"{PAGE} has no {BEGIN} ... {END}")
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n{derived()}{END}", text), "utf-8")
