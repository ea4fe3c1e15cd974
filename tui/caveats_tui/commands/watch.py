"""`caveats-tui watch`: runs a command unchanged, and watches what it trains."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

from caveats.errors import ConfigError, visible
from caveats.runs.files import remove
from caveats.runs.shelf import default_place
from caveats_tui.commands.shared_options import screen_options
from caveats_tui.options import ScreenOptions

__all__ = ["Watched", "watch"]

LOOK = 0.5  # seconds between two looks at what the instruments found
MISSING, REFUSED = 127, 126  # as a shell's exit codes
HANGUP = click.Choice(["stop", "continue"])


class Every(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A number of steps, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        if value in (None, "auto"):
            return None
        if str(value).isdecimal() and 1 <= int(value) <= 10**9:
            return int(value)
        self.fail(f"{value!r} is neither auto nor a number of steps from 1", param, ctx)


@click.command(
    "watch",
    short_help="Run a command unchanged, and watch the networks that it trains.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--every", type=Every(), default="auto", help="Steps between two samples.")
@click.option(
    "--budget",
    type=click.FloatRange(0, 100),
    default=2.0,
    show_default=True,
    metavar="PERCENT",
    help="The share of the time that watching may take.",
)
@click.option("--out", metavar="DIR", type=Path, help="Keep the run in this new folder.")
@click.option("--no-screen", is_flag=True, help="Its output as alone, events on stderr.")
@click.option("--json", "as_json", is_flag=True, help="One event a line on stdout.")
@screen_options
@click.option(
    "--on-hangup", type=HANGUP, default="stop", help="What happens when the screen is lost."
)
def watch(
    command: tuple[str, ...],
    every: int | None,
    budget: float,
    out: Path | None,
    no_screen: bool,
    as_json: bool,
    on_hangup: str,
    screen: ScreenOptions,
) -> None:
    """Run COMMAND as it is, and watch the networks that it trains with PyTorch.

    \b
    caveats-tui watch -- python train.py --lr 0.1
    caveats-tui watch --no-screen -- torchrun --nproc-per-node 2 train.py
    caveats-tui watch --out runs/one -- bash run.sh

    Its output, signals and exit code are its own. With --json its output goes to stderr. The run is
    kept: `caveats-tui runs` lists it, `caveats-tui open DIR` shows it, also while it goes on.
    """
    watched = Watched(list(command), out, every, budget / 100)
    if not (no_screen or as_json) and sys.stdin.isatty() and sys.stdout.isatty():
        raise SystemExit(watched.on_screen(screen, stop=on_hangup == "stop"))
    show = told_as_json if as_json else told_in_words
    raise SystemExit(watched.run(show, output=2 if as_json else None))


class Watched:
    """A command, the folder of its run, and what its processes tell.

    Raises:
        ConfigError: if the folder cannot be used.
    """

    def __init__(self, argv: list[str], out: Path | None, every: int | None, share: float) -> None:
        from caveats.watching.folder import Events, Notes, environment

        self.argv, self.share = argv, None if every else share
        self.folder = out or named_after(argv)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise ConfigError(f"{visible(self.folder)} is not empty: name a new folder")
        except OSError as error:
            raise ConfigError(
                f"{visible(self.folder)} cannot be written: {error.strerror}"
            ) from None
        self._notes_place = Path(tempfile.mkdtemp(prefix="caveats-watch-"))
        self.notes = Notes(self._notes_place / "notes.jsonl")
        self.events = Events(self.folder)
        self.environment = environment(
            self.folder, self.notes.path, argv, every, share, dict(os.environ)
        )

    def run(self, show: Callable[[Mapping[str, Any]], None], output: int | None) -> int:
        """Run the command with this process's streams (its stdout to the descriptor ``output``),
        ``show`` each event, and return the exit code."""
        try:
            with handed_on() as signals:
                child = subprocess.Popen(self.argv, env=self.environment, stdout=output)
                signals.child = child
                code = self._follow(child, show)
        except OSError as error:
            self.discard()
            return not_started(self.argv[0], error)
        self.close(code, show)
        return 128 - code if code < 0 else code

    def on_screen(self, screen: ScreenOptions, stop: bool) -> int:
        """Run the command in a terminal of its own, below the charts; returns its exit code, 0 if
        it was left running."""
        from caveats_tui.bench.child import Child
        from caveats_tui.commands.lab import open_watched
        from caveats_tui.terminal.keeper import DETACH, start

        if shutil.which(self.argv[0], path=self.environment.get("PATH")) is None:
            self.discard()
            return not_started(self.argv[0], FileNotFoundError())
        size = shutil.get_terminal_size()
        keeper = start(self.argv, self.folder, (size.columns, 8), stop, self.environment)
        left = False

        def leave() -> None:
            nonlocal left
            left = True
            keeper.send_signal(DETACH)

        def why() -> str:
            self.notes.look()
            return self.notes.sentence

        def send(text: str) -> None:
            if keeper.stdin is not None and keeper.poll() is None:
                keeper.stdin.write(text.encode())
                keeper.stdin.flush()

        child = Child(keeper.poll, keeper.terminate, leave, send, why, self.share)
        try:
            number = open_watched(self.folder, screen, child)
            if number not in (None, signal.SIGHUP):  # as without us: signals are for the command
                keeper.send_signal(number)
                keeper.wait()
        finally:
            if keeper.stdin is not None:
                keeper.stdin.close()
        if left:
            narrate(f"it goes on: caveats-tui open {visible(self.folder)}")
            return 0
        code = keeper.wait()
        self.close(code, lambda event: None)
        return code

    def _follow(self, child: subprocess.Popen[bytes], show: Callable[[Any], None]) -> int:
        while True:
            try:
                return child.wait(LOOK)
            except subprocess.TimeoutExpired:
                self.look(show)

    def look(self, show: Callable[[Mapping[str, Any]], None]) -> None:
        """Show what has happened since the last look."""
        try:
            for event in self.events.look():
                show(event)
        except (ConfigError, OSError):
            return  # the folder is being written, or the reader of the events is gone

    def close(self, code: int, show: Callable[[Mapping[str, Any]], None]) -> None:
        """After the command has ended: write its exit code, and say where the run is."""
        from caveats.watching.folder import finish, parts

        self.look(show)
        self.notes.look()
        if parts(self.folder):
            finish(self.folder, code)
            for problem in self.notes.problems:
                narrate(f"not all was watched: {problem}")
            narrate(f"kept as {visible(self.folder)}")
            shutil.rmtree(self._notes_place, ignore_errors=True)
        else:
            narrate(self.notes.sentence)
            self.discard()

    def discard(self) -> None:
        """Remove a folder in which nothing was kept."""
        shutil.rmtree(self._notes_place, ignore_errors=True)
        for name in (".first", "output.txt"):
            remove(self.folder / name)
        try:
            self.folder.rmdir()
        except OSError:
            return


def named_after(argv: list[str]) -> Path:
    """A new folder among the kept runs, named after the script and the time."""
    script = next((a for a in argv if a.endswith((".py", ".sh"))), argv[0])
    word = re.sub(r"[^a-z0-9_]+", "", Path(script).stem.lower())[:24] or "run"
    begin = f"watch-{word}-{datetime.now():%m%d-%H%M%S}"
    place = default_place()
    folder, number = place / begin, 2
    while folder.exists():
        folder, number = place / f"{begin}-{number}", number + 1
    return folder


class Signals:
    child: subprocess.Popen[bytes] | None = None


@contextmanager
def handed_on() -> Iterator[Signals]:
    """Inside, signals are for the command: ctrl-c reaches it by the terminal itself, others are
    passed on. Signals that were ignored (nohup) stay ignored, by the command too."""
    signals = Signals()

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)  # the terminal is gone
        if signals.child is not None and number != signal.SIGINT:
            signals.child.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    kept = [number for number in asked if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in kept}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def not_started(program: str, error: OSError) -> int:
    """Say why a command could not be started; returns a shell's exit code."""
    if isinstance(error, FileNotFoundError):
        narrate(f"{visible(program)} is no command that can be found")
        return MISSING
    narrate(f"{visible(program)} cannot be run: {error.strerror}")
    return REFUSED


def narrate(sentence: str) -> None:
    try:
        click.echo(f"caveats-tui: {sentence}", err=True)
    except OSError:
        return


def told_in_words(event: Mapping[str, Any]) -> None:
    part = f" ({event['part']})" if event["part"] else ""
    narrate(visible(f"step {event['step']}{part}: {event['text']}"))


def told_as_json(event: Mapping[str, Any]) -> None:
    click.echo(json.dumps(event))
    sys.stdout.flush()
