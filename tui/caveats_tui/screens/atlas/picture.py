"""The atlas as rows of coloured text: one colour and one character a cell, so that it can be read
without colours too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean, median

from rich.style import Style
from rich.text import Text

from caveats.sweeps.borders import Border
from caveats.sweeps.outcomes import NUMBERS, SHARES, Outcome
from caveats.verdicts.catalogue import CAVEATS
from caveats_tui.charts.palette import layer_colour
from caveats_tui.text.numbers import number

__all__ = [
    "OF_SEEDS", "VIEWS", "Outcomes", "Scale", "border_words", "caption", "commonest", "heading",
    "legend", "rows", "scale_of", "shown_seed",
]  # fmt: skip

Place = tuple[int, int]
Outcomes = Mapping[Place, Sequence[Outcome]]  # one outcome a seed

VIEWS: tuple[str, ...] = (
    "verdict", "loss", "accuracy", "dead", "gradient", "learned", "failed", "born_dead"
)  # fmt: skip
OF_SEEDS = frozenset({"failed", "born_dead"})  # shares of a cell's seeds: for several of them
FROM_0_TO_1 = frozenset({"accuracy", "dead", "failed", "born_dead"})
LOG = frozenset({"loss", "gradient", "learned"})
LEVELS = 10
WIDEST, HIGHEST = 16, 6  # of a cell, in columns and rows
# A letter and an xterm-256 colour for each caveat; the letters are told in the legend.
LETTERS: dict[str, tuple[str, int]] = {
    "symmetry": ("C", 97),
    "dying_relu": ("D", 88),
    "exploding_gradient": ("E", 202),
    "saturation": ("S", 136),
    "vanishing_gradient": ("V", 25),
    "step_too_large": ("L", 160),
    "step_too_small": ("s", 67),
    "not_zero_centred": ("Z", 132),
    "ravine": ("R", 101),
    "plateau": ("P", 60),
    "underfitting": ("U", 95),
    "dormant": ("d", 243),
    "unscaled_data": ("X", 208),
    "class_imbalance": ("I", 175),
    "overfitting": ("O", 140),
}
SOUND = "·", 29
REFUSED = "x", 236
BORDERS: dict[Border, tuple[str, str]] = {
    "chi": ("χ", "x"), "depth": ("ξ", "6"), "rate": ("λ", "2")
}  # fmt: skip
BORDER_WORDS: dict[Border, tuple[str, str]] = {
    "chi": ("χ₁ = 1", "chi = 1"), "depth": ("depth 6ξ", "depth 6 xi"),
    "rate": ("first sharpness at 2/lr", "first sharpness at 2/lr"),
}  # fmt: skip


class Scale:
    """Maps a number to one of ten levels, by its place between the smallest and the largest."""

    def __init__(self, values: Sequence[float], log: bool) -> None:
        usable = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
        self.log = log
        self.low, self.high = (min(usable), max(usable)) if usable else (0.0, 1.0)

    def level(self, value: float) -> int | None:
        """0 to 9; None for a number that is not finite."""
        if not math.isfinite(value):
            return None
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log(max(v, 1e-300)) for v in (value, low, high))
        share = (value - low) / (high - low) if high > low else 0.0
        return min(LEVELS - 1, max(0, int(LEVELS * share)))


def commonest(outcomes: Sequence[Outcome]) -> str:
    """What became of most seeds: a caveat, "" for sound, "refused"."""
    said = ["refused" if outcome.problem else outcome.caveat for outcome in outcomes]
    return Counter(said).most_common(1)[0][0]


def value(outcomes: Sequence[Outcome], view: str) -> float:
    """The median over the seeds, of those that are numbers; of `SHARES` the mean."""
    numbers = [v for o in outcomes if math.isfinite(v := float(getattr(o, view)))]
    middle = fmean if view in SHARES else median
    return middle(numbers) if numbers else math.nan


def scale_of(outcomes: Outcomes, view: str) -> Scale:
    if view not in NUMBERS:
        return Scale([], log=False)
    if view in FROM_0_TO_1:
        return Scale([0.0, 1.0], log=False)
    return Scale([value(own, view) for own in outcomes.values()], view in LOG)


def mark(outcomes: Sequence[Outcome], view: str, scale: Scale) -> tuple[str, int]:
    """The character and the colour of one cell."""
    said = commonest(outcomes)
    if said == "refused":
        return REFUSED
    if view == "verdict":
        return LETTERS.get(said, SOUND) if said else SOUND
    level = scale.level(value(outcomes, view))
    return ("∞", 160) if level is None else (str(level), layer_colour(level, LEVELS))


def rows(
    outcomes: Outcomes,
    view: str,
    shape: tuple[int, int],
    room: tuple[int, int],
    cursor: Place,
    borders: Mapping[Place, Border],
    plain: bool,
) -> list[Text]:
    """The part of the map around the cursor that fits into ``room`` (columns, rows), its last y
    first. A cell is as wide and as high as the room allows."""
    wide = max(1, min(WIDEST, room[0] // shape[0]))
    high = max(1, min(HIGHEST, room[1] // shape[1]))
    across = window(cursor[0], shape[0], room[0] // wide)
    up = window(cursor[1], shape[1], room[1] // high)
    scale = scale_of(outcomes, view)
    found = []
    for y in reversed(up):
        lines = [Text() for _ in range(high)]
        for x in across:
            texts = cell(outcomes.get((x, y)), view, scale, wide, high, borders.get((x, y)), plain,
                         (x, y) == cursor)  # fmt: skip
            for line, text in zip(lines, texts, strict=True):
                line.append_text(text)
        found += lines
    return found


def window(at: int, count: int, room: int) -> range:
    """The indices that are shown, when only ``room`` of ``count`` fit."""
    room = max(1, min(count, room))
    first = min(max(0, at - room // 2), count - room)
    return range(first, first + room)


def cell(
    outcomes: Sequence[Outcome] | None,
    view: str,
    scale: Scale,
    wide: int,
    high: int,
    border: Border | None,
    plain: bool,
    chosen: bool,
) -> list[Text]:
    letter, colour = (" ", 235) if not outcomes else mark(outcomes, view, scale)
    if plain:
        letter = {"·": ".", "∞": "!"}.get(letter, letter)
    style = Style(color=f"color({232 if bright(colour) else 255})", bgcolor=f"color({colour})")
    edge = BORDERS[border][1 if plain else 0] if border else " "
    if chosen:
        style += Style(reverse=True, bold=True)
        letter = "+" if wide == 1 else letter
    first = (letter + edge if wide > 1 else (edge if border else letter)).ljust(wide)
    if chosen and wide > 2:
        first = f"[{letter}]".ljust(wide)
    return [Text(first if line == 0 else " " * wide, style) for line in range(high)]


def bright(colour: int) -> bool:
    """Whether black text reads better than white on an xterm-256 colour."""
    if colour >= 232:
        return colour > 243
    red, green, blue = ((colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6)
    return 2 * red + 5 * green + blue > 20


def heading(name: str, axes: Sequence[tuple[str, str, str]], done: str, width: int) -> str:
    """What is shown, what the two axes are (an arrow, a key and the values at its ends), and how
    many cells of all are ``done``. Where there is no room, keys lose their section, then the ends
    go, then the axes: what is shown and how far it is are never cut."""
    bare = [(arrow, key.rpartition(".")[2], ends) for arrow, key, ends in axes]
    tried = [
        "  ".join(f"{arrow} {key}{f' {ends}' * told}" for arrow, key, ends in named)
        for told in (True, False)
        for named in (axes, bare)
    ]
    tried = [f" {name}   {words}   {done}" for words in tried] + [f" {name}   {done}"]
    return next((words for words in tried if len(words) <= width), tried[-1])


def legend(outcomes: Outcomes, view: str, plain: bool) -> Text:
    """What the characters mean: the caveats that are there, or the ends of the scale."""
    if view != "verdict":
        scale = scale_of(outcomes, view)
        way = " (log)" if scale.log else ""
        return Text(f"{NUMBERS[view]}: 0 is {number(scale.low)}, 9 is {number(scale.high)}{way}")
    said = Counter(commonest(own) for own in outcomes.values())
    parts = []
    for name, count in said.most_common():
        letter = (LETTERS.get(name, SOUND) if name not in ("", "refused") else
                  SOUND if not name else REFUSED)[0]  # fmt: skip
        title = CAVEATS[name].title if name in CAVEATS else (name or "sound")
        parts.append(f"{'.' if plain and letter == '·' else letter} {title} {count}")
    return Text("  ".join(parts))


def border_words(kinds: Collection[Border], plain: bool) -> str:
    """What the characters of the borders mean."""
    at = 1 if plain else 0
    return "".join(
        f"  {BORDERS[kind][at]}: {words[at]}"
        for kind, words in BORDER_WORDS.items()
        if kind in kinds
    )


def shown_seed(outcomes: Mapping[int, Outcome]) -> int:
    """The first seed of a cell to which happened what happened to most; 0 without outcomes."""
    if not outcomes:
        return 0
    said = commonest(list(outcomes.values()))
    own = [seed for seed, o in sorted(outcomes.items()) if o.caveat == said]
    return own[0] if own else 0


def caption(outcomes: Sequence[Outcome] | None) -> list[str]:
    """The cell under the cursor in words."""
    if not outcomes:
        return ["not trained yet"]
    first = outcomes[0]
    if first.problem:
        return [f"refused: {first.problem}"]
    lines = []
    for view, name in NUMBERS.items():
        if view in OF_SEEDS and len(outcomes) == 1:
            continue
        found = value(outcomes, view)
        lines.append(f"{name} {number(found) if math.isfinite(found) else 'none'}")
    numbers = ", ".join(lines)
    said = commonest(outcomes)
    share = sum(o.caveat == said for o in outcomes)
    own = next((o for o in outcomes if o.caveat == said), first)
    title = CAVEATS[said].title if said in CAVEATS else "sound"
    of = f" ({share} of {len(outcomes)} seeds)" if len(outcomes) > 1 else ""
    what = f": {own.what}" if own.what else ""
    return [f"{title}{of}{what}", numbers]
