"""`caveats-tui run`: trains one run without a screen and prints its numbers on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.runs.manifest import Manifest
from caveats.runs.shelf import find
from caveats_tui.commands.heeding import Heed, heeding
from caveats_tui.commands.keeping import Kept, stopping
from caveats_tui.commands.program import Interrupted
from caveats_tui.commands.progress import ProgressLine
from caveats_tui.commands.report import attempt_report, report
from caveats_tui.commands.shared_options import config_options, every_option, read_config
from caveats_tui.options import ConfigOptions
from caveats_tui.text.ascii import carried

if TYPE_CHECKING:
    from caveats.curing import Attempt
    from caveats.run import Run
    from caveats.verdicts import Verdict

__all__ = ["run"]

STOPPING = "Stopping after this step, so that --resume can go on; ctrl-c again ends at once"


@click.command(short_help="Train without a screen and print what was measured.")
@click.argument("name", required=False)
@config_options
@every_option
@click.option("--out", metavar="DIR", type=Path, help="Keep the run in this new folder.")
@click.option("--resume", metavar="DIR", help="Continue a kept run, by its folder or its name.")
@click.option("--fix", is_flag=True, help="Try the remedies of the worst caveat until one cures.")
@click.option("--trials", is_flag=True, help="Prove verdicts about the step by trying other steps.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def run(
    name: str | None,
    source: ConfigOptions,
    every: int | None,
    out: Path | None,
    resume: str | None,
    fix: bool,
    trials: bool,
    as_json: bool,
) -> None:
    """Train one network without a screen and print what was measured in each layer: the
    experiment NAME, a config file's, or the default one.

    \b
    caveats-tui run mass_extinction --fix
    caveats-tui run --set optimizer.name=adam --set optimizer.lr=0.3
    caveats-tui run --config my.toml --set network.widths=64-64-64 --json > run.json

    A run that diverges is a result like any other. Every run is kept: see `caveats-tui runs`.
    ctrl-c stops it in order, and --resume goes on from there, bit for bit. --fix trains again with
    the same seed and data, at most five times; those runs are not kept. --trials tries other
    steps for 100 steps each once the run is over, where it learnt little: what that shows counts in
    the verdicts about the step, and is kept with the run.
    """
    folder = None
    if resume is not None:
        given = (
            ("NAME", name),
            ("--config", source.file),
            ("--device", source.device),
            ("--out", out),
        )
        for option, value in given:
            if value is not None:
                raise ConfigError(f"--resume uses the run's own config: leave out {option}")
        folder = find(resume)
        config = Manifest.read(folder).configured()
    else:
        config = read_config(source, name)
    kept = Kept(warning, out, folder, source.assignments)
    finished = trained(config, every, kept, trials)
    # Imported late: they load numpy and torch, which bad input need not wait for.
    from caveats.documents import finite
    from caveats.results import attempt_words, result, with_fix

    document = result(finished)
    document["run"] = str(kept.folder) if kept.folder is not None else None
    if not as_json:
        text = report(
            carried(document, sys.stdout),
            baseline=finished.baseline,
            reachable=finished.reach.loss,
            device=str(finished.trainer.device),
            outputs=finished.outputs,
        )
        click.echo(text)
        if kept.folder is not None:
            click.echo(f"\nkept as {kept.word}")
    if fix:
        verdict = to_cure(finished)
        attempts: list[Attempt] = []
        if not as_json:
            what = "nothing: no caveat that has a remedy" if verdict is None else verdict.caveat
            click.echo(f"\nfix: {what}")
        for attempt in tried(finished, verdict):
            attempts.append(attempt)
            if not as_json:
                words = carried(finite(attempt_words(attempt)), sys.stdout)
                click.echo(attempt_report(len(attempts), words, document["final"]["loss"]))
        document = with_fix(document, verdict, attempts)
    if as_json:
        click.echo(json.dumps(document, indent=2, allow_nan=False))


def to_cure(failed: Run) -> Verdict | None:
    """The verdict whose remedies are tried: the worst one that has a remedy and is not a note."""
    from caveats.curing import curable
    from caveats.verdicts import judge

    found = judge(failed.history)
    return curable(failed.config, (verdict for verdict in found if verdict.severity != "note"))


def tried(failed: Run, verdict: Verdict | None) -> Iterator[Attempt]:
    """The remedies that came furthest, with a line of progress on stderr while they are tried."""
    if verdict is None:
        return
    from caveats.curing import cure

    progress = ProgressLine(sys.stderr)
    try:
        for attempt in cure(
            failed.config, failed.history, verdict, progress.follow, failed.dataset
        ):
            progress.clear()
            yield attempt
    finally:
        progress.clear()


def trained(
    config: RunConfig, every: int | None, kept: Kept | None = None, trials: bool = False
) -> Run:
    """Train ``config`` to its end in this thread, with a line of progress on stderr, and keep the
    run. If ``kept`` resumes a run, that run goes on with its own config. With ``trials`` other
    steps are tried at the end, as proof for the verdicts about the step.

    Raises:
        ConfigError: where config and data do not fit.
        Interrupted: by ctrl-c, SIGTERM and SIGHUP, after everything was written.
    """
    progress = ProgressLine(sys.stderr)
    with heeding(progress) as heed:
        return trained_to_the_end(config, every, kept or Kept(warning), progress, heed, trials)


def trained_to_the_end(
    config: RunConfig,
    every: int | None,
    kept: Kept,
    progress: ProgressLine,
    heed: Heed,
    trials: bool,
) -> Run:
    started: Run | None = None
    whole = False
    try:
        progress.say("loading torch")
        import caveats.run  # noqa: F401

        progress.say("loading data and drawing the weights")
        started = kept.begin(config, every)
        if config.data.file is not None:
            progress.clear()
            click.echo(carried(narrated(config, started), sys.stderr), err=True)
        heed.patient = STOPPING
        with stopping() as stop:
            while not started.finished and not stop.asked:
                started.advance()
                kept.advanced()
                progress.follow(started)
            if trials and not stop.asked:
                progress.say("trying other steps")
                prove_unless(started, lambda: stop.asked)
        whole = True
        if stop.asked:
            raise KeyboardInterrupt
        return started
    except KeyboardInterrupt:
        progress.clear()
        if started is None:
            raise Interrupted("Interrupted at the start") from None
        again = f": caveats-tui run --resume {kept.word} continues it" if kept.folder else ""
        at = f"at step {started.step:,} of {started.config.training.steps:,}"
        raise Interrupted(f"Interrupted {at}{again}") from None
    finally:
        progress.clear()
        if started is not None:
            kept.end(started, whole=whole)


def prove_unless(finished: Run, stop: Callable[[], bool]) -> None:
    """Try other steps on a run, unless ``stop`` answers True before that is over."""
    from caveats.trials import prove
    from caveats.trials.race import Stopped

    with suppress(Stopped):
        prove(finished, stop)


def narrated(config: RunConfig, started: Run) -> str:
    """How a person's own file was read, in one line."""
    data, size = started.dataset, started.config.training.batch_size
    words = f"data: {data.name}, {data.rows:,} rows of {data.features:,}; {data.target_told}"
    fitted = size != config.training.batch_size
    return f"{words}; batches of {size} rows, as there are no more" if fitted else words


def warning(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)
