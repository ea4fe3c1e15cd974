"""Claims about the widget, in a real Textual app: what it shows and which rows it paints again."""

from __future__ import annotations

import asyncio

from textual.app import App, ComposeResult
from textual.strip import Strip

from caveats_tui.charts.spec import Rows
from caveats_tui.charts.widget import RowsView


class Watched(RowsView):
    """Remembers which rows were asked for."""

    def __init__(self) -> None:
        super().__init__("nothing yet", id="view")
        self.asked: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.asked.append(y)
        return super().render_line(y)


class Shown(App[None]):
    CSS = "#view { width: 20; height: 7; border: round white; }"  # 18 x 5 inside

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
