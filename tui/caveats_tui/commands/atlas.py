"""`caveats-tui atlas`: a map of what becomes of networks over two settings."""

from __future__ import annotations

from pathlib import Path

import click

from caveats.errors import ConfigError
from caveats_tui.commands.shared import config_options, read_config, screen_options
from caveats_tui.options import ConfigOptions, LabOptions, ScreenOptions

__all__ = ["atlas"]


@click.command(short_help="Map what becomes of networks over two settings.")
@click.argument("name", required=False)
@config_options
@click.option("--x", "across", metavar="KEY=RANGE", help="The setting from left to right.")
@click.option("--y", "up", metavar="KEY=RANGE", help="The setting from bottom to top.")
@click.option("--seeds", type=int, default=1, metavar="N", help="Train each cell with N seeds.")
@click.option("--out", type=Path, metavar="DIR", help="Keep it in this folder, or open a sweep's.")
@screen_options
def atlas(
    name: str | None,
    source: ConfigOptions,
    across: str | None,
    up: str | None,
    seeds: int,
    out: Path | None,
    screen: ScreenOptions,
) -> None:
    """Train networks over two settings and colour each by what became of it.

    \b
    caveats-tui atlas --x optimizer.lr=1e-4..1@16log --y network.width=2..64@6log
    caveats-tui atlas he_2015 --x network.init=he_normal,xavier_normal --y network.depth=2..30@8
    caveats-tui atlas --out DIR     opens a sweep's folder of two axes, while it fills

    It fills in coarse first; what is trained stays in its folder. v changes what is shown, enter
    opens a cell in the lab, + zooms, x writes csv and npz.
    """
    from caveats.runs.shelf import default_place
    from caveats.sweeps import Plan, Sweep, parse_axis
    from caveats_tui.commands.lab import open_lab

    if across is None or up is None:
        if out is None or across is not None or up is not None:
            raise ConfigError("an atlas has two axes: give --x KEY=RANGE and --y KEY=RANGE")
        sweep = Sweep(out)
        if len(sweep.plan.axes) != 2:
            raise ConfigError(
                f"{out} is a sweep over {len(sweep.plan.axes)} settings: an atlas shows two"
            )
    else:
        base = read_config(source, name)
        plan = Plan.of(base, [parse_axis(across, base), parse_axis(up, base)], seeds)
        sweep = Sweep.create(out or plan.own_folder(default_place().parent / "atlases"), plan)
    open_lab(LabOptions(sweep.plan.base, screen=screen, sweep=sweep))
