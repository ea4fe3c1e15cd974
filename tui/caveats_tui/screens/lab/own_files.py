"""A file of the user's own as the data: find it, say which column is the target, set both at once.
Escape goes back by one window."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from caveats_tui.screens.files import ColumnPicker, FilePicker, Found

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["choose", "written"]


def choose(lab: LabScreen, back: Callable[[], None], folder: Path | None = None) -> None:
    """Ask for a file, in ``folder`` first (None: that of the present file, else the present one);
    ``back`` is called where it is left."""
    data = lab.bench.config.data
    here = folder or (Path.cwd() if data.file is None else Path(data.file).absolute().parent)

    def found(file: Found | None) -> None:
        if file is None:
            back()
        elif not file.content:
            lab.do(lambda: lab.bench.apply({"data.file": written(file.path)}))
        else:
            lab.app.push_screen(ColumnPicker(file.content, data.target), lambda c: took(file, c))

    def took(file: Found, column: str | None) -> None:
        if column is None:
            choose(lab, back, file.path.parent)
        else:
            change = {"data.file": written(file.path), "data.target": column}
            lab.do(lambda: lab.bench.apply(change))

    lab.app.push_screen(FilePicker(here), found)


def written(path: Path) -> str:
    """A path as a person would write it: from the present folder, for a file in it."""
    whole = Path(os.path.abspath(path))
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)
