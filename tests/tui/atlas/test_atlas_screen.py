"""The atlas: what a cell looks like, what the keys do, and that enter opens the very same run."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.app import App

from caveats.config import RunConfig
from caveats.errors import ConfigError
from caveats.stacks import Stack
from caveats.sweeps import Plan, Sweep, parse_axis
from caveats.sweeps.borders import borders, limit_of
from caveats.sweeps.gallery import atlas_of, atlases
from caveats.sweeps.outcomes import Outcome
from caveats.sweeps.plan import cell_id
from caveats.sweeps.work import work
from caveats.theory.meanfield import edge_of_chaos
from caveats.theory.response import Response
from caveats_tui.keys import KEYS as LAB_KEYS
from caveats_tui.screens.atlas.axes import AskAxes, suggested
from caveats_tui.screens.atlas.picture import LETTERS, Scale, heading, rows, window
from caveats_tui.screens.atlas.screen import KEYS, AtlasScreen, arrays, zoomed

BASE = RunConfig.from_dict(
    {
        "data": {"name": "moons", "n": 60},
        "network": {"widths": [4]},
        "training": {"steps": 6, "batch_size": 20, "device": "cpu"},
    }
)


class Picture(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


def plan(x: str, y: str, base: RunConfig = BASE, seeds: int = 1) -> Plan:
    return Plan.of(base, [parse_axis(x, base), parse_axis(y, base)], seeds)


def filled(folder: Path, made: Plan) -> Sweep:
    """A sweep with an outcome of its own in every cell, without training."""
    sweep = Sweep.create(folder, made)
    names = [*LETTERS, ""]
    for task, cells in enumerate(made.tasks):
        outcomes = {
            cell.index: Outcome(
                loss=10.0 ** -sum(cell.place), accuracy=0.5, dead=cell.place[0] / 10,
                gradient=10.0 ** cell.place[1], learned=float("nan"), steps=6,
                caveat=names[cell.index % len(names)], severity="warning",
                what=f"cell {cell.index}",
            )
            for cell in cells
        }  # fmt: skip
        sweep.keep(task, outcomes, {c.index: cell_id(made.config(c)) for c in cells})
    return Sweep(folder)


class Host(App[None]):
    """Shows one atlas, and keeps what it was dismissed with."""

    def __init__(self, sweep: Sweep, make: Callable[[Plan], Sweep], plain: bool = False) -> None:
        super().__init__()
        self.atlas = AtlasScreen(sweep, make, plain=plain, training=False)
        self.took: list[RunConfig | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.atlas, self.took.append)

    @property
    def text(self) -> str:
        strips = self.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)


def drive(
    sweep: Sweep,
    scenario: Callable[[Host, Any], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    plain: bool = False,
) -> Host:
    def make(wanted: Plan) -> Sweep:
        return Sweep.create(wanted.own_folder(sweep.folder.parent), wanted)

    host = Host(sweep, make, plain)

    async def body() -> None:
        async with host.run_test(size=size) as pilot:
            await pilot.pause()
            await host.workers.wait_for_complete()
            await scenario(host, pilot)

    asyncio.run(body())
    return host


SIZES = [(60, 16), (80, 24), (120, 40), (200, 55)]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("view", ["verdict", "loss"])
def test_pictures(
    view: str, size: tuple[int, int], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=1e-3..1@9log", "network.depth=1..6"))
    seen: list[str] = []

    async def scenario(host: Host, pilot: Any) -> None:
        while host.atlas._view != view:
            await pilot.press("v")
        await pilot.press("right", "up")
        seen.append(host.text)

    drive(sweep, scenario, size)
    assert seen[0] == snapshot(extension_class=Picture)


def test_keys_move_stop_at_the_edge_and_enter_opens_the_cell(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=0.1,0.2,0.4", "network.width=3,5"))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press(*["left"] * 5, *["up"] * 5, "right")
        assert "optimizer.lr 0.2   network.width 5" in host.text
        await pilot.press("enter")

    host = drive(sweep, scenario)
    assert host.took == [BASE.changed({"optimizer.lr": 0.2, "network.widths": [5]})]


def test_zoom_doubles_the_resolution_around_the_cursor_and_back_returns(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=1e-4..1@9log", "network.activation=relu,elu"))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("plus")
        x, y = host.atlas.sweep.plan.axes
        assert len(x.values) == 9
        assert (x.values[0], x.values[-1]) == (0.001, 0.1)
        assert y.values == ("relu", "elu")
        assert "not trained yet" in host.text
        await pilot.press("minus")
        assert host.atlas.sweep is sweep

    drive(sweep, scenario)


def test_a_map_whose_plan_cannot_be_read_any_more_says_so(tmp_path: Path) -> None:
    """Found by a disk with input/output errors, on the way back from a nearer map."""
    sweep = filled(tmp_path / "s", plan("optimizer.lr=1e-4..1@9log", "network.activation=relu,elu"))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("plus")
        (sweep.folder / "plan.json").unlink()
        await pilot.press("minus")
        assert host.atlas.sweep is sweep
        assert "holds no sweep" in " ".join(host.text.split())

    drive(sweep, scenario)


def test_cells_that_cannot_be_nearer_are_not_zoomed() -> None:
    with pytest.raises(ConfigError, match="nothing lies between these cells"):
        zoomed(plan("network.init=zeros,ones", "network.activation=relu,elu"), (0, 0))


def test_export_writes_csv_and_npz_beside_the_results(tmp_path: Path) -> None:
    made = plan("optimizer.lr=0.1,0.2", "network.width=3,5,7", seeds=2)
    sweep = filled(tmp_path / "s", made)

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("x")
        assert "cells.csv, atlas.npz and atlas.svg are in" in host.text.replace("\n", " ")

    host = drive(sweep, scenario)
    with np.load(sweep.folder / "atlas.npz") as found:
        assert found["loss"].shape == (2, 3)
        np.testing.assert_array_equal(found["x"], [0.1, 0.2])
        np.testing.assert_array_equal(found["loss"], arrays(made, host.atlas.outcomes)["loss"])
        assert found["gradient"][1, 2] == 100
    assert "network.width" in (sweep.folder / "atlas.svg").read_text()
    with (sweep.folder / "cells.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 12


def test_the_verdict_is_told_in_words_with_the_share_of_seeds(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=0.1,0.2", "network.width=3,5", seeds=3))

    async def scenario(host: Host, pilot: Any) -> None:
        assert "(1 of 3 seeds): cell 9" in host.text

    drive(sweep, scenario)


def test_with_seeds_a_cell_shows_the_share_that_fails_and_opens_what_happened_to_most(
    tmp_path: Path,
) -> None:
    made = plan("optimizer.lr=0.1,0.2", "network.width=3,5", seeds=4)
    sweep = Sweep.create(tmp_path / "s", made)
    for task, cells in enumerate(made.tasks):
        outcomes = {
            c.index: Outcome(loss=1.0, caveat="ravine" * (c.place[2] > 0), failed=c.place[2] > 0)
            for c in cells
        }
        sweep.keep(task, outcomes, {c.index: cell_id(made.config(c)) for c in cells})

    async def scenario(host: Host, pilot: Any) -> None:
        while host.atlas._view != "failed":
            await pilot.press("v")
        assert "share that fails: 0 is 0, 9 is 1" in host.text
        assert host.text.count("7") >= 4  # three in four of each cell
        assert "share that fails 0.75" in host.text
        await pilot.press("enter")

    host = drive(Sweep(sweep.folder), scenario)
    assert host.took == [
        BASE.changed({"optimizer.lr": 0.2, "network.widths": [5], "training.seed": 1})
    ]


def test_without_seeds_no_view_is_a_share_of_them(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=0.1,0.2", "network.width=3,5"))
    seen: list[str] = []

    async def scenario(host: Host, pilot: Any) -> None:
        for _ in range(6):
            seen.append(host.atlas._view)
            await pilot.press("v")
        assert host.atlas._view == seen[0]

    drive(sweep, scenario)
    assert seen == ["verdict", "loss", "accuracy", "dead", "gradient", "learned"]


def test_e_opens_an_atlas_of_the_gallery_with_its_view_and_minus_goes_back(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=0.1,0.2", "network.width=3,5"))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("e")
        await pilot.pause()
        assert "He against Xavier" in host.text
        assert "a wedge around" in " ".join(host.text.split())
        await pilot.press("enter")
        await pilot.pause()
        assert atlas_of(host.atlas.sweep.plan) is atlases()["order_and_chaos"]
        assert host.atlas._view == "accuracy"
        assert "only a wedge around" in " ".join(host.text.split())
        await pilot.press("minus")
        assert host.atlas.sweep is sweep

    drive(sweep, scenario)


def test_the_gallery_stands_beside_the_axes(tmp_path: Path) -> None:
    took: list[Plan | None] = []

    async def body() -> None:
        app: App[None] = App()
        async with app.run_test() as pilot:
            await app.push_screen(AskAxes(BASE), took.append)
            await pilot.press("ctrl+g")
            await pilot.pause()
            await pilot.press("down", "enter")
            await pilot.pause()
            await pilot.pause()

    asyncio.run(body())
    assert took == [atlases()["he_against_xavier"].plan]


def test_ascii_needs_no_other_character(tmp_path: Path) -> None:
    base = BASE.changed({"network.widths": [32], "network.activation": "tanh",
                         "network.init": {"name": "normal", "std": 0.1}})  # fmt: skip
    sweep = filled(tmp_path / "s", plan("network.init.std=0.05..0.5@8", "network.depth=1..9", base))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("v")
        assert host.text.isascii()
        assert "x: chi = 1" in host.text

    drive(sweep, scenario, plain=True)


def test_the_border_of_chaos_is_where_theory_has_it() -> None:
    base = RunConfig.from_dict(
        {
            "network": {
                "widths": [100], "activation": "tanh", "init": {"name": "normal", "std": 0.1},
            }
        }
    )  # fmt: skip
    edge = edge_of_chaos(Response.of("tanh"))
    assert edge is not None
    made = plan("network.init.std=0.05..0.2@31", "network.depth=2,4", base)
    found = borders(made)
    values = made.axes[0].values
    crossed = [(values[x], values[x + 1]) for (x, y), kind in found.items() if kind == "chi"]
    assert len(crossed) == 2
    for below, above in crossed:
        assert 100 * below**2 <= edge[0] * (1 + 1e-6) <= 100 * above**2 * (1 + 1e-6)
    # Deeper than 6ξ on one side of a "depth" mark, not on the other.
    deep = plan("network.init.std=0.05..0.09@5", "network.depth=1..40", base)
    reached = {
        cell.place[:2]: cell.place[1] + 1 > 6 * found.depth_of_correlation
        for cell in deep.cells
        if (found := limit_of(deep.config(cell))) is not None
    }
    marked = borders(deep)
    assert marked
    for (x, y), kind in marked.items():
        there = [reached[p] for p in ((x + 1, y), (x, y + 1)) if p in reached]
        assert kind == "depth"
        assert any(other != reached[x, y] for other in there)


def test_no_border_where_theory_does_not_apply() -> None:
    assert borders(plan("optimizer.lr=0.1,0.2", "network.width=3,5")) == {}


def test_every_caveat_has_a_letter_of_its_own_and_levels_are_ordered() -> None:
    from caveats.verdicts.catalogue import CAVEATS, ONLY_WATCHED

    assert set(LETTERS) == set(CAVEATS) - ONLY_WATCHED
    assert len({letter for letter, _ in LETTERS.values()}) == len(LETTERS)
    scale = Scale([1e-3, 1.0, float("nan")], log=True)
    assert [scale.level(v) for v in (1e-3, 1e-2, 0.99, 5.0)] == [0, 3, 9, 9]
    assert scale.level(float("nan")) is None


@pytest.mark.parametrize(("at", "count", "room"), [(0, 9, 4), (8, 9, 4), (4, 9, 4), (1, 3, 9)])
def test_the_cursor_is_always_in_the_part_that_is_shown(at: int, count: int, room: int) -> None:
    shown = window(at, count, room)
    assert at in shown
    assert len(shown) == min(count, room)
    assert 0 <= shown.start <= shown.stop <= count


def test_a_map_larger_than_the_screen_fits_into_it() -> None:
    found = rows({}, "loss", (500, 300), (78, 15), (499, 0), {}, plain=False)
    assert len(found) == 15
    assert {len(row) for row in found} == {78}


def test_axes_are_asked_for_and_refused_in_place() -> None:
    took: list[Plan | None] = []

    async def body() -> None:
        app: App[None] = App()
        async with app.run_test() as pilot:
            await app.push_screen(AskAxes(BASE), took.append)
            await pilot.press("enter")
            await pilot.press(*["backspace"] * 40, *"network.depth=3..1", "enter")
            assert app.screen.query_one("#wrong").render()
            await pilot.press(*["backspace"] * 4, *"1..3", "enter")
            await pilot.pause()

    asyncio.run(body())
    assert took[0] is not None
    assert [axis.key for axis in took[0].axes] == ["optimizer.lr", "network.depth"]
    assert [parse_axis(text, BASE).key for text in suggested(BASE)]


def test_a_cell_has_the_curve_of_its_run_alone(tmp_path: Path) -> None:
    sweep = Sweep.create(tmp_path / "s", plan("optimizer.lr=0.1,0.2", "network.width=3,5"))
    for task in sweep.missing():
        assert work(str(sweep.folder), task) == "done"
    for index, outcome, _ in sweep.results():
        stack = Stack([sweep.plan.config(sweep.plan.cells[index])])
        while not stack.finished:
            stack.advance()
        loss = stack.histories[0].snapshot().scalar("loss")[-1]
        assert outcome.loss == pytest.approx(loss, rel=1e-5)


def test_help_pictures_and_leaving_have_the_keys_of_the_lab() -> None:
    mine = {one: key.action for key in KEYS for one in key.keys.split(",")}
    labs = {one: key.action for key in LAB_KEYS for one in key.keys.split(",")}
    for action in ("help", "leave", "view"):
        assert all(mine[one] == action for one, does in labs.items() if does == action
                   and one != "ctrl+q")  # fmt: skip
    for one in ("ctrl+s", "ctrl+r"):
        assert mine[one] == f"app.{labs[one]}"
    for arrow, letter in zip(("left", "down", "up", "right"), "hjkl", strict=True):
        assert mine[arrow] == mine[letter]


def test_help_is_about_the_atlas_and_no_key_is_silent(tmp_path: Path) -> None:
    sweep = filled(tmp_path / "s", plan("optimizer.lr=1e-3..1@9log", "network.depth=1..6"))

    async def scenario(host: Host, pilot: Any) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        assert "here, in an atlas" in host.text
        assert "Map the part around the cell" in host.text
        await pilot.press("escape", "minus")
        await pilot.pause()
        assert "this is the whole map" in host.text
        await pilot.press("escape", "escape")  # twice in quick succession
        await pilot.pause()
        assert host.took == [None]

    drive(sweep, scenario)


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (80, " what went wrong   → optimizer.lr 1e-4…1  ↑ network.width 2…64   12 of 64"),
        (70, " what went wrong   → lr 1e-4…1  ↑ width 2…64   12 of 64"),
        (52, " what went wrong   → lr  ↑ width   12 of 64"),
        (30, " what went wrong   12 of 64"),
    ],
)
def test_how_far_a_map_is_stands_whole_on_a_narrow_terminal(width: int, said: str) -> None:
    axes = ("→", "optimizer.lr", "1e-4…1"), ("↑", "network.width", "2…64")
    assert heading("what went wrong", axes, "12 of 64", width) == said
