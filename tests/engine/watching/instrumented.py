"""The instruments of watching around a part of a test, taken out again whatever happens in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from caveats.watching.instruments import Instruments


@contextmanager
def instrumented(**options: Any) -> Iterator[Instruments]:
    instruments = Instruments(**options)
    instruments.install()
    try:
        yield instruments
    finally:
        instruments.remove()
