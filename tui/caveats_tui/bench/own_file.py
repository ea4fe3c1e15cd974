"""Says how the target of the user's own file was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caveats.data.section import DataConfig
    from caveats.run import Run

__all__ = ["OwnFile"]


class OwnFile:
    """Remembers the data that were told of last."""

    def __init__(self) -> None:
        self._told: DataConfig | None = None

    def told(self, run: Run | None) -> str:
        """A sentence, once for each file that a run reads; else ""."""
        if run is None or run.config.data == self._told:
            return ""
        self._told, data = run.config.data, run.dataset
        if self._told.file is None:
            return ""
        return f"{data.target_told}; {data.rows:,} rows of {data.features:,} features"
