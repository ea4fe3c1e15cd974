"""Fixtures for tests on a real terminal."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# importmode=importlib keeps test folders off sys.path: loaded by its path, once
_SPEC = importlib.util.spec_from_file_location(
    "terminal_harness", Path(__file__).with_name("harness.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
harness = importlib.util.module_from_spec(_SPEC)
sys.modules["terminal_harness"] = harness
_SPEC.loader.exec_module(harness)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``terminal(argv, columns, rows, env)`` starts a program on a `harness.Terminal`, which is
    closed after the test. Its home is empty, so that no file of the person is read or written."""
    with contextlib.ExitStack() as stack:

        def start(
            argv: list[str], columns: int = 80, rows: int = 24, env: dict[str, Any] | None = None
        ) -> Any:
            home = {"HOME": str(tmp_path)}
            return stack.enter_context(harness.Terminal(argv, columns, rows, home | (env or {})))

        yield start
