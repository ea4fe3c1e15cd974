"""Writes the words on a chart: names where curves end, marks of what is expected, events."""

from __future__ import annotations

from caveats_tui.charts.cells import Cells
from caveats_tui.charts.scale import Canvas
from caveats_tui.charts.series import clean
from caveats_tui.charts.spec import Chart, Curve

__all__ = ["SHORT", "label_room", "write_labels"]

SHORT = 3  # the most characters of a name that may be joined to others: 1, 12, out
JOINED = 3  # more names than that are written as a range
ROOM = 5  # cells to the right of all curves: for 1=2=3
ENOUGH = 30  # columns from which on that room is left
# How far from its curve's end a name may stand: rows, the nearest first, and columns.
AWAY, ASIDE = (0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5), 16

Word = list[tuple[str, int]]


def label_room(chart: Chart, columns: int) -> int:
    """Columns that are kept for names at the right of all curves. Words get none: they stand above
    or below the end of their curve."""
    names = [curve.label for curve in chart.curves if curve.label]
    longest = max(map(len, names), default=0)
    if chart.x_ticks is not None or not names or longest > SHORT or columns < 2 * ROOM:
        return 0
    # One more than that: a curve that reaches the end of the axis has its last dot there.
    return 1 + (ROOM if len(names) > 1 and columns >= ENOUGH else longest)


def write_labels(cells: Cells, chart: Chart, canvas: Canvas) -> None:
    """Write all words of a chart; none of them on another, or on a line of the present run."""
    live = {c.colour for c in chart.curves if c.style != "dots"}
    right = canvas.left + canvas.columns
    words: set[tuple[int, int]] = set()  # cells with letters
    for value, label in chart.right_ticks:
        if canvas.columns > 3 * len(label) and (row := canvas.row(value)) is not None:
            cells.write(row, right - len(label), [(label, chart.right_colour)])
    for mark in chart.marks:
        if (column := canvas.x.cell(mark.x)) is not None:
            word = [(mark.label, mark.colour)]
            place(cells, canvas, (0, column), word, live, words, downwards=True)
    if canvas.left:
        mark_expected(cells, chart, canvas, live)
    for end, word in named_ends(chart, canvas):
        place(cells, canvas, end, word, live, words)


def place(
    cells: Cells,
    canvas: Canvas,
    end: tuple[int, int],
    word: Word,
    live: set[int],
    words: set[tuple[int, int]],
    *,
    downwards: bool = False,
) -> None:
    """Write at the right of a cell of the canvas (row, column), or as near to that as there is
    room, with a cell between it and other ``words``; write nothing if there is no room."""
    length = sum(len(part) for part, _ in word)
    start = canvas.left + min(end[1] + 1, canvas.columns - length)
    for away in range(len(AWAY)) if downwards else AWAY:
        row = end[0] + away
        for aside in range(ASIDE):
            first = start - aside
            if (
                0 <= row < canvas.rows
                and first >= canvas.left
                and cells.free(row, first, length, live)
                and not words & {(row, first - 1), (row, first + length)}
            ):
                cells.write(row, first, word)
                words |= {(row, first + letter) for letter in range(length)}
                return


def named_ends(chart: Chart, canvas: Canvas) -> list[tuple[tuple[int, int], Word]]:
    """The cells in which curves end, with their names; short names in one cell are joined."""
    found: list[tuple[tuple[int, int], Word]] = []
    joined: dict[tuple[int, int], list[tuple[float, Curve]]] = {}
    for curve in chart.curves:
        if not curve.label or (end := end_of(curve, chart, canvas)) is None:
            continue
        row, column, height = end
        if len(curve.label) > SHORT:
            found.append(((row, column), [(curve.label, curve.colour)]))
        else:
            joined.setdefault((row, column), []).append((height, curve))
    grey, plain = chart.axis_colour, chart.charset == "ascii"
    return found + [(end, merged(curves, grey, plain)) for end, curves in joined.items()]


def merged(ends: list[tuple[float, Curve]], grey: int, plain: bool) -> Word:
    """1=2=3, each name in its curve's colour, where curves end in one pixel; a blank between those
    that only share a cell. More than three are written from the first to the last: 1–7."""
    if len(ends) > JOINED:
        (_, first), (_, last) = ends[0], ends[-1]
        dash = ("-" if plain else "–", grey)
        return [(first.label, first.colour), dash, (last.label, last.colour)]
    word: Word = []
    for index, (height, curve) in enumerate(ends):
        if index:
            word.append(("=" if height == ends[index - 1][0] else " ", grey))
        word.append((curve.label, curve.colour))
    return word


def end_of(curve: Curve, chart: Chart, canvas: Canvas) -> tuple[int, int, float] | None:
    """The cell (row from the top, column) in which a curve ends, and its exact height there."""
    zero = canvas.strip and len(curve.y) and curve.y[-1] <= 0
    good = clean(curve.x, curve.y, log=chart.log_y).segments
    if zero:
        x, y = float(curve.x[-1]), 0.0
    elif good:
        x, y = float(good[-1][0][-1]), float(good[-1][1][-1])
    else:
        return None
    column, row = canvas.x.cell(x), canvas.row(y)
    if column is None or row is None:
        return None
    return row, column, y if zero else float(canvas.y.unit(good[-1][1][-1:])[0])


def mark_expected(cells: Cells, chart: Chart, canvas: Canvas, live: set[int]) -> None:
    """A mark on the y axis at each expected value, in its colour, and the word beside one of
    them."""
    grey, plain = chart.axis_colour, chart.charset == "ascii"
    rows: dict[int, set[int]] = {}
    for value, colour in chart.expected:
        if (row := canvas.row(value)) is not None:
            rows.setdefault(row, set()).add(colour)
    for row, colours in rows.items():
        colour = next(iter(colours)) if len(colours) == 1 else grey
        cells.put(row, canvas.left - 1, ">" if plain else "▸", colour)
    word = "expected"
    places = [
        (column + 4 * abs(away), row + away, canvas.left + column)
        for row in rows
        for away in AWAY
        if 0 <= row + away < canvas.rows
        for column in range(1, canvas.columns // 2)
        if cells.free(row + away, canvas.left + column, len(word), live)
    ]
    if places:
        _, row, start = min(places)
        cells.write(row, start, [(word, grey)])
