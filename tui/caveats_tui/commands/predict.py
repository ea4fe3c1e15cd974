"""`caveats-tui predict`: what theory predicts for a fresh network, beside what is measured in fresh
ones."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from caveats_tui.commands.comparison import comparison
from caveats_tui.commands.heeding import heeding
from caveats_tui.commands.progress import ProgressLine
from caveats_tui.commands.shared_options import config_options, read_config
from caveats_tui.options import ConfigOptions
from caveats_tui.text.ascii import carried

if TYPE_CHECKING:
    from caveats.config import RunConfig

__all__ = ["measured_beside_theory", "predict_command"]


@click.command("predict", short_help="Print what theory predicts beside what is measured.")
@click.argument("name", required=False)
@config_options
@click.option(
    "--seeds",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=5,
    show_default=True,
    help="Measure networks of the seeds 0 to N-1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def predict_command(
    name: str | None,
    source: ConfigOptions,
    seeds: int,
    as_json: bool,
) -> None:
    """Print for each layer what theory predicts before the first step, beside what fresh networks
    measure: of the experiment NAME, a config file, or the default one. Nothing is trained.

    \b
    caveats-tui predict default_that_vanishes
    caveats-tui predict --set network.activation=tanh --seeds 20 --json
    """
    config = read_config(source, name)
    document, outputs = measured_beside_theory(config, seeds)
    if as_json:
        click.echo(json.dumps(document, indent=2, allow_nan=False))
    else:
        click.echo(comparison(carried(document, sys.stdout), outputs))


def measured_beside_theory(config: RunConfig, seeds: int) -> tuple[dict[str, Any], int]:
    """The document of `caveats.theory.document` for networks of the seeds 0 to ``seeds`` - 1, and
    the width of their output layer; with a line of progress on stderr.

    Raises:
        ConfigError: where config and data do not fit.
    """
    progress = ProgressLine(sys.stderr)
    with heeding(progress):
        return compared(config, seeds, progress)


def compared(config: RunConfig, seeds: int, progress: ProgressLine) -> tuple[dict[str, Any], int]:
    try:
        progress.say("loading torch")
        import numpy as np

        from caveats.run import Run
        from caveats.theory import predict
        from caveats.theory.document import prediction_document

        taken: dict[str, list[Any]] = {"grad_norm": [], "delta_rms": [], "dead_fraction": []}
        dataset = None
        for seed in range(seeds):
            progress.say(f"measuring seed {seed + 1} of {seeds}")
            run = Run(config.changed({"training.seed": seed}), dataset)  # measures step 0
            dataset = run.dataset
            first = run.history.snapshot()
            taken["grad_norm"].append(first.layers("grad_norm")[0])
            taken["delta_rms"].append(first.layers("delta_rms")[0])
            taken["dead_fraction"].append(first.layers("dead")[0] / first.layers("units")[0])
        progress.say("predicting")
        x, y = run.probe.x.cpu().numpy(), run.probe.y.cpu().numpy()
        prediction = predict(config, x, y, run.outputs)
        measured = {key: np.array(values) for key, values in taken.items()}
        names = run.history.layers
        return (
            prediction_document(config, names, len(x), prediction, measured),
            run.outputs,
        )
    finally:
        progress.clear()
