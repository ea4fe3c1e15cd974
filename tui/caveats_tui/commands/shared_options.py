"""The options that several commands share, and the config that they describe."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from caveats.config import RunConfig, parse_assignment
from caveats.errors import ConfigError, visible
from caveats.runs.setups import read_setup
from caveats.runs.shelf import default_place
from caveats_tui.options import (
    IDLE_LIMIT,
    CharsetOption,
    ConfigOptions,
    RecordingOptions,
    ScreenOptions,
)
from caveats_tui.terminal.facts import CHARSETS
from caveats_tui.terminal.preferences import MOST_FPS

__all__ = [
    "cast_version_option",
    "config_options",
    "every_option",
    "idle_limit_option",
    "read_config",
    "recording_options",
    "screen_options",
]

F = TypeVar("F", bound=Callable[..., Any])


def steps_or_auto(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value == "auto":
        return None
    try:
        steps = int(value)
    except ValueError:
        steps = 0
    if steps < 1:
        raise click.BadParameter(f"{value!r} should be auto, or a number of steps, 1 or more.")
    return steps


def frames_per_second(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:
    """The value of ``--fps``; a callback of that option."""
    if value is None:
        return None
    try:
        fps = float(value)
    except ValueError:
        fps = math.nan
    if not 0 < fps <= MOST_FPS:
        raise click.BadParameter(f"{value!r} should be a number above 0 and at most {MOST_FPS:g}.")
    return fps


def every_option(command: F) -> F:
    """Add ``--every``, passed on as ``every``: the number of steps between two records, None for
    automatic."""
    return click.option(
        "--every",
        metavar="N|auto",
        default="auto",
        callback=steps_or_auto,
        help="Measure every N steps; auto (the default) spends at most 5 % of the time on it.",
    )(command)


def gathered(
    into: str, make: Callable[..., object], options: Mapping[str, Callable[[F], F]]
) -> Callable[[F], F]:
    """Add ``options``, under the names that click gives their values. ``make`` makes one object of
    these values, which is passed on as ``into``."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def with_one(*args: Any, **given: Any) -> Any:
            found = {name: given.pop(name) for name in options}
            return command(*args, **given, **{into: make(**found)})

        decorated: Any = with_one
        for option in reversed(list(options.values())):
            decorated = option(decorated)
        return cast(F, decorated)

    return decorate


def cast_version_option(command: F) -> F:
    return click.option(
        "--cast-version",
        type=click.Choice(("2", "3")),
        default="3",
        show_default=True,
        help="The version of the asciicast format.",
    )(command)


def idle_limit_option(default: float | None) -> Callable[[F], F]:
    return click.option(
        "--idle-limit",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        default=default,
        show_default=default is not None,
        help="Cut longer pauses of the recording to this.",
    )


def screen_options(command: F) -> F:
    """Add the options that say how the lab is drawn, passed on as ``screen``."""

    def make(
        fps: float | None, charset: CharsetOption, no_mouse: bool, theme: str | None
    ) -> object:
        return ScreenOptions(fps, charset, not no_mouse, theme)

    options = {
        "fps": click.option(
            "--fps",
            metavar="N",
            callback=frames_per_second,
            help="Redraw charts at most N times a second; by default 10, or what the settings "
            "file says.",
        ),
        "charset": click.option(
            "--charset",
            type=click.Choice(CHARSETS),
            default="auto",
            help="The characters of charts; auto looks at the terminal.",
        ),
        "no_mouse": click.option(
            "--no-mouse", is_flag=True, help="Leave the mouse to the terminal."
        ),
        "theme": click.option("--theme", metavar="NAME", help="Colours, such as caveats-light."),
    }
    return gathered("screen", make, options)(command)


def recording_options(command: F) -> F:
    """Add the options that say how the user's session is recorded, passed on as ``recording``."""

    def make(
        file_to_record: str | None, cast_version: str, idle_limit: float, show_keys: bool
    ) -> object:
        return RecordingOptions(file_to_record, int(cast_version), idle_limit, show_keys)

    options = {
        "file_to_record": click.option(
            "--record",
            "file_to_record",
            metavar="FILE.cast",
            help="Record the terminal from the first frame on; in the lab, ctrl+r starts later.",
        ),
        "cast_version": cast_version_option,
        "idle_limit": idle_limit_option(IDLE_LIMIT),
        "show_keys": click.option(
            "--show-keys", is_flag=True, help="While recording, show pressed keys in a corner."
        ),
    }
    return gathered("recording", make, options)(command)


def config_options(command: F) -> F:
    """Add ``--config``, ``--set`` and ``--device``, passed on as ``source``."""
    options = {
        "file": click.option(
            "--config",
            "file",
            metavar="FILE",
            help="Read the config from a TOML file, or from a kept run: its name, folder or "
            "run.toml.",
        ),
        "assignments": click.option(
            "--set",
            "assignments",
            metavar="KEY=VALUE",
            multiple=True,
            help="Change one setting, such as optimizer.lr=0.01; may be given several times.",
        ),
        "device": click.option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps."),
    }
    return gathered("source", ConfigOptions, options)(command)


def read_config(source: ConfigOptions, experiment: str | None = None) -> RunConfig:
    """The config of a command line: that of the file, of the experiment, or the default one,
    changed by every ``--set``, in any order, and by ``--device`` last.

    Raises:
        ConfigError: one sentence naming the file, "--set" or "--device", the key and the value; or
            the experiment that does not exist.
    """
    config = base_config(source.file, experiment)
    parsed = [parse_assignment(text) for text in source.assignments]
    # network.init before network.init.std: set later, the name would replace its own setting.
    changes = dict(sorted(parsed, key=lambda change: change[0].count(".")))
    if changes:
        config = config.changed(changes, "--set")
    if source.device is not None:
        config = config.changed({"training.device": source.device}, "--device")
    return config


def setup_path(word: str) -> Path:
    """The path that ``--config`` names: a file, a run's folder, or a kept run by its name."""
    path, kept = Path(word), default_place() / word
    return kept if not path.exists() and len(path.parts) == 1 and kept.is_dir() else path


def base_config(file: str | None, experiment: str | None) -> RunConfig:
    if experiment is None:
        return RunConfig() if file is None else read_setup(setup_path(file))
    said = visible(repr(experiment))
    if file is not None:
        raise ConfigError(f"the experiment {said} and --config exclude each other: keep one")
    if experiment.endswith(".toml"):
        raise ConfigError(f"{said} is not an experiment: give a config file with --config")
    # Imported late: it reads 22 files, which only an experiment's name needs.
    from caveats.experiments import find

    return find(experiment).config
