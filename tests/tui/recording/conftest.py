"""The terminal harness for the replays in this folder."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def harness() -> Any:
    if "terminal_harness" not in sys.modules:
        path = Path(__file__).parents[2] / "terminal" / "harness.py"
        spec = importlib.util.spec_from_file_location("terminal_harness", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["terminal_harness"] = module
        spec.loader.exec_module(module)
    return sys.modules["terminal_harness"]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``terminal(argv, columns, rows)`` starts a program on a real pty."""
    with contextlib.ExitStack() as stack:

        def start(argv: list[str], columns: int, rows: int) -> Any:
            # One thread: where all cores are taken, two that wait for each other take seconds.
            home = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
            return stack.enter_context(harness().Terminal(argv, columns, rows, home))

        yield start
