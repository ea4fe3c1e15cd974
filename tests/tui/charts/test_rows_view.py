"""Claims about the widget, in a real Textual app: what it shows and which rows it paints again."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.strip import Strip

from caveats_tui.charts.spec import Row, Rows
from caveats_tui.charts.widget import RowsView, changed_span


class Watched(RowsView):
    """Remembers which rows were asked for."""

    def __init__(self) -> None:
        super().__init__("nothing yet", id="view")
        self.asked: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.asked.append(y)
        return super().render_line(y)


class Shown(App[None]):
    CSS = """
    #view { width: 20; height: 7; border: round white; }  /* 18 x 5 inside */
    .alarm { background: red; }
    """

    def compose(self) -> ComposeResult:
        yield Watched()


def plain(*lines: str) -> Rows:
    return tuple(((line, 99, None, False),) for line in lines)


def content(view: RowsView) -> list[str]:
    return [view.render_line(y).text for y in range(view.size.height)]


def screen(app: App[None]) -> list[str]:
    """The text of the widget's rows as composed on the screen, borders left out."""
    lines = app.screen._compositor.render_strips()
    return ["".join(s.text for s in line)[1:19] for line in lines[1:6]]


def in_app(claims) -> None:
    async def main() -> None:
        app = Shown()
        async with app.run_test(size=(40, 10)) as pilot:
            await pilot.pause()
            await claims(app, pilot, app.query_one(Watched))

    asyncio.run(main())


def test_a_message_stands_in_the_middle_until_there_are_rows():
    async def claims(app, pilot, view):
        assert [line.strip() for line in content(view)] == ["", "", "nothing yet", "", ""]
        view.show(plain("a", "b", "c", "d", "e"))
        await pilot.pause()
        assert [line.strip() for line in screen(app)] == ["a", "b", "c", "d", "e"]
        view.wait("paused")
        await pilot.pause()
        assert [line.strip() for line in screen(app)] == ["", "", "paused", "", ""]

    in_app(claims)


def test_only_rows_that_changed_are_painted_again():
    async def claims(app, pilot, view):
        view.show(plain("a", "b", "c", "d", "e"))
        await pilot.pause()
        view.asked.clear()
        assert view.show(plain("a", "B", "c", "D", "e")) == 2
        await pilot.pause()
        assert set(view.asked) == {1, 3}
        assert [line.strip() for line in screen(app)] == ["a", "B", "c", "D", "e"]

    in_app(claims)


def test_an_unchanged_frame_paints_nothing():
    async def claims(app, pilot, view):
        view.show(plain("a", "b", "c", "d", "e"))
        await pilot.pause()
        view.asked.clear()
        assert view.show(plain("a", "b", "c", "d", "e")) == 0
        await pilot.pause()
        assert view.asked == []

    in_app(claims)


def test_rows_of_another_size_are_cut_or_filled():
    async def claims(app, pilot, view):
        view.show(plain("x" * 50))
        await pilot.pause()
        assert screen(app) == ["x" * 18] + [" " * 18] * 4
        view.show(plain(*"abcdefgh"))
        await pilot.pause()
        assert [line.strip() for line in screen(app)] == list("abcde")

    in_app(claims)


def test_colours_are_the_given_ones_and_otherwise_the_widgets_own():
    async def claims(app, pilot, view):
        view.show(((("ab", 99, 17, True), ("cd", None, None, False)),))
        first, second, *_ = view.render_line(0)
        assert (first.style.color.number, first.style.bgcolor.number) == (99, 17)
        assert first.style.bold
        assert second.style.color == view.rich_style.color
        assert second.style.bgcolor == view.rich_style.bgcolor

    in_app(claims)


def test_a_new_theme_reaches_cells_without_a_colour_of_their_own():
    async def claims(app, pilot, view):
        view.show(((("ab", None, None, False),),))
        await pilot.pause()
        before = next(iter(view.render_line(0))).style.bgcolor
        app.theme = "textual-light"
        await pilot.pause()
        after = next(iter(view.render_line(0))).style.bgcolor
        assert after == view.rich_style.bgcolor
        assert after != before

    in_app(claims)


def test_a_new_background_behind_the_widget_reaches_its_cells():
    async def claims(app, pilot, view):
        view.show(((("ab", None, None, False),),))
        await pilot.pause()
        app.screen.add_class("alarm")
        await pilot.pause()
        assert next(iter(view.render_line(0))).style.bgcolor.triplet == (255, 0, 0)

    in_app(claims)


def run(text: str, colour: int = 99) -> tuple[str, int, None, bool]:
    return text, colour, None, False


cells = st.lists(st.tuples(st.sampled_from("ab "), st.sampled_from([1, 2])), max_size=12)


def row_of(looks: list[tuple[str, int]]) -> Row:
    return tuple(
        run("".join(char for char, _ in group), colour)
        for colour, group in itertools.groupby(looks, key=lambda look: look[1])
    )


@given(before=cells, after=cells)
def test_outside_the_changed_span_two_rows_look_the_same(before, after):
    start, stop = changed_span(row_of(before), row_of(after))
    assert 0 <= start <= stop <= max(len(before), len(after))
    if len(before) == len(after):
        assert before[:start] == after[:start]
        assert before[stop:] == after[stop:]
    else:
        assert (start, stop) == (0, max(len(before), len(after)))


def test_a_curve_that_grows_by_a_cell_repaints_that_cell():
    before = (run("1 |", 245), run("----"), run("    ", 245))
    after = (run("1 |", 245), run("-----"), run("   ", 245))
    assert changed_span(before, after) == (7, 8)
