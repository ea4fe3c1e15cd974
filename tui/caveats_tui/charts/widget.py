"""Widgets that show rows of coloured runs and repaint only what changed; they draw nothing."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from caveats_tui.charts.spec import Row, Rows

__all__ = ["RowsView"]


class RowsView(Widget):
    """Shows `Rows`, whoever made them: a chart, a neuron map, a decision boundary.

    A foreground or background of None is the widget's own, so that themes apply.
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
        """``waiting`` is the line shown while there are no rows."""
        super().__init__(name=name, id=id, classes=classes)
        self._waiting = waiting
        self._rows: Rows = ()
        self._strips: dict[int, Strip] = {}
        self._styles: dict[tuple[int | None, int | None, bool], Style] = {}

    @property
    def rows(self) -> Rows:
        """What is shown now."""
        return self._rows

    def show(self, rows: Rows) -> int:
        """Show these rows and repaint those that differ; gives how many do. An unchanged frame
        writes nothing to the terminal."""
        old, self._rows = self._rows, rows
        if not old or not rows:
            self._strips.clear()
            self.refresh()
            return max(len(old), len(rows))
        longest = max(len(old), len(rows))
        changed = [y for y in range(longest) if old[y : y + 1] != rows[y : y + 1]]
        width = self.size.width
        for y in changed:
            self._strips.pop(y, None)
        if changed and width:
            self.refresh(*(Region(0, y, width, 1) for y in changed))
        return len(changed)

    def wait(self, message: str) -> None:
        """Show one line instead of rows: nothing to draw yet, or why there is nothing."""
        if message != self._waiting or self._rows:
            self._waiting = message
            self.show(())

    def notify_style_update(self) -> None:
        self._strips.clear()
        self._styles.clear()
        super().notify_style_update()

    def on_resize(self) -> None:
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        base = self.rich_style
        width = self.size.width
        if self._rows:
            row: Row = self._rows[y] if y < len(self._rows) else ()
            segments = [Segment(text, self._style(fg, bg, bold)) for text, fg, bg, bold in row]
        elif y == self.size.height // 2 and self._waiting:
            segments = [Segment(self._waiting[:width].center(width), base + Style(dim=True))]
        else:
            segments = []
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, foreground: int | None, background: int | None, bold: bool) -> Style:
        key = (foreground, background, bold)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self.rich_style + Style(
                color=None if foreground is None else f"color({foreground})",
                bgcolor=None if background is None else f"color({background})",
                bold=bold or None,
            )
        return style
