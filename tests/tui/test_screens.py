"""Every screen of the program may be left twice, or before its parts are there."""

from __future__ import annotations

import importlib
import pkgutil

from textual.screen import Screen

import caveats_tui.screens
from caveats_tui.screens.windows import Leavable


def test_every_screen_is_left_once_and_prepares_its_parts_only_where_they_are() -> None:
    found: dict[str, type[Screen[object]]] = {}
    root = caveats_tui.screens
    for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        for name, kind in vars(importlib.import_module(module.name)).items():
            if isinstance(kind, type) and issubclass(kind, Screen):
                found[name] = kind
    own = {n: kind for n, kind in found.items() if kind.__module__.startswith("caveats_tui.")}
    assert {"LabScreen", "WatchScreen", "AtlasScreen", "AskAxes", "Edit"} <= set(own)
    assert [name for name, kind in own.items() if not issubclass(kind, Leavable)] == []
    mounted = [n for n, kind in own.items() if "on_mount" in vars(kind) and kind is not Leavable]
    assert mounted == []
