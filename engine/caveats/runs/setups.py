"""Setups as files: a config in TOML, or that of a kept run; and the list of those used lately."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import tomli_w

from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats.errors import ConfigError, visible
from caveats.runs.files import read_whole, replace_file
from caveats.runs.manifest import Manifest

__all__ = ["RECENT", "read_recent", "read_setup", "remember", "write_setup"]

RECENT = "recent.toml"  # beside the folder of the kept runs
MOST = 10  # setups that are remembered
LONGEST = 2**16  # bytes of the list of them
LARGEST = 2**20  # bytes of a setup


def read_setup(path: str | Path) -> RunConfig:
    """The config in a TOML file, in a kept run's folder, or in the run.toml of one, whatever that
    file is called now.

    Raises:
        ConfigError: one sentence naming the file and what is wrong in it.
    """
    path = Path(path)
    if path.is_dir():
        manifest = Manifest.read(path)
    elif (data := manifest_text(path)) is not None:
        manifest = Manifest.parse(data, visible(path))
    else:
        return RunConfig.read(path)
    try:
        return manifest.configured()
    except ConfigError as error:
        raise ConfigError(f"{visible(path)}: {error}") from None


def manifest_text(path: Path) -> bytes | None:
    """What the file holds, if that is the run.toml of a kept run; None for any other file."""
    try:
        data = read_whole(path, LARGEST)
        tree = tomllib.loads(data.decode())
    except (OSError, ConfigError, ValueError, RecursionError):
        return None
    return data if "format" in tree and "status" in tree else None


def write_setup(config: RunConfig, path: Path) -> None:
    """Write a config as a new TOML file. A data file in the same folder, or below, is named as seen
    from there, others by their whole path. The default size of batches is left out, since it is
    made to fit the data.

    Raises:
        ConfigError: where the file exists already or cannot be written.
    """
    folder = Path(os.path.abspath(path)).parent
    if config.data.file is not None:
        file = Path(os.path.abspath(config.data.file))
        said = str(file.relative_to(folder) if file.is_relative_to(folder) else file)
        config = replace(config, data=replace(config.data, file=said))
    tree = config.to_dict()
    default = SETTINGS["training.batch_size"].default
    if not config.batch_given and config.training.batch_size == default:
        del tree["training"]["batch_size"]
    try:
        with path.open("x", encoding="utf-8") as file_made:
            file_made.write(tomli_w.dumps(tree))
    except FileExistsError:
        raise ConfigError(f"{visible(path)} exists already: give another name") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = visible(getattr(error, "strerror", None) or error)
        raise ConfigError(f"{visible(path)} cannot be written: {reason}") from None


def read_recent(file: Path) -> list[Path]:
    """The setups used lately that still exist, the newest first; none where the list cannot be
    read."""
    try:
        found = tomllib.loads(read_whole(file, LONGEST).decode()).get("setups")
    except (FileNotFoundError, ConfigError, ValueError, RecursionError):
        return []
    texts = [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
    return [Path(text) for text in texts[:MOST] if os.path.exists(text)]


def remember(file: Path, setup: Path) -> None:
    """Put a setup at the head of the list in ``file``. A list that cannot be written stays."""
    newest = Path(os.path.abspath(setup))
    kept = [newest, *(old for old in read_recent(file) if old != newest)][:MOST]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, tomli_w.dumps({"setups": [str(one) for one in kept]}).encode())
    except (OSError, ValueError):
        return
