"""One line for each kept run, and which runs match the typed words. Reads no folder."""

from __future__ import annotations

import math
from datetime import datetime

from rich.text import Text

from caveats.documents import counted
from caveats.runs.manifest import Manifest
from caveats.runs.shelf import Entry
from caveats_tui.text.kept_runs import name, standing, worst
from caveats_tui.text.numbers import loss_text, percent, spark
from caveats_tui.text.plain import plain_marks
from caveats_tui.text.settings import describe
from caveats_tui.text.times import age

__all__ = ["fits", "heading", "line", "setup"]

SPARK = 12  # cells of the picture of the loss
_LEFT = 3  # cells for the mark and the star
NAME = 38  # cells: a folder's name and the beginning of its setup
SHORT = 16  # cells: what sets it apart
# Title, width, and for how many cells of a name the column gives way.
_COLUMNS = (
    ("state", 13, 0),
    ("loss", 9, SHORT),
    ("accuracy", 8, NAME),
    ("verdict", 20, 0),
    ("course", SPARK, NAME),
    ("age", 6, SHORT),
)


def columns(width: int) -> tuple[int, list[bool]]:
    """The widths of a run's name and setup, and which columns are shown."""
    for least in (NAME, SHORT, 0):
        shown = [gives_way <= least for _, _, gives_way in _COLUMNS]
        right = sum(room + 1 for (_, room, _), there in zip(_COLUMNS, shown, strict=True) if there)
        if width - _LEFT - right >= least:
            break
    return max(8, width - _LEFT - right), shown


def fits(entry: Entry, typed: str, now: datetime) -> bool:
    """Whether name, setup, state or verdicts contain every typed word."""
    words = typed.lower().split()
    said = [name(entry), entry.folder.name, entry.problem, "starred" * entry.label.starred]
    manifest = entry.manifest
    if manifest is not None:
        verdicts = manifest.standing.verdicts or ()
        said += [setup(manifest), standing(manifest, now), worst(manifest)[0]]
        said += [caveat for caveat, _ in verdicts]
    text = " ".join(said).lower()
    return all(word in text for word in words)


def setup(manifest: Manifest) -> str:
    """The setup of a run in one line."""
    if manifest.config is None:
        return f"watched · {counted(len(manifest.layers), 'layer')}"
    return describe(manifest.config, manifest.units[-1])


def heading(width: int) -> Text:
    """The titles over the columns."""
    name_width, shown = columns(width)
    text = Text(" " * _LEFT + " run".ljust(name_width), no_wrap=True)
    for (title, room, _), there in zip(_COLUMNS, shown, strict=True):
        if there:
            text.append(" " + title.ljust(room))
    text.truncate(width)
    return text


def line(
    entry: Entry, width: int, *, apart: str = "", marked: bool, plain: bool, now: datetime
) -> Text:
    """A run in one line of ``width`` cells: mark, star, name and setup, state, outcome, a small
    chart of the loss, age. What sets the run ``apart`` from the others stands before the name of
    its folder, which may be cut."""
    text = Text(no_wrap=True, overflow="crop")
    text.append((">" if plain else "▸") if marked else " ", style="bold")
    text.append((" *" if plain else " ★") if entry.label.starred else "  ", style="bold")
    manifest = entry.manifest
    if manifest is None:
        text.append(f" {entry.problem}", style="dim")
        text.truncate(width, overflow="ellipsis")
        return text
    room, shown = columns(width)
    told = Text("")
    if entry.label.name:
        told.append(f" {entry.label.name} ", style="bold")
    if apart:
        told.append(f" {apart} ")
    told.append(f" {entry.folder.name}  {setup(manifest)}", style="dim")
    told.truncate(room, overflow="ellipsis", pad=True)
    text.append_text(told)
    end = manifest.standing
    verdict, severity = worst(manifest)
    top = max((v for v in end.curve if math.isfinite(v)), default=1.0) or 1.0
    cells = (
        (standing(manifest, now), ""),
        (loss_text(end.loss), ""),
        (percent(end.accuracy), ""),
        (verdict, "bold" if severity == "critical" else ""),
        (spark(thinned(end.curve), top, plain), ""),
        (age((now - manifest.created).total_seconds()), "dim"),
    )
    for (said, style), (_, wide, _), there in zip(cells, _COLUMNS, shown, strict=True):
        if not there:
            continue
        cell = Text(f" {said}", style=style)
        cell.truncate(wide + 1, overflow="ellipsis", pad=True)
        text.append_text(cell)
    if plain:
        text = Text(plain_marks(text.plain), no_wrap=True)
    text.truncate(width)
    return text


def thinned(curve: tuple[float, ...]) -> list[float | None]:
    """At most `SPARK` of the losses; None for a loss that is not finite."""
    places = range(len(curve))
    if len(curve) > SPARK:
        places = range(0, len(curve), -(-len(curve) // SPARK))
    return [curve[i] if math.isfinite(curve[i]) else None for i in places]
