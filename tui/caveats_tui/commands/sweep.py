"""`caveats-tui sweep`: trains every combination of some settings, here or on a cluster."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from caveats.errors import ConfigError, visible
from caveats_tui.commands.program import Interrupted
from caveats_tui.commands.shared_options import config_options, read_config
from caveats_tui.options import ConfigOptions
from caveats_tui.text.times import clock

if TYPE_CHECKING:
    from caveats.sweeps import Sweep
    from caveats.sweeps.folder import Progress

__all__ = ["named_and_axes", "sweep_command"]


class StartOrCommand(click.Group):
    """A group whose command is ``start`` where the first word is no other command's name."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["start", *args]
        return super().parse_args(context, args)


@click.group("sweep", cls=StartOrCommand, short_help="Train every combination of some settings.")
def sweep_command() -> None:
    """Train every combination of some settings, as stacks, here or on a cluster.

    \b
    caveats-tui sweep optimizer.lr=1e-4..1@32log network.width=8,64 --out DIR
    caveats-tui sweep he_2015 network.depth=2..32@16 --seeds 8 --out DIR
    caveats-tui sweep status DIR     how far it is, and what failed
    caveats-tui sweep resume DIR     goes on with what is missing
    caveats-tui sweep cancel DIR     stops all its workers
    caveats-tui sweep export DIR     one row for each cell

    A RANGE is LOW..HIGH@N, LOW..HIGH@Nlog (spaced by ratios), LOW..HIGH of whole numbers, or values
    with commas. network.depth and network.width set all hidden layers at once.
    """


