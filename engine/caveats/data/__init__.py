"""The data that a run learns from: generated from a seed, shipped, or read from the user's file.

It does not use torch. Names are imported when they are first used, so that reading a config does
not load numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caveats.data.dataset import Dataset
    from caveats.data.loading import load

__all__ = ["Dataset", "load"]

_HOMES = {"Dataset": "dataset", "load": "loading"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"caveats.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'caveats.data' has no attribute {name!r}")
