"""What the palette of the lab offers: the table of keys, every setting of the setup with the value
that was typed behind its name, theme and notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from caveats.choice import Choice, Table
from caveats_tui.keys import KEYS
from caveats_tui.screens.dialogs import Picker
from caveats_tui.screens.lab import changing
from caveats_tui.screens.lab.setup import SettingLine, lines
from caveats_tui.screens.palette import Command, Palette, fitting
from caveats_tui.terminal.preferences import NOTIFICATIONS
from caveats_tui.text.settings import shown

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["commands", "offered", "show"]


def show(lab: LabScreen) -> None:
    """Open the palette, and run the command that is taken."""

    def took(command: Command | None) -> None:
        if command is not None:
            lab.call_later(command.run)

    lab.app.push_screen(Palette(lambda typed: offered(lab, typed)), took)


def commands(screen: Screen[Any]) -> Iterator[Command]:
    """A command for each key that does not depend on what has the focus."""
    for key in KEYS:
        if key.palette:
            name = f"{key.label} ({key.shown})"
            yield Command(name, key.sentence, runner(screen, key.action))


def runner(screen: Screen[Any], action: str) -> Callable[[], Any]:
    async def run() -> None:
        await screen.run_action(action)

    return run


def offered(lab: LabScreen, typed: str) -> list[Command]:
    """All commands that fit; first the setting whose name was typed with a value behind it."""
    settings = list(lines(lab.bench.config))
    every = [
        *commands(lab),
        *(setting(lab, line) for line in settings),
        Command("theme", "Choose the colours of the program.", partial(choose_theme, lab)),
        Command(
            f"notifications: {lab.options.preferences.values.notify}",
            "Be told, outside of the screen, when a long run ends or a caveat is found.",
            partial(choose_notification, lab),
        ),
    ]
    return [*assigned(lab, settings, typed), *fitting(typed, every)]


def setting(lab: LabScreen, line: SettingLine) -> Command:
    name = line.label.removeprefix("· ")
    return Command(f"{name}: {shown(line.value)}", line.sentence, partial(changing.edit, lab, line))


def assigned(lab: LabScreen, settings: list[SettingLine], typed: str) -> Iterator[Command]:
    """A command that sets each setting whose name, or key, stands before a value in ``typed``."""
    words = typed.strip()
    for line in settings:
        for name in (line.label.removeprefix("· "), line.key):
            head, value = words[: len(name)], words[len(name) :]
            if head.lower() == name and value[:1] in (" ", "=") and (value := value.strip(" =")):
                change = partial(changing.assign, lab, line, value)
                yield Command(f"{name} → {value}", line.sentence, change)


def choose_theme(lab: LabScreen) -> None:
    """Open a picker of all themes."""
    app = lab.app
    themes = (
        Choice(name, lambda: app.get_theme, "dark" if theme.dark else "light", "")
        for name, theme in app.available_themes.items()
    )

    def took(name: str | None) -> None:
        if name is not None:
            app.theme = name
            lab.prefer(theme=name)

    app.push_screen(Picker(Table("theme", *themes), app.theme), took)


def choose_notification(lab: LabScreen) -> None:
    """Open a picker of how the user is told of what happens while they look elsewhere."""
    kinds = (
        Choice(name, lambda: lab.prefer, sentence, "") for name, sentence in NOTIFICATIONS.items()
    )

    def took(name: str | None) -> None:
        if name is not None:
            lab.prefer(notify=name)

    now = lab.options.preferences.values.notify
    lab.app.push_screen(Picker(Table("notification", *kinds), now), took)
