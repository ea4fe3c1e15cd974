"""`caveats-tui atlas`: a map of what becomes of networks over two settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from caveats.errors import ConfigError, nearest, visible
from caveats_tui.commands.shared_options import config_options, read_config, screen_options
from caveats_tui.options import ConfigOptions, LabOptions, ScreenOptions

if TYPE_CHECKING:
    from caveats.sweeps import Plan

__all__ = ["atlas"]


@click.command(short_help="Map what becomes of networks over two settings.")
@click.argument("name", required=False)
@config_options
@click.option("--x", "across", metavar="KEY=RANGE", help="The setting from left to right.")
@click.option("--y", "up", metavar="KEY=RANGE", help="The setting from bottom to top.")
@click.option("--seeds", type=int, metavar="N", help="Train each cell with N seeds; default: 1.")
@click.option("--out", type=Path, metavar="DIR", help="Keep it in this folder, or open a sweep's.")
@screen_options
def atlas(
    name: str | None,
    source: ConfigOptions,
    across: str | None,
    up: str | None,
    seeds: int | None,
    out: Path | None,
    screen: ScreenOptions,
) -> None:
    """Train networks over two settings and colour each by what became of it.

    \b
    caveats-tui atlas --x optimizer.lr=1e-4..1@16log --y network.width=2..64@6log
    caveats-tui atlas he_2015 --x network.init=he_normal,xavier_normal --y network.depth=2..30@8
    caveats-tui atlas order_and_chaos     one of the gallery
    caveats-tui atlas --out DIR     opens a sweep's folder of two axes, while it fills

    It fills in coarse first; what is trained stays in its folder. v changes what is shown, enter
    opens a cell in the lab, + zooms, x writes csv and npz.
    """
    from caveats.runs.shelf import default_place
    from caveats.sweeps import Sweep
    from caveats_tui.commands.lab import open_lab

    if name is None and out is not None and across is None and up is None:
        sweep = Sweep(out)
        if len(sweep.plan.axes) != 2:
            raise ConfigError(
                f"{out} is a sweep over {len(sweep.plan.axes)} settings: an atlas shows two"
            )
    else:
        plan = plan_of(name, source, across, up, seeds)
        sweep = Sweep.create(out or plan.own_folder(default_place().parent / "atlases"), plan)
    open_lab(LabOptions(sweep.plan.base, screen=screen, sweep=sweep))


def plan_of(
    name: str | None, source: ConfigOptions, across: str | None, up: str | None, seeds: int | None
) -> Plan:
    """What to train: an atlas of the gallery, or two axes over a config."""
    from caveats.sweeps import Plan, parse_axis
    from caveats.sweeps.gallery import atlases

    if across is None and up is None and name is not None:
        if name not in atlases():
            raise ConfigError(
                f"{visible(name)} without --x and --y is no atlas: {nearest(name, atlases())}"
            )
        if source != ConfigOptions():
            raise ConfigError(f"{name} is a whole atlas: it takes no other settings")
        known = atlases()[name].plan
        return known if seeds is None else Plan.of(known.base, known.axes, seeds)
    if across is None or up is None:
        raise ConfigError(
            "an atlas has two axes: give --x KEY=RANGE and --y KEY=RANGE, or the name of one: "
            + ", ".join(atlases())
        )
    base = read_config(source, name)
    return Plan.of(
        base, [parse_axis(across, base), parse_axis(up, base)], 1 if seeds is None else seeds
    )
