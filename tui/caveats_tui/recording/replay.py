"""The terminal during a replay: reads raw keys, shows the player's output, and is restored at the
end."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Mapping

from caveats.errors import ConfigError
from caveats_tui.recording.cast import Recording
from caveats_tui.recording.player import PLAYER_KEYS, Player, does_not_fit
from caveats_tui.terminal.guard import Guard, guarded_streams

__all__ = ["check_terminal", "keys_of", "replay"]

NAP = 0.1  # seconds at most between two looks at signals and the clock
_DONE = "\x1b[0m\x1b(B\x1b[r\x1b[?7h\x1b[?25h\x1b[?1049l"


def check_terminal(environ: Mapping[str, str]) -> None:
    """Raises ConfigError, one sentence, for streams on which no recording can be shown."""
    for name, stream in (("stdin", sys.__stdin__), ("stdout", sys.__stdout__)):
        if stream is None or not stream.isatty():
            raise ConfigError(
                f"{name} is not a terminal, which a replay needs to draw and for keys"
            )
    if environ.get("TERM", "dumb") == "dumb":
        raise ConfigError(
            "TERM is dumb or not set: a replay needs a terminal that moves its cursor"
        )


def replay(recording: Recording, *, speed: float = 1.0) -> int:
    """Show ``recording`` until the user leaves; returns the exit code.

    Raises:
        ConfigError: for a terminal that is too small for it.
    """
    with guarded_streams() as guard:
        trouble = does_not_fit(recording.largest, guard.output.size)
        if trouble:
            raise ConfigError(trouble)
        asked: list[int] = []

        def leave(number: int) -> bool:
            asked.append(number)
            return True

        guard.entered(leave)
        guard.output.write("\x1b[?1049h")
        try:
            tty.setcbreak(0)
            ReplayLoop(recording, guard, speed, asked).run()
        finally:
            guard.output.write(_DONE)
            guard.output.flush()
            guard.left()
    return 128 + asked[0] if asked else 0


class ReplayLoop:
    """One replay in the terminal that ``guard`` holds; ``asked`` gets the signal that asks it to
    end."""

    def __init__(self, recording: Recording, guard: Guard, speed: float, asked: list[int]) -> None:
        self._output, self._asked = guard.output, asked
        self._resized = False
        self._player = Player(recording, self._output.write, self._output.size, speed=speed)

    def run(self) -> None:
        before = signal.signal(signal.SIGWINCH, self._winched)
        attributes = termios.tcgetattr(0)
        attributes[6][termios.VSUSP] = b"\0"  # ctrl-z would leave the shell on a drawn screen
        attributes[0] &= ~termios.IXON  # ctrl-s would stop the terminal, and q would not be heard
        attributes[3] &= ~termios.IEXTEN  # ctrl-v would take the key behind it away
        termios.tcsetattr(0, termios.TCSANOW, attributes)
        try:
            self._loop()
        finally:
            signal.signal(signal.SIGWINCH, before)

    def _loop(self) -> None:
        player, then = self._player, time.monotonic()
        while not (player.leaving or self._asked or self._output.lost):
            self._output.flush()
            ready, _, _ = select.select([0], [], [], min(player.due(), NAP))
            now = time.monotonic()
            player.advance(now - then)
            then = now
            if self._resized:
                self._resized = False
                player.resize(self._output.size)
            if ready:
                typed = os.read(0, 1024)
                if not typed:
                    return
                for key in keys_of(typed.decode("utf-8", "replace")):
                    player.press(key)

    def _winched(self, number: int, frame: object) -> None:
        self._resized = True


def keys_of(typed: str) -> list[str]:
    """The typed text, cut into keys; keys of several characters are matched first."""
    long = sorted((key for key in PLAYER_KEYS if len(key) > 1), key=len, reverse=True)
    found = []
    while typed:
        key = next((key for key in long if typed.startswith(key)), typed[0])
        found.append(key)
        typed = typed[len(key) :]
    return found
