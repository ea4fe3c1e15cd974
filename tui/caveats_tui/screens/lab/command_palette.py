"""The table of keys as commands of the palette. Each command runs an action of the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from caveats_tui.keys import KEYS

__all__ = ["commands"]


def commands(screen: Screen[Any]) -> Iterator[SystemCommand]:
    """A command for each key that does not depend on what has the focus."""
    for key in KEYS:
        if key.palette:
            name = f"{key.label} ({key.shown})"
            yield SystemCommand(name, key.sentence, runner(screen, key.action))


def runner(screen: Screen[Any], action: str) -> Callable[[], Any]:
    async def run() -> None:
        await screen.run_action(action)

    return run
