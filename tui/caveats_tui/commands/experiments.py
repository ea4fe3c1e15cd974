"""`caveats-tui experiments`: the named experiments, as a list for people or JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import click

from caveats.experiments import Experiment, experiments
from caveats_tui.text.ascii import carried
from caveats_tui.text.tables import folded

__all__ = ["described", "experiments_command", "listed"]


@click.command("experiments", short_help="List the named experiments, each with its sentence.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def experiments_command(as_json: bool) -> None:
    """List the named experiments by the caveat that they show.

    \b
    caveats-tui run NAME            trains one without a screen
    caveats-tui run NAME --fix      and cures it
    caveats-tui --experiment NAME   opens it in the lab
    """
    found = experiments().values()
    if as_json:
        document = {"experiments": [described(experiment) for experiment in found]}
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    click.echo("\n".join(carried(listed(found), sys.stdout)))


def described(experiment: Experiment) -> dict[str, Any]:
    """One experiment as plain values; ``cure`` is empty where there is nothing to cure."""
    return {
        "name": experiment.name,
        "group": experiment.group,
        "caveat": experiment.caveat,
        "sentence": experiment.sentence,
        "lesson": experiment.lesson,
        "cure": dict(experiment.cure),
        "config": experiment.config.to_dict(),
    }


def listed(found: Iterable[Experiment]) -> list[str]:
    """The lines of the list: each group, and under it its experiments with their sentences."""
    known = list(found)
    room = max(len(experiment.name) for experiment in known) + 2
    lines: list[str] = []
    for group, members in groupby(known, key=lambda experiment: experiment.group):
        lines += ["", group] if lines else [group]
        for experiment in members:
            lines += folded(experiment.name, experiment.sentence, room=room)
    return lines
