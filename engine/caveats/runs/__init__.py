"""Kept runs: writes a run's folder while it trains, and follows, resumes, lists and exports such
folders. The format is in docs/run-folder.md.

Names are imported when they are first used, so that listing runs loads neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caveats.runs.keeper import Keeper
    from caveats.runs.manifest import Manifest, Standing
    from caveats.runs.reader import Follower, Reader
    from caveats.runs.resuming import restore, resume
    from caveats.runs.shelf import (
        Entry,
        default_place,
        delete,
        find,
        label,
        list_runs,
        new_folder,
        prune,
        undelete,
    )
    from caveats.runs.writer import Writer

__all__ = [
    "Entry",
    "Follower",
    "Keeper",
    "Manifest",
    "Reader",
    "Standing",
    "Writer",
    "default_place",
    "delete",
    "find",
    "label",
    "list_runs",
    "new_folder",
    "prune",
    "restore",
    "resume",
    "undelete",
]

_MODULES = {
    "Entry": "shelf", "Follower": "reader", "Keeper": "keeper", "Manifest": "manifest",
    "Reader": "reader", "Standing": "manifest", "Writer": "writer", "default_place": "shelf",
    "delete": "shelf", "find": "shelf", "label": "shelf", "list_runs": "shelf",
    "new_folder": "shelf", "prune": "shelf", "restore": "resuming", "resume": "resuming",
    "undelete": "shelf",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
