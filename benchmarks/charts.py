"""What four moving charts cost the app when drawn naively and when drawn as the lab does.

``python -m benchmarks.charts [--frames N]``. A real Textual app of 120×40 with a driver that counts
bytes; 4 charts of 4 series × 1,000 points; CPU seconds are those of the app's process, all threads.

- naive: plotext in the app, ``rich.text.Text.from_ansi``, one ``Static`` a chart
- whole: drawn in the child process, the whole widget repainted
- rows:  drawn in the child process, only the changed cells of rows repainted (what the lab does)

Then what a heat map of twenty layers costs beside the curves that it replaces: CPU of the app,
which makes the map itself but of curves only what it sends to the child, and of both processes.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import plotext
from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.driver import Driver
from textual.widgets import Static

from caveats.history import History
from caveats.measures import LAYER_MEASURES
from caveats_tui.charts.draw import draw
from caveats_tui.charts.heat_maps import HEAT_MAPS, heat_map
from caveats_tui.charts.lab_charts import FIGURES
from caveats_tui.charts.palette import layer_colour
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.series import upper_step
from caveats_tui.charts.spec import Chart, Curve, Drawn, Look
from caveats_tui.charts.trace import Trace
from caveats_tui.charts.widget import RowsView

CHARTS, SERIES, POINTS = 4, 4, 1000
SIZE = (120, 40)
NO_UNITS = np.zeros(0, np.uint8)
SETTLED = 0.1  # seconds of quiet after a frame; sleeping costs no CPU


class Counter(Driver):
    """A terminal driver that only counts the bytes that it is sent."""

    sent = 0

    def write(self, data: str) -> None:
        Counter.sent += len(data.encode())

    def start_application_mode(self) -> None:
        """Nothing to start."""

    def disable_input(self) -> None:
        """Nothing to disable."""

    def stop_application_mode(self) -> None:
        """Nothing to stop."""


def series(frame: int) -> list[list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]]:
    """A run that is 20 steps longer in each frame, thinned to the same number of points."""
    x = np.linspace(0, 2000 + 20 * frame, POINTS)
    rng = np.random.default_rng(0)  # the same noise in each frame: a run's past does not change
    noise = rng.standard_normal((CHARTS, SERIES, 400))
    return [
        [
            (x, np.exp(-x / 900) + k + 0.1 * np.interp(x / 10, np.arange(400), noise[c, k]))
            for k in range(SERIES)
        ]
        for c in range(CHARTS)
    ]


class Bench(App[dict[str, tuple[float, float]]]):
    CSS = """
    Grid { grid-size: 2 2; }
    RowsView, Static { border: round white; height: 1fr; }
    """

    def __init__(self, kind: str, frames: int) -> None:
        super().__init__(driver_class=Counter)
        self._kind = kind
        self._frames = frames
        self._process = ChartProcess(self._hand_over, self._give_up)
        self._arrived = asyncio.Event()

    def _hand_over(self) -> None:
        self._home.call_soon_threadsafe(self._arrived.set)

    def _give_up(self, key: str, sentence: str) -> None:
        """A chart that failed never comes: do not wait for it."""
        self._home.call_soon_threadsafe(lambda: self.exit(message=f"chart {key}: {sentence}"))

    def compose(self) -> ComposeResult:
        view: Callable[[], Static | RowsView] = Static if self._kind == "naive" else RowsView
        with Grid():
            for _ in range(CHARTS):
                yield view()

    def on_mount(self) -> None:
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        self._home = asyncio.get_running_loop()
        self._process.start()
        await asyncio.sleep(0.5)
        cpu, sent = [], []
        for frame in range(self._frames + 2):
            data = series(frame)
            cpu_before, sent_before = time.process_time(), Counter.sent
            await (self._naive(data) if self._kind == "naive" else self._child(data))
            await asyncio.sleep(SETTLED)
            cpu.append(time.process_time() - cpu_before)
            sent.append(Counter.sent - sent_before)
        self._process.stop()
        self.exit({self._kind: (median(cpu[2:]), median(sent[2:]))})

    async def _naive(self, data: list[list[tuple[Any, Any]]]) -> None:
        for view, curves in zip(self.query(Static), data, strict=True):
            figure = plotext.figure
            figure.clear()
            figure.plot_size(*view.content_size)
            figure.canvas("default")
            for k, (x, y) in enumerate(curves):
                marker = plotext.marker("braille", pixel=layer_colour(k, SERIES))
                figure.draw(figure.signal(x.tolist(), y.tolist(), marker=marker).lines(True))
            view.update(Text.from_ansi(figure.build().string()))

    async def _child(self, data: list[list[tuple[Any, Any]]]) -> None:
        views = list(self.query(RowsView))
        for number, (view, curves) in enumerate(zip(views, data, strict=True)):
            drawn = tuple(Curve(x, y, layer_colour(k, SERIES)) for k, (x, y) in enumerate(curves))
            limits = (0.0, upper_step(float(curves[0][0][-1])))
            chart = Chart(drawn, *view.size, limits, (0.0, 5.0), x_label="step")
            self._process.submit(str(number), chart)
        missing = CHARTS
        while missing:
            await self._arrived.wait()
            self._arrived.clear()
            for one in self._process.poll():
                self._show(views, one)
                missing -= 1

    def _show(self, views: list[RowsView], one: Drawn) -> None:
        view = views[int(one.key)]
        if self._kind == "whole":
            view.show(())
        view.show(one.rows)


def deep_trace(layers: int = 20, records: int = 300) -> Trace:
    """Records of a deep network, every number drawn at random."""
    rng = np.random.default_rng(0)
    names = (*(f"layer {i + 1}" for i in range(layers)), "output")
    history = History(names)
    for record in range(records):
        values = {name: rng.uniform(1e-6, 1.0, layers + 1) for name in LAYER_MEASURES}
        values["units"] = np.full(layers + 1, 64.0)
        values["dead"] = rng.integers(0, 65, layers + 1).astype(float)
        history.append(10 * record, {"loss": 1.0}, values, tuple(NO_UNITS for _ in names))
    return Trace(history.snapshot(), names, 10 * records, history=history)


def seconds(act: Callable[[], object], times: int = 20) -> float:
    """The median CPU seconds of a call."""
    spent = []
    for _ in range(times):
        before = time.process_time()
        act()
        spent.append(time.process_time() - before)
    return median(spent)


def compare_maps() -> None:
    print(f"\n{'':14}{'map: app':>14}{'curves: app':>14}{'curves: both':>14}")
    for view, curves in (("dead_map", "dead"), ("gradient_map", "gradient")):
        parts = map_beside_curves(view, curves)
        print(f"{view:14}" + "".join(f"{1e3 * part:>11.1f} ms" for part in parts))


def map_beside_curves(view: str, curves: str) -> tuple[float, float, float]:
    """CPU seconds of a map in the app, of its curves in the app, and of these in both processes."""
    trace, look = deep_trace(), Look(43, 17, True, True)
    figure, kind = FIGURES[curves], HEAT_MAPS[view]

    def sent() -> bytes:
        return pickle.dumps(figure.make(trace, None, look, None), protocol=5)

    chart = pickle.loads(sent())
    app = seconds(sent)
    return seconds(lambda: heat_map(kind, trace, look)), app, app + seconds(lambda: draw(chart))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20)
    frames = parser.parse_args().frames
    measured: dict[str, tuple[float, float]] = {}
    plotext.terminal.limit(False, False)
    for kind in ("naive", "whole", "rows"):
        result = asyncio.run(Bench(kind, frames).run_async(size=SIZE))
        assert result is not None
        measured |= result
    cost, size = measured["rows"]
    print(f"{'':8}{'app CPU a frame':>18}{'ratio':>8}{'bytes a frame':>16}{'ratio':>8}")
    for kind, (seconds, sent) in measured.items():
        cpu = f"{seconds * 1e3:>15.1f} ms{seconds / cost:>8.1f}"
        print(f"{kind:8}{cpu}{sent:>16,.0f}{sent / size:>8.1f}")
    compare_maps()


if __name__ == "__main__":
    main()
