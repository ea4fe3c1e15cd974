"""The words of the command line as pure text: the table, the progress line, ASCII."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.config import RunConfig
from caveats.results import LAYER_KEYS
from caveats_tui.commands.progress import ProgressLine, line
from caveats_tui.commands.report import report
from caveats_tui.text.ascii import ascii_text, carried, is_unicode
from caveats_tui.text.times import clock

OTHERS = ("r2", "rmse", "validation_loss", "validation_accuracy")


def document(layers: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "config": RunConfig().to_dict(),
        "steps": 1000,
        "seconds": 2.0,
        "steps_per_second": 500.0,
        "target": "price: numbers, 424,000 ± 151,000",
        "final": {"loss": 0.25, "accuracy": 0.5, **dict.fromkeys(OTHERS), "layers": layers},
        "verdicts": [],
        "diverged": None,
        "nonfinite": [],
        **changes,
    }


def layer(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, **dict.fromkeys(LAYER_KEYS, 1), "delta_rms": 0.5, **values}


def text_of(found: dict[str, Any], **given: Any) -> str:
    return report(
        found, **{"baseline": 2.3026, "reachable": 0.1, "device": "cpu", "outputs": 10, **given}
    )


def row(text: str, name: str) -> list[str]:
    return next(x for x in text.splitlines() if x.startswith(name)).removeprefix(name).split()


def test_the_widest_network_there_is_fits_80_columns() -> None:
    wide = dict.fromkeys(("units", "dead", "born_dead", "dormant", "saturated"), 1_000_000)
    tiny = dict.fromkeys(("delta_rms", "grad_norm", "update_ratio"), 1.23456e-45)
    config = RunConfig().changed({"network.widths": [1_000_000 - i for i in range(1000)]})
    found = document([layer("layer 1000", **wide, **tiny)], config=config.to_dict())
    text = text_of(found, outputs=1_000_000)

    assert max(map(len, text.splitlines())) <= 80
    assert row(text, "layer 1000") == ["1000000"] * 5 + ["1.23e-45"] * 3


def test_columns_stand_under_their_headings() -> None:
    lines = text_of(document([layer("layer 1", units=64, dead=7), layer("output")])).splitlines()
    heading = next(x for x in lines if x.startswith("layer "))
    at = heading.index("dead") + len("dead")

    assert [x[:at].split()[-1] for x in lines if x.startswith(("layer 1", "output"))] == ["7", "1"]


def test_a_number_that_is_nan_differs_from_one_that_is_absent() -> None:
    layers = [layer("layer 1", delta_rms=None, dead=None), layer("output")]
    found = document(layers, nonfinite=["final.layers.0.delta_rms"])

    cells = row(text_of(found), "layer 1")
    assert (cells[1], cells[5]) == ("-", "inf/nan")


def test_a_regression_shows_no_accuracy() -> None:
    found = document([layer("output")])
    found["final"]["accuracy"] = None

    assert "accuracy" in text_of(document([layer("output")]))
    assert "accuracy" not in text_of(found)


def test_a_regression_shows_r2_and_the_error_in_the_unit_of_its_target() -> None:
    found = document([layer("output")])
    found["final"] |= {"accuracy": None, "r2": 0.9571, "rmse": 30834.2, "validation_loss": 0.0751}
    lines = text_of(found).splitlines()
    assert "R2         0.957  (error 30,800 in the unit of price)" in lines
    assert "held out   loss 0.0751" in lines


def test_the_rows_held_out_have_a_line() -> None:
    found = document([layer("output")])
    found["final"] |= {"validation_loss": 0.5, "validation_accuracy": 0.875}
    assert "held out   loss 0.5; accuracy 87.5 %" in text_of(found).splitlines()
    assert "held out" not in text_of(document([layer("output")]))


def test_a_file_name_cannot_move_the_cursor() -> None:
    found = document([layer("output")])
    found["config"]["data"] = {"file": "a\x1b[2J\n.csv"}

    assert all(x.isprintable() for x in text_of(found).splitlines())
    assert r"a\x1b[2J\n.csv" in text_of(found)


def test_a_verdict_is_told_with_its_first_remedy() -> None:
    verdict = {
        "caveat": "dying_relu",
        "severity": "critical",
        "step": 1200,
        "layers": ["layer 1"],
        "what": "layer 1: 64 of 64 units dead",
        "why": "a long sentence " * 20,
        "evidence": {},
        "next": [
            {"change": {"optimizer.lr": 0.003, "network.activation": "elu"}, "reason": "smaller"},
            {"change": {"network.bias": 1.0}, "reason": "second"},
        ],
    }
    text = text_of(document([layer("output")], verdicts=[verdict]))

    assert "critical: dying_relu, since step 1,200" in text
    assert "next  optimizer.lr = 0.003, network.activation = elu: smaller" in text
    assert "second" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (3723, "1:02:03"), (1e300, "> 99 h")],
)
def test_time_left_reads_like_a_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@given(
    steps=st.integers(1, 10**9),
    share=st.floats(0, 1),
    speed=st.floats(0, 1e7),
    loss=st.floats(),
    unicode=st.booleans(),
)
def test_the_bar_is_as_full_as_the_run(
    steps: int, share: float, speed: float, loss: float, unicode: bool
) -> None:
    step = int(share * steps)
    said = line(step, steps, speed, loss, unicode=unicode)
    bar = said.split(" ")[0]

    assert len(bar) == 20
    assert abs(bar.count("█" if unicode else "#") / 20 - step / steps) < 1 / 20
    assert f"{step:,}/{steps:,}" in said
    assert unicode or said.isascii()


class Screen(io.StringIO):
    encoding = "ascii"

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


def test_progress_is_silent_if_stderr_is_no_terminal() -> None:
    stream = Screen(tty=False)
    progress = ProgressLine(stream)
    progress.say("loading torch")
    progress.update(1, 10, 0.0, 0.5)
    progress.clear()

    assert not progress.due()
    assert stream.getvalue() == ""


def test_a_shorter_line_leaves_nothing_of_a_longer_one() -> None:
    stream = Screen(tty=True)
    progress = ProgressLine(stream)
    screen = [" "] * 80
    for text in ("a long line", "short", ""):
        progress.say(text)
        column = 0
        for char in stream.getvalue():
            if char == "\r":
                column = 0
            else:
                screen[column], column = char, column + 1
        assert "".join(screen).rstrip() == text
    progress.say("x" * 500)
    assert len(stream.getvalue().split("\r")[-1]) == 79


def test_two_updates_are_a_fifth_of_a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("caveats_tui.commands.progress.time.monotonic", lambda: now[0])
    progress = ProgressLine(Screen(tty=True))
    drawn = 0
    for _ in range(10_000):  # 10 s in steps of 1 ms
        now[0] += 0.001
        if progress.due():
            progress.update(1, 10, 0.0, 0.5)
            drawn += 1

    assert 45 <= drawn <= 50


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("δ ≤ ½·λ²", "delta <= 1/2*lambda^2"),
        ("Wᵀδˡ⁺¹, 10⁻³, x₁₂", "W^Tdelta^l+1, 10^-3, x_12"),
        ("‖dW‖ ≠ é", "||dW|| != e"),
        ("日", "\\u65e5"),
    ],
)
def test_formulas_are_spelt_out_in_ascii(text: str, said: str) -> None:
    assert ascii_text(text) == said


@given(st.text())
def test_any_text_becomes_ascii_and_ascii_stays_as_it_is(text: str) -> None:
    said = ascii_text(text)

    assert said.isascii()
    assert ascii_text(said) == said


@pytest.mark.parametrize(
    ("encoding", "unicode"),
    [("utf-8", True), ("UTF8", True), ("utf-16", True), ("ascii", False), ("latin-1", False)],
)
def test_only_unicode_streams_get_more_than_ascii(encoding: str, unicode: bool) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    tree = {"why": ["λ", 1.0, None]}

    assert is_unicode(stream) == unicode
    assert carried(tree, stream) == {"why": ["λ" if unicode else "lambda", 1.0, None]}
