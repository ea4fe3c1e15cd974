"""The checked values of [data]: what a run learns from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caveats.choice import Options, as_toml
from caveats.data.catalogue import DATASETS

__all__ = ["DataConfig"]


@dataclass(frozen=True, slots=True)
class DataConfig:
    """[data]: a generated or shipped set by ``name``, or the user's own ``file``. ``options`` are
    those of the named set or, of a file's, those that are not at their default."""

    name: str | None = "digits"
    file: str | None = None
    target: str | None = None
    standardize: bool = True
    standardize_target: bool = False
    validation: float = 0.0
    options: Options = field(default_factory=lambda: DATASETS["digits"].defaults())

    def settings(self) -> dict[str, Any]:
        """The section as plain TOML values, which `caveats.data.load` accepts."""
        if self.file is not None:
            chosen: dict[str, Any] = {"file": self.file}
            if self.target is not None:
                chosen["target"] = self.target
        else:
            chosen = {"name": self.name}
        chosen["standardize"] = self.standardize
        if self.standardize_target:
            chosen["standardize_target"] = True
        if self.validation:
            chosen["validation"] = self.validation
        written = {key: value for key, value in self.options.items() if not self._quiet(key, value)}
        return {**chosen, **as_toml(written)}

    def _quiet(self, key: str, value: object) -> bool:
        options = DATASETS[self.name].options if self.name and self.file is None else ()
        return any(o.quiet and o.name == key and o.default == value for o in options)