def executor_options(command: Any) -> Any:
    options = (
        click.option("--executor", metavar="NAME", default="local", show_default=True,
                     help="local (processes), dask or slurm."),
        click.option("--workers", type=click.IntRange(1), metavar="N",
                     help="Processes of local and dask; default: one a core."),
        click.option("--address", metavar="URL",
                     help="A Dask scheduler, such as tcp://host:8786; default: one of its own."),
        click.option("--dry-run", is_flag=True,
                     help="Print the plan, and for slurm the script; train nothing."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@sweep_command.command("start", hidden=True)
@click.argument("words", nargs=-1, metavar="[NAME] KEY=RANGE...")
@config_options
@click.option("--seeds", type=int, default=1, metavar="N", help="Train each cell with N seeds.")
@click.option("--out", type=Path, metavar="DIR", help="The sweep's folder.")
@executor_options
def start(
    words: tuple[str, ...],
    source: ConfigOptions,
    seeds: int,
    out: Path | None,
    executor: str,
    workers: int | None,
    address: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write the plan of a sweep and train its cells."""
    from caveats.sweeps.executors import EXECUTORS
    from caveats.sweeps.plan import Plan
    from caveats.sweeps.ranges import parse_axis

    name, texts = named_and_axes(words)
    base = read_config(source, name)
    plan = Plan.of(base, [parse_axis(text, base) for text in texts], seeds)
    if out is None:
        raise ConfigError("a sweep wants a folder: give --out DIR")
    if executor not in EXECUTORS:
        from caveats.errors import nearest

        raise ConfigError(
            f"--executor {visible(executor)} is unknown: {nearest(executor, EXECUTORS)}"
        )
    if dry_run:
        show_plan(plan, out, executor, as_json)
        return
    from caveats.sweeps.folder import Sweep

    train(Sweep.create(out, plan), executor, workers, address, as_json)


def named_and_axes(words: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """The experiment's name, if one is among the words, and the axes."""
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise ConfigError(
            f"{visible(names[0])} and {visible(names[1])}: give one experiment, and axes as "
            "KEY=RANGE"
        )
    return (names[0] if names else None), [word for word in words if "=" in word]


def show_plan(plan: Any, out: Path, executor: str, as_json: bool) -> None:
    document = {**plan.document(), "cells": len(plan.cells), "tasks": len(plan.tasks)}
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif executor == "slurm":
        from caveats.sweeps.executors import dry_run as script

        click.echo(script(out, len(plan.tasks)))
    else:
        for axis in plan.every_axis:
            click.echo(f"{axis.key}: {len(axis.values)} values, {shown(axis.values)}")
        click.echo(f"{len(plan.cells):,} cells in {len(plan.tasks):,} tasks; nothing was trained")


def shown(values: tuple[Any, ...]) -> str:
    words = [visible(value) for value in values]
    return ", ".join(words if len(words) <= 6 else [*words[:3], "…", words[-1]])


def train(
    sweep: Sweep, executor: str, workers: int | None, address: str | None, as_json: bool
) -> None:
    """Run what is missing, with a line on stderr for each failure and for each tenth of the way."""
    from caveats.sweeps.executors import run

    began = time.monotonic()
    total, done = len(sweep.plan.tasks), len(sweep.plan.tasks) - len(sweep.missing())
    told = -1

    def report(task: int, word: str) -> None:
        nonlocal done, told
        if word == "done":
            done += 1
        elif word != "cancelled" and not word.startswith("submitted"):
            click.echo(f"task {task} failed: {visible(word)}", err=True)
        if 10 * done // total > told:
            told = 10 * done // total
            spent = clock(time.monotonic() - began)
            click.echo(f"{done:,} of {total:,} tasks done, {spent}", err=True)

    try:
        run(sweep, executor, workers, address, report)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted: caveats-tui sweep resume {visible(sweep.folder)} goes on"
        ) from None
    except OSError as error:
        raise ConfigError(f"{visible(sweep.folder)}: {error.strerror or error}") from None
    show_status(sweep, as_json)


@sweep_command.command("resume", short_help="Go on with what is missing.")
@click.argument("folder", type=Path, metavar="DIR")
@executor_options
def resume(
    folder: Path,
    executor: str,
    workers: int | None,
    address: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train what is missing of a sweep: also what failed, or was cancelled."""
    from caveats.sweeps.folder import Sweep

    sweep = Sweep(folder)
    if dry_run:
        click.echo(f"{len(sweep.missing()):,} of {len(sweep.plan.tasks):,} tasks are missing")
        return
    sweep.go_on()
    train(sweep, executor, workers, address, as_json)


@sweep_command.command("status", short_help="How far a sweep is, and what failed.")
@click.argument("folder", type=Path, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(folder: Path, as_json: bool) -> None:
    """Say how many cells of a sweep are done, and show the last lines of what failed."""
    from caveats.sweeps.folder import Sweep

    show_status(Sweep(folder), as_json)


def show_status(sweep: Sweep, as_json: bool) -> None:
    progress = sweep.progress()
    if as_json:
        document = {
            "folder": str(sweep.folder),
            "cells": progress.cells,
            "done": progress.done,
            "tasks": progress.tasks,
            "tasks_done": progress.tasks_done,
            "cancelled": progress.cancelled,
            "failed": {str(task): text for task, text in progress.failed.items()},
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo("\n".join(status_lines(sweep.folder, progress)))


def status_lines(folder: Path, progress: Progress) -> list[str]:
    lines = [
        f"{progress.done:,} of {progress.cells:,} cells done "
        f"({progress.tasks_done:,} of {progress.tasks:,} tasks)"
    ]
    for task, text in progress.failed.items():
        lines.append(f"task {task} failed:")
        lines += [f"  {visible(line)}" for line in text.splitlines()]
    if progress.cancelled:
        lines.append("cancelled")
    if not progress.finished:
        lines.append(f"caveats-tui sweep resume {visible(folder)} goes on with what is missing")
    return lines


@sweep_command.command("cancel", short_help="Stop all workers of a sweep.")
@click.argument("folder", type=Path, metavar="DIR")
def cancel(folder: Path) -> None:
    """Stop all workers of a sweep within a second or so; what is done stays."""
    from caveats.sweeps.executors import cancel_jobs
    from caveats.sweeps.folder import Sweep

    sweep = Sweep(folder)
    if not sweep.missing():
        click.echo(f"{visible(folder)} is done: there is nothing to cancel", err=True)
        return
    try:
        sweep.cancel()
    except OSError as error:
        raise ConfigError(f"{visible(folder)} cannot be written: {error.strerror}") from None
    cancel_jobs(sweep)
    click.echo(f"cancelled: caveats-tui sweep resume {visible(folder)} goes on", err=True)


@sweep_command.command("export", short_help="Write one row for each cell.")
@click.argument("folder", type=Path, metavar="DIR")
@click.option("--format", "kind", type=click.Choice(("csv", "parquet")), default="csv",
              show_default=True)  # fmt: skip
@click.option("--out", type=Path, metavar="FILE", help="Default: the folder's name and format.")
def export_cells(folder: Path, kind: str, out: Path | None) -> None:
    """Write the outcomes of all cells that are done as a table."""
    from caveats.sweeps.export import export
    from caveats.sweeps.folder import Sweep

    to = out or Path(f"{folder.resolve().name}.{kind}")
    rows = export(Sweep(folder), to, kind)
    print(f"{rows:,} rows in {visible(to)}", file=sys.stderr)
