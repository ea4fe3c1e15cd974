"""`caveats-tui run`: one training without a screen, its numbers on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.session import sentence
from caveats_tui.commands.charset import carried
from caveats_tui.commands.options import config_options, every_option, read_config
from caveats_tui.commands.program import Interrupted
from caveats_tui.commands.progress import Progress
from caveats_tui.commands.report import report

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["run"]


@click.command(short_help="Train without a screen and print what was measured.")
@config_options
@every_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def run(
    file: str | None,
    assignments: Sequence[str],
    device: str | None,
    every: int | None,
    as_json: bool,
) -> None:
    """Train one network without a screen and print what was measured in each layer.

    \b
    caveats-tui run --set optimizer.name=adam --set optimizer.lr=0.3
    caveats-tui run --config my.toml --set network.widths=64-64-64 --json > run.json

    A run that diverges is a result like any other.
    """
    config = read_config(file, assignments, device)
    finished = trained(config, every)
    # Imported late: it is the run that made numpy and torch worth loading.
    from caveats.results import result

    document = result(finished)
    if as_json:
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    text = report(
        carried(document, sys.stdout),
        baseline=finished.baseline,
        device=str(finished.trainer.device),
        outputs=finished.dataset.outputs,
    )
    click.echo(text)


def trained(config: RunConfig, every: int | None) -> Run:
    """Train ``config`` to its end in this thread, with a line of progress on stderr.

    Raises:
        ConfigError: where config and data do not fit, or the memory does not suffice.
        Interrupted: by ctrl-c.
    """
    progress = Progress(sys.stderr)
    started: Run | None = None
    try:
        progress.say("loading torch")
        from caveats.run import Run

        progress.say("loading data")
        started = Run(config, every=every)
        steps = config.training.steps
        while not started.finished:
            started.advance()
            if progress.due():
                loss = started.history.snapshot().scalar("loss")[-1]
                progress.update(started.step, steps, started.speed, float(loss))
        return started
    except KeyboardInterrupt:
        progress.clear()
        at = f"at step {started.step:,} of {config.training.steps:,}" if started else "at the start"
        raise Interrupted(f"Interrupted {at}") from None
    except (MemoryError, RuntimeError) as error:  # torch says out of memory by a RuntimeError
        said = sentence(error)
        if not said.startswith("out of memory"):
            raise
        raise ConfigError(said) from None
    finally:
        progress.clear()
