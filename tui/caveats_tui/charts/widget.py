"""The widget that shows rows of coloured spans and repaints only the cells that changed."""

from __future__ import annotations

from itertools import takewhile, zip_longest
from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from caveats_tui.charts.spec import Row, Rows

__all__ = ["RowsView", "changed_span"]


def changed_span(before: Row, after: Row) -> tuple[int, int]:
    """The first cell at which two rows differ, and the one after the last."""
    old, new = (sum(len(run[0]) for run in row) for row in (before, after))
    if old != new:
        return 0, max(old, new)
    start = _same(before, after, 1)
    return start, max(start, new - _same(before, after, -1))


def _same(before: Row, after: Row, direction: int) -> int:
    """How many cells are equal from the left (1) or from the right (-1) end."""
    cells = 0
    for old, new in zip(before[::direction], after[::direction], strict=False):
        if old == new:
            cells += len(old[0])
            continue
        if old[1:] == new[1:]:
            pairs = zip(old[0][::direction], new[0][::direction], strict=False)
            cells += sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        break
    return cells


class RowsView(Widget):
    """Shows `Rows`: a chart, a neuron map, a decision boundary.

    A foreground or background of None stands for the widget's own colour, so that themes apply.
    """

    DEFAULT_CSS = """
    RowsView { width: 1fr; height: 1fr; }
    """

    def __init__(
        self,
        waiting: str = "",
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """``waiting`` is the sentence shown while there are no rows."""
        super().__init__(name=name, id=id, classes=classes)
        self._waiting = waiting
        self._rows: Rows = ()
        self._strips: dict[int, Strip] = {}
        self._styles: dict[tuple[int | None, int | None, bool], Style] = {}
        self._base: Style | None = None  # rich_style walks all ancestors: 50 µs each time

    @property
    def rows(self) -> Rows:
        """What is shown now."""
        return self._rows

    def show(self, rows: Rows) -> int:
        """Show these rows and repaint the cells that differ; returns how many rows differ. An
        unchanged frame writes nothing to the terminal."""
        old, self._rows = self._rows, rows
        if not old or not rows:
            self._strips.clear()
            self.refresh()
            return max(len(old), len(rows))
        dirty = []
        for y, (before, after) in enumerate(zip_longest(old, rows, fillvalue=())):
            if before != after:
                self._strips.pop(y, None)
                start, stop = changed_span(before, after)
                dirty.append(Region(start, y, stop - start, 1))
        if dirty:
            self.refresh(*dirty)
        return len(dirty)

    def wait(self, message: str) -> None:
        """Show a sentence instead of rows: there is nothing to draw yet, or why there is
        nothing."""
        if message != self._waiting or self._rows:
            self._waiting = message
            self.show(())

    def notify_style_update(self) -> None:
        self._strips.clear()
        self._styles.clear()
        self._base = None
        super().notify_style_update()

    def on_resize(self) -> None:
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        base = self._own_style()
        width = self.size.width
        if self._rows:
            row: Row = self._rows[y] if y < len(self._rows) else ()
            segments = [Segment(text, self._style(fg, bg, bold)) for text, fg, bg, bold in row]
        else:
            lines = wrap(self._waiting, max(1, width - 2))
            at = y - (self.size.height - len(lines) + 1) // 2
            line = lines[at] if 0 <= at < len(lines) else ""
            segments = [Segment(line.center(width), base + Style(dim=True))] if line else []
        return Strip(segments).adjust_cell_length(width, base)

    def _own_style(self) -> Style:
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def _style(self, foreground: int | None, background: int | None, bold: bool) -> Style:
        key = (foreground, background, bold)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self._own_style() + Style(
                color=None if foreground is None else f"color({foreground})",
                bgcolor=None if background is None else f"color({background})",
                bold=bold or None,
            )
        return style
