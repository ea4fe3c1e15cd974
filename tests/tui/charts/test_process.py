"""Claims about the drawing process, on a real one: what comes back, and what happens after a
crash."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from caveats_tui.charts.draw import draw
from caveats_tui.charts.process import ChartProcess
from caveats_tui.charts.spec import Chart, Curve, Drawn

PATIENCE = 120.0  # as for the lab: a busy machine takes a minute for what takes a second


def chart(height: float = 1.0) -> Chart:
    x = np.arange(100.0)
    return Chart((Curve(x, x * height, 99),), 40, 8, (0.0, 100.0), (0.0, 100.0))


BROKEN = Chart((None,), 40, 8, (0.0, 1.0))  # type: ignore[arg-type]


@dataclass
class Desk:
    """A process with what it told."""

    ready: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    troubled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = ChartProcess(self.ready.release, self.trouble)

    def trouble(self, key: str, sentence: str) -> None:
        self.troubles.append((key, sentence))
        self.troubled.release()

    def drawn(self) -> dict[str, Drawn]:
        assert self.ready.acquire(timeout=PATIENCE)
        return {one.key: one for one in self.process.poll()}

    def pid(self) -> int:
        pid = self.process.pid
        assert pid is not None
        return pid


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.process.start()
    yield desk
    desk.process.stop()


def ended(pid_fd: int) -> bool:
    """Whether a process ends (its descriptor becomes readable when it does)."""
    poll = select.poll()
    poll.register(pid_fd, select.POLLIN)
    return bool(poll.poll(PATIENCE * 1000))


def test_rows_equal_those_drawn_in_this_process(desk):
    desk.process.submit("loss", chart())
    drawn = desk.drawn()["loss"]
    assert drawn.rows == draw(chart())
    assert 0 < drawn.seconds < PATIENCE


def test_of_several_waiting_charts_only_the_newest_is_drawn():
    desk = Desk()
    for height in (0.1, 0.2, 0.5):
        desk.process.submit("loss", chart(height))
    desk.process.start()
    assert desk.drawn()["loss"].rows == draw(chart(0.5))
    desk.process.submit("other", chart())
    assert set(desk.drawn()) == {"other"}
    desk.process.stop()


def test_a_batch_is_reported_once_when_it_is_complete():
    desk = Desk()
    for key in "abcd":
        desk.process.submit(key, chart())
    desk.process.start()
    assert set(desk.drawn()) == set("abcd")
    desk.process.stop()
    assert not desk.ready.acquire(blocking=False)


def test_a_batch_whose_last_chart_fails_is_still_reported():
    desk = Desk()
    desk.process.submit("good", chart())
    desk.process.submit("bad", BROKEN)
    desk.process.start()
    assert set(desk.drawn()) == {"good"}
    desk.process.stop()


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGABRT])
def test_after_a_crash_the_next_chart_arrives_and_the_crash_is_reported_once(desk, blow):
    desk.process.submit("loss", chart())
    desk.drawn()
    first = desk.pid()
    os.kill(first, blow)
    # the death is noticed by the chart that was asked for then: that one is lost
    desk.process.submit("loss", chart())
    assert desk.troubled.acquire(timeout=PATIENCE)
    desk.process.submit("loss", chart(0.5))
    assert desk.drawn()["loss"].rows == draw(chart(0.5))
    assert desk.pid() != first
    assert [key for key, _ in desk.troubles] == ["loss"]
    assert "died" in desk.troubles[0][1]


def test_a_chart_that_keeps_failing_is_reported_once_then_left_out(desk):
    for _ in range(6):
        desk.process.submit("bad", BROKEN)
        desk.process.submit("good", chart())
        assert set(desk.drawn()) == {"good"}
    assert [key for key, _ in desk.troubles] == ["bad"]
    # left out: what is asked for now under that key would draw, and is not drawn
    desk.process.submit("bad", chart())
    desk.process.submit("good", chart())
    assert set(desk.drawn()) == {"good"}


def test_a_success_resets_the_count_of_failures(desk):
    for _ in range(4):
        desk.process.submit("loss", BROKEN)
        assert desk.troubled.acquire(timeout=PATIENCE)
        desk.process.submit("loss", chart())
        desk.drawn()
    assert len(desk.troubles) == 4


def test_ctrl_c_does_not_end_it(desk):
    desk.process.submit("loss", chart())
    desk.drawn()
    pid = desk.pid()
    os.kill(pid, signal.SIGINT)
    desk.process.submit("loss", chart())
    desk.drawn()
    assert desk.pid() == pid
    assert desk.troubles == []


def test_stop_leaves_no_process_and_may_be_called_twice():
    desk = Desk()
    desk.process.start()
    pid = desk.pid()
    desk.process.submit("loss", chart())
    desk.process.stop()
    desk.process.stop()
    assert desk.process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not any(thread.name == "charts" for thread in threading.enumerate())


def test_stop_without_start_does_nothing():
    ChartProcess().stop()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open (Linux)")
def test_it_ends_when_the_app_is_killed():
    app = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from caveats_tui.charts.process import ChartProcess\n"
            "charts = ChartProcess()\n"
            "charts.start()\n"
            "print(charts.pid, flush=True)\n"
            "time.sleep(600)\n",
        ],
        stdout=subprocess.PIPE,
    )
    assert app.stdout is not None
    with app, app.stdout:
        child = os.pidfd_open(int(app.stdout.readline()))
        app.kill()
    assert ended(child)
    os.close(child)


def test_neither_side_loads_what_it_does_not_need():
    probe = (
        "import sys\n"
        "import caveats_tui.charts.{0}\n"
        "print([name for name in {1} if name in sys.modules])\n"
    )
    for module, unwanted in (
        ("child, caveats_tui.charts.draw", ["torch", "textual", "rich"]),
        ("process", ["torch", "textual", "plotext"]),
        ("widget", ["torch", "plotext"]),
    ):
        out = subprocess.run(
            [sys.executable, "-c", probe.format(module, unwanted)], capture_output=True, check=True
        )
        assert out.stdout == b"[]\n", module


def test_a_process_that_takes_nothing_any_more_is_replaced(desk, monkeypatch):
    monkeypatch.setattr("caveats_tui.charts.process._SLOW", 0.2)
    desk.process.submit("loss", chart())
    desk.drawn()
    os.kill(desk.pid(), signal.SIGSTOP)
    x = np.arange(20_000.0)  # more bytes than a pipe holds: writing them must not wait for ever
    desk.process.submit("loss", Chart((Curve(x, x, 99),), 40, 8, (0.0, 2e4), (0.0, 2e4)))
    assert desk.troubled.acquire(timeout=PATIENCE)
    assert "0.2 s" in desk.troubles[0][1]
    desk.process.submit("loss", chart(0.5))
    assert desk.drawn()["loss"].rows == draw(chart(0.5))


def test_a_process_that_still_starts_has_more_time_than_one_that_draws(monkeypatch):
    monkeypatch.setattr("caveats_tui.charts.process._SLOW", 1e-6)
    desk = Desk()
    desk.process.submit("loss", chart())
    desk.process.start()
    assert desk.drawn()["loss"].rows == draw(chart())
    assert desk.troubles == []
    desk.process.stop()
