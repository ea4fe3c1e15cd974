"""The list of the gallery's atlases, each with what it shows and its lesson."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import OptionList, Static

from caveats.sweeps.gallery import Atlas, atlases
from caveats_tui.screens.blocks import heading, indented
from caveats_tui.screens.windows import Choices, Window

__all__ = ["AtlasGallery", "told"]


class AtlasGallery(Window[Atlas | None]):
    """Choose an atlas with the arrows; enter takes it."""

    DEFAULT_CSS = """
    AtlasGallery { align: center middle; }
    AtlasGallery > Vertical {
        width: 96%; max-width: 110; height: 22; max-height: 96%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    AtlasGallery OptionList { border: none; width: 28; height: 1fr; padding: 0; }
    AtlasGallery OptionList:focus { border: none; }
    AtlasGallery VerticalScroll { width: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "atlases"
            box.border_subtitle = "↑ ↓ move · enter opens · escape leaves"
            with Horizontal():
                yield Choices(*(atlas.title for atlas in atlases().values()), markup=False)
                with VerticalScroll(can_focus=False):
                    yield Static("", id="story", markup=False)

    def opened(self) -> None:
        self.query_one(Choices).focus()
        self._tell()

    @property
    def _current(self) -> Atlas:
        return list(atlases().values())[self.query_one(Choices).highlighted or 0]

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        self.query_one("#story", Static).update(told(self._current))

    @on(OptionList.OptionSelected)
    def _take(self) -> None:
        self.dismiss(self._current)

    def action_leave(self) -> None:
        self.dismiss(None)


def told(atlas: Atlas) -> Group:
    plan = atlas.plan
    x, y = plan.axes
    of = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
    return Group(
        Text(atlas.name, style="bold"),
        heading("what you will see"),
        indented(atlas.sentence),
        heading("axes"),
        indented(f"{x.key} across, {y.key} up: {len(plan.cells):,} networks{of}"),
        heading("lesson"),
        indented(atlas.lesson),
    )
