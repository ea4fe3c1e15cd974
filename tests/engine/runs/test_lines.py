"""A line of a log holds exactly what was recorded, and marks a text that it has cut."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveats.history import Event, History
from caveats.measures import LAYER_MEASURES, SCALARS, UNIT_STATES
from caveats.runs.lines import Record, event_line, parse, record_line

numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(
    step=st.integers(0, 2**53),
    scalars=st.lists(numbers, min_size=len(SCALARS), max_size=len(SCALARS)),
    cells=st.lists(numbers, min_size=len(LAYER_MEASURES) * 2, max_size=len(LAYER_MEASURES) * 2),
    states=st.lists(st.integers(0, len(UNIT_STATES) - 1), min_size=3, max_size=3),
)
def test_a_line_holds_every_float32_exactly_and_is_strict_json(step, scalars, cells, states):
    history = History(("layer 1", "output"))
    layers = np.reshape(cells, (len(LAYER_MEASURES), 2))
    given_states = (np.array(states[:2], np.uint8), np.array(states[2:], np.uint8))
    history.append(
        step, dict(zip(SCALARS, scalars, strict=True)),
        dict(zip(LAYER_MEASURES, layers, strict=True)), given_states,
    )  # fmt: skip
    line = record_line(history.snapshot(), 0)
    json.loads(line, parse_constant=pytest.fail)
    record = parse(line.encode(), (2, 1))
    assert isinstance(record, Record)
    assert record.step == step
    for name, value in zip(SCALARS, scalars, strict=True):
        np.testing.assert_array_equal(np.float32(record.scalars.get(name, math.nan)), value)
    for name, column in zip(LAYER_MEASURES, layers, strict=True):
        np.testing.assert_array_equal(np.float32(record.layers.get(name, [math.nan] * 2)), column)
    assert record.states is not None
    assert [s.tolist() for s in record.states] == [states[:2], states[2:]]


def test_an_event_comes_back():
    event = Event(3, "change", "optimizer.lr → 0.1", {"optimizer.lr": 0.1, "a": [1, 2], "b": None})
    assert parse(event_line(event).encode(), (1,)) == event


@pytest.mark.parametrize(
    "text", ["x" * 501, "x" * 10_000, "\x1b" * 499], ids=["by one", "by many", "by escapes"]
)
def test_a_text_that_is_cut_says_so(text):
    read = parse(event_line(Event(0, "change", text)).encode(), (1,))
    assert len(read.text) == 501
    assert read.text.endswith("…")
    assert parse(event_line(read).encode(), (1,)) == read


def test_a_text_of_500_characters_is_whole():
    event = Event(0, "change", "x" * 500)
    assert parse(event_line(event).encode(), (1,)) == event
