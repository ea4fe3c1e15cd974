"""A small Textual app for the tests of the terminal: ``small_app.py KIND``; in each kind one thing
goes wrong."""

import ctypes
import os
import signal
import sys
from typing import Any

from textual.app import App, ComposeResult
from textual.events import Resize
from textual.widgets import Label

import caveats_tui.terminal.guard as guarding
import caveats_tui.terminal.log as logging
from caveats_tui.terminal.driver import driver_class
from caveats_tui.terminal.guard import Guard, guarded_streams

KIND = sys.argv[1]
SHOUT = b"!! WARNING FROM C !!\n"
libc = ctypes.CDLL(None)


class SmallApp(App[None]):
    """``w`` warns from C and says so, ``x`` raises, ``f`` floods the terminal, ``q`` ends."""

    CSS = "Screen { background: #005f87; color: #ffd700 } Label { width: 1fr; height: 1fr }"
    BINDINGS = [("w", "warn"), ("x", "fail"), ("f", "flood"), ("q", "quit"), ("n", "next")]  # noqa: RUF012
    count = 0

    def __init__(self, guard: Guard | None) -> None:
        super().__init__(driver_class=None if guard is None else driver_class(guard))
        self.guard = guard

    def compose(self) -> ComposeResult:
        yield Label("the app is here")

    def say(self, text: str) -> None:
        self.query_one(Label).update(text)

    def on_resize(self, event: Resize) -> None:
        self.say(f"the app is here, {event.size.width}×{event.size.height} │ ⣿")

    def action_next(self) -> None:
        self.count += 1
        self.say(f"pressed {self.count}")

    def action_warn(self) -> None:
        for fd in (1, 2):
            libc.write(fd, SHOUT, len(SHOUT))
        self.count += 1
        self.say(f"warned {self.count}")

    def action_fail(self) -> None:
        raise RuntimeError("the app broke")

    def action_flood(self) -> None:
        assert self._driver is not None
        for _ in range(200):
            self._driver.write(" " * 4096)

    def on_unmount(self) -> None:
        if KIND == "stuck":
            signal.pause()
        if KIND == "continued":
            os.kill(os.getpid(), signal.SIGCONT)


def main() -> int:
    if KIND == "patient":
        guarding._PATIENCE = 0.01  # a frozen line, judged soon
    if KIND == "noisy":
        logging.LIMIT = 200
    if KIND == "nonblocking":
        os.set_blocking(1, False)
    if KIND == "nohup":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if KIND == "bare":
        return run(None)
    result: Any = None
    with guarded_streams("ascii" if KIND == "ascii" else "utf-8") as guard:
        if KIND == "before":
            print("guarded", file=guard.stderr)
            signal.pause()
        if KIND == "raises":
            raise RuntimeError("the guard's body broke")
        result = run(guard)
    print(f"after: {guard.output.bytes} bytes")
    return int(result)


def run(guard: Guard | None) -> int:
    app = SmallApp(guard)
    app.run()
    if KIND == "continued late":
        os.kill(os.getpid(), signal.SIGCONT)
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
