"""The lines at the top and the bottom of the lab: header, message, footer. They show what they are
told and know no session.
"""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from caveats.config import RunConfig
from caveats.errors import visible
from caveats.session import Status
from caveats_tui.keys import KEYS
from caveats_tui.lab.setup import shown

__all__ = ["Footer", "Header", "describe"]

_STATES: dict[str, tuple[str, str]] = {
    "loading": ("◌", "loading torch"),
    "paused": ("‖", "paused"),
    "running": ("●", "running"),
    "finished": ("■", "finished"),
    "diverged": ("✖", "diverged"),
    "failed": ("✖", "failed"),
    "stopped": ("■", "stopped"),
}


def describe(config: RunConfig, outputs: int | None) -> str:
    """A config in one line: digits · 64-64-64-10 · relu · he_normal · sgd 0.1."""
    data = config.data.name or visible(config.data.file or "").rpartition("/")[2]
    widths = [*config.network.widths, *([] if outputs is None else [outputs])]
    activation = config.network.activation
    name = activation if isinstance(activation, str) else "mixed"
    optimizer = f"{config.optimizer.name} {shown(config.optimizer.lr)}"
    return " · ".join(
        (data, shown(widths) or "no layers", name, config.network.init.name, optimizer)
    )


class Header(Static):
    """Program, configuration, device, step, speed, state."""

    DEFAULT_CSS = "Header { height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__("", id="header", markup=False)
        self._said: Text | None = None

    def show(
        self, config: RunConfig, status: Status, outputs: int | None, step: int, plain: bool
    ) -> None:
        """``step`` is the one that the charts show, so that header and charts agree; ``plain``
        keeps to ascii."""
        symbol, word = _STATES[status.state]
        if status.state == "loading" and status.run_number > 1:
            word = "starting"
        if plain:
            symbol = "*"
        right = "  ".join(
            part
            for part in (
                status.device,
                f"step {step:,}/{config.training.steps:,}" if status.device else "",
                f"{status.speed:,.0f}/s" if status.speed else "",
                f"{symbol} {word}",
            )
            if part
        )
        width = self.size.width
        room = max(0, width - len(right) - 3)
        left = f"caveats  {describe(config, outputs)}"
        if plain:
            left = left.replace(" · ", " | ")
        if len(left) > room:
            left = left[: max(0, room - 1)] + ("~" if plain else "…")
        text = Text(f" {left.ljust(room)} {right} ", no_wrap=True, overflow="crop")
        text.stylize("bold", 1, 8)
        if text != self._said:  # Static repaints even where nothing changed
            self._said = text
            self.update(text)

    def on_resize(self) -> None:
        self._said = None


class Footer(Static):
    """The footer keys of the table, as many as fit."""

    DEFAULT_CSS = "Footer { height: 1; background: $panel; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__("", id="footer")

    def on_resize(self) -> None:
        text = Text(no_wrap=True, overflow="crop")
        keys = [key for key in KEYS if key.footer]
        last = [key for key in keys if key.id in ("help", "quit")]
        room = self.size.width - sum(len(k.shown) + len(k.label) + 4 for k in last)
        shown_keys = []
        for key in keys:
            if key in last:
                continue
            room -= len(key.shown) + len(key.label) + 4
            if room >= 0:
                shown_keys.append(key)
        for key in [*shown_keys, *last]:
            text.append(f" {key.shown} ", style="bold")
            text.append(f"{key.label}  ")
        self.update(text)
