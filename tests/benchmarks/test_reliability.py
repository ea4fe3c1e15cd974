"""The campaign counts what it should: what a reader reads, refuses in a sentence, or breaks on."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.reliability_suite.keyboard import terminal_class
from benchmarks.reliability_suite.kinds import KINDS, Kind
from benchmarks.reliability_suite.mutations import mutated, try_files

from caveats.errors import ConfigError


def test_the_same_seed_changes_a_file_in_the_same_way() -> None:
    data = bytes(range(256)) * 4
    once, again, other = (mutated(data, random.Random(seed)) for seed in (1, 1, 2))
    assert once == again != other
    assert once != data


def test_every_outcome_is_counted_as_what_it_is() -> None:
    answers = iter(
        [None, None, ConfigError("one sentence"), ConfigError("\x1b[2J"), KeyError("x"), None]
    )

    def read(path: Path) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    outcome = try_files(Kind(lambda path: path.touch(), read, "file"), 5, 0)
    assert (outcome.tried, outcome.read, outcome.refused) == (5, 2, 1)
    assert outcome.faults.total() == 2
    assert {fault.partition(" in ")[0] for fault in outcome.faults} == {
        "KeyError", "a sentence that cannot be shown",
    }  # fmt: skip


def test_a_few_changed_configs_and_recordings_are_read_or_refused() -> None:
    for name in ("configs", "recordings"):
        assert not try_files(KINDS[name], 30, 7).faults


def test_a_key_echoed_into_a_sequence_is_no_fault_of_the_program() -> None:
    said = r"printf '\033[1;\342\206\2201mhere\033[31'; printf 'm too\n'; read x"
    with terminal_class()(["/bin/sh", "-c", said], 40, 5, {}) as terminal:
        terminal.wait_for("here too")
