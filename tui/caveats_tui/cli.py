"""The entry point: which commands there are, and what the program does without one.

Each command is a module of `caveats_tui.commands`; nothing here imports torch or Textual.
"""

from __future__ import annotations

import click

from caveats_tui.commands.atlas import atlas
from caveats_tui.commands.demo import demo
from caveats_tui.commands.doctor import doctor
from caveats_tui.commands.experiments import experiments_command
from caveats_tui.commands.export import export_command
from caveats_tui.commands.lab import open_lab
from caveats_tui.commands.open import open_command
from caveats_tui.commands.play import play
from caveats_tui.commands.predict import predict_command
from caveats_tui.commands.program import Program
from caveats_tui.commands.run import run
from caveats_tui.commands.runs import runs
from caveats_tui.commands.shared_options import (
    config_options,
    every_option,
    read_config,
    recording_options,
    screen_options,
)
from caveats_tui.commands.sweep import sweep_command
from caveats_tui.commands.watch import watch
from caveats_tui.options import (
    MOST_SEEDS,
    ConfigOptions,
    LabOptions,
    RecordingOptions,
    ScreenOptions,
)

__all__ = ["cli", "main"]


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--experiment", metavar="NAME", help="Open with a named experiment.")
@config_options
@every_option
@click.option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    metavar="N",
    default=1,
    help="Train N seeds of the setup beside the run; charts show their mean and range.",
)
@screen_options
@recording_options
@click.version_option(package_name="caveats-tui", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    context: click.Context,
    experiment: str | None,
    source: ConfigOptions,
    every: int | None,
    seeds: int,
    screen: ScreenOptions,
    recording: RecordingOptions,
) -> None:
    """See how deep networks fail quietly, and why, live in a terminal.

    Without a command this opens the lab.
    """
    if context.invoked_subcommand is None:
        config = read_config(source, experiment)
        open_lab(LabOptions(config, every, screen, recording, seeds=seeds))


cli.add_command(run)
cli.add_command(experiments_command)
cli.add_command(predict_command)
cli.add_command(open_command)
cli.add_command(runs)
cli.add_command(export_command)
cli.add_command(demo)
cli.add_command(play)
cli.add_command(watch)
cli.add_command(atlas)
cli.add_command(sweep_command)
cli.add_command(doctor)


def main() -> None:
    """Run the program on the command line's arguments; ends in `SystemExit`."""
    cli.main(prog_name="caveats-tui")
