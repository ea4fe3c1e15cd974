"""Setups that travel: save the present one as a TOML file, open one or an experiment, copy it as a
command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from caveats.config import RunConfig
from caveats.errors import ConfigError, visible
from caveats.experiments import Experiment
from caveats.runs.setups import read_recent, read_setup, remember, write_setup
from caveats_tui.screens.dialogs import Edit, Filtered, Row
from caveats_tui.screens.files import SETUP, FilePicker, Found
from caveats_tui.screens.gallery import Gallery
from caveats_tui.screens.lab.clipboard import send
from caveats_tui.screens.lab.own_files import written
from caveats_tui.text.command_line import command_line
from caveats_tui.text.settings import describe

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["choose", "choose_experiment", "copy_command", "save"]

SUFFIX = ".toml"


def save(lab: LabScreen) -> None:
    """Ask for the name of a new file, and write the setup into it."""

    def check(text: str) -> None:
        if not text.strip():
            raise ConfigError("give the file a name")
        path = path_of(text)
        if os.path.lexists(path):
            raise ConfigError(f"{visible(path)} exists already: give another name")

    def took(text: str | None) -> None:
        if text is None:
            return
        path = path_of(text)
        try:
            write_setup(lab.bench.config, path)
        except ConfigError as error:
            return lab.notice(str(error))
        remember_in(lab, path)
        lab.notice(f"saved {visible(path)}: caveats-tui --config {visible(path)} opens it")

    sentence = f"A TOML file with every setting: {describe(lab.bench.config, None)}"
    lab.app.push_screen(Edit("save the setup as", sentence, str(unused()), check), took)


def path_of(text: str) -> Path:
    """The path that was typed, ending in .toml.

    Raises:
        ConfigError: for one that names no file, as ``/`` and ``..`` do.
    """
    path = Path(os.path.expanduser(text.strip()))
    if path.name in ("", "..") or "\0" in text:
        raise ConfigError(f"{visible(text.strip())} names no file: give the file a name")
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def unused() -> Path:
    """The first of setup.toml, setup-2.toml and so on that does not exist here."""
    number = 1
    while os.path.lexists(name := "setup.toml" if number == 1 else f"setup-{number}.toml"):
        number += 1
    return Path(name)


def choose(lab: LabScreen) -> None:
    """Open one of the setups used lately, or find a file."""
    if not lab.bench.may_change():
        return lab.frame()
    recent = [] if lab.options.recent is None else read_recent(lab.options.recent)
    if not recent:
        return find(lab, lab.frame)

    def took(path: Path | None) -> None:
        if path is None:
            return
        if path == OTHER:
            return find(lab, lambda: choose(lab))
        try:
            load(lab, path, read_setup(path))
        except ConfigError as error:
            lab.notice(str(error))

    lab.app.push_screen(RecentSetups(recent), took)


def choose_experiment(lab: LabScreen) -> None:
    """Open the gallery, and set up the experiment that is chosen."""
    if not lab.bench.may_change():
        return lab.frame()

    def took(experiment: Experiment | None) -> None:
        if experiment is not None:
            lab.do(lambda: lab.bench.load(experiment))

    lab.app.push_screen(Gallery(lab.tools.charts, lab.options.charset), took)


def find(lab: LabScreen, back: Callable[[], None]) -> None:
    def took(found: Found | None) -> None:
        if found is not None:
            load(lab, found.path, found.content)
        else:
            back()

    lab.app.push_screen(FilePicker(Path.cwd(), SETUP), took)


def load(lab: LabScreen, path: Path, config: RunConfig) -> None:
    """Set up what was read, paused at step 0."""
    remember_in(lab, path)
    said = visible(written(path))
    lab.do(lambda: lab.bench.load(Experiment(said, "", "", "", "this setup was read", config, {})))
    lab.notice(f"{said} is set up: space trains it")


def remember_in(lab: LabScreen, path: Path) -> None:
    if lab.options.recent is not None:
        remember(lab.options.recent, path)


def copy_command(lab: LabScreen) -> None:
    """Send the command line that trains the present setup to the clipboard."""
    line = command_line(lab.bench.config)
    lab.notice(f"copied: {line}{send(lab.app, line)}")


OTHER = Path("…")  # the row that asks for another file


class RecentSetups(Filtered[Path | None]):
    """Setups that were saved or opened lately, and a row for any other file."""

    nothing = "no setup fits; ctrl+u clears the filter"

    def __init__(self, paths: list[Path]) -> None:
        super().__init__("open a setup")
        self._paths = [(path, told(path)) for path in paths]

    def offered(self, typed: str) -> list[Row]:
        words = typed.lower().split()
        rows = [
            Row(
                path,
                Group(
                    Text(visible(written(path)), style="bold"), Padding(Text(said), (0, 0, 0, 4))
                ),
            )
            for path, said in self._paths
            if all(word in f"{path} {said}".lower() for word in words)
        ]
        return [*rows, Row(OTHER, Text("another file (.toml, or the run.toml of a kept run)…"))]


def told(path: Path) -> str:
    try:
        return describe(read_setup(path), None)
    except ConfigError as error:
        return str(error)
