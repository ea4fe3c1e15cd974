"""The window that asks for an atlas's two axes."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.sweeps import Plan, parse_axis
from caveats.sweeps.gallery import Atlas
from caveats_tui.screens.atlas.gallery import AtlasGallery
from caveats_tui.screens.windows import Window

__all__ = ["AskAxes", "suggested"]


def suggested(config: RunConfig) -> tuple[str, str]:
    """Two axes that suit most networks: the learning rate around the present one, and the depth."""
    rate = config.optimizer.lr
    return f"optimizer.lr={rate / 1000:.2g}..{rate * 100:.2g}@16log", "network.depth=1..8"


class AskAxes(Window[Plan | None]):
    """Two lines of KEY=RANGE; enter in the second one makes the plan."""

    DEFAULT_CSS = """
    AskAxes { align: center middle; }
    AskAxes > Vertical {
        width: 90%; max-width: 90; height: auto;
        border: round $primary; background: $surface; padding: 0 1;
    }
    AskAxes Input { height: 1; background: $panel; margin-bottom: 1; }
    AskAxes #wrong { height: auto; color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("ctrl+g", "gallery", "gallery", priority=True),
    ]

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config = config

    def compose(self) -> ComposeResult:
        x, y = suggested(self._config)
        with Vertical() as box:
            box.border_title = "what becomes of networks over two settings"
            box.border_subtitle = "enter goes on · ctrl+g gallery · escape leaves"
            yield Static("across: KEY=RANGE, such as optimizer.lr=1e-4..1@16log", markup=False)
            yield Input(x, id="x", select_on_focus=False, compact=True)
            yield Static(
                "up: such as network.width=2..64@6log or network.activation=relu,tanh",
                markup=False,
            )
            yield Input(y, id="y", select_on_focus=False, compact=True)
            yield Static("", id="wrong", markup=False)

    def opened(self) -> None:
        self.query_one("#x", Input).focus()

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        if event.input.id == "x":
            self.query_one("#y", Input).focus()
            return
        try:
            texts = [self.query_one(name, Input).value for name in ("#x", "#y")]
            axes = [parse_axis(text, self._config) for text in texts]
            self.dismiss(Plan.of(self._config, axes))
        except ConfigError as error:
            self.query_one("#wrong", Static).update(str(error))

    def action_gallery(self) -> None:
        """Take one of the gallery's atlases instead."""

        def took(atlas: Atlas | None) -> None:
            if atlas is not None:
                self.dismiss(atlas.plan)

        self.app.push_screen(AtlasGallery(), took)

    def action_leave(self) -> None:
        self.dismiss(None)
