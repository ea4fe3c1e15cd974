"""The four sections of a configuration as they are kept: checked values, and how they are written.

It checks nothing (`caveats.reading` does) and knows neither files nor dotted keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caveats.choices.base import Value
from caveats.choices.datasets import DATASETS
from caveats.choices.optimizers import OPTIMIZERS

__all__ = ["DataConfig", "InitConfig", "NetworkConfig", "OptimizerConfig", "TrainingConfig"]

Options = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class DataConfig:
    """[data]: a generated or shipped set by ``name``, or the user's own ``file``."""

    name: str | None = "digits"
    file: str | None = None
    target: str | None = None
    standardize: bool = True
    options: Options = field(default_factory=lambda: DATASETS["digits"].defaults())

    def settings(self) -> dict[str, Any]:
        """The section as plain TOML values, the form that `caveats.datasets.load` takes."""
        if self.file is not None:
            chosen: dict[str, Any] = {"file": self.file}
            if self.target is not None:
                chosen["target"] = self.target
        else:
            chosen = {"name": self.name}
        return {**chosen, "standardize": self.standardize, **plain(self.options)}


@dataclass(frozen=True, slots=True)
class InitConfig:
    """network.init: an initialiser and its settings."""

    name: str = "he_normal"
    options: Options = field(default_factory=dict)

    def settings(self) -> str | dict[str, Any]:
        return {"name": self.name, **plain(self.options)} if self.options else self.name


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """[network]: hidden layers of ``widths`` units, each with its entry of ``activations``."""

    widths: tuple[int, ...] = (64, 64, 64)
    activations: tuple[str, ...] = ("relu", "relu", "relu")
    init: InitConfig = field(default_factory=InitConfig)
    bias: float = 0.0
    normalization: str = "none"
    residual: bool = False
    dropout: float = 0.0

    @property
    def activation(self) -> str | list[str]:
        """As it is written: one name where all layers share it, else a list. Without hidden
        layers it is the default, which layers that are added later then take."""
        if len(set(self.activations)) == 1:
            return self.activations[0]
        return list(self.activations) or "relu"

    def settings(self) -> dict[str, Any]:
        return {
            "widths": list(self.widths),
            "activation": self.activation,
            "init": self.init.settings(),
            "bias": self.bias,
            "normalization": self.normalization,
            "residual": self.residual,
            "dropout": self.dropout,
        }


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """[optimizer]: its name, what all optimizers have, and its own ``options``."""

    name: str = "sgd"
    lr: float = 0.1
    clip_norm: float = 0.0
    schedule: str = "constant"
    options: Options = field(default_factory=lambda: OPTIMIZERS["sgd"].defaults())

    def settings(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lr": self.lr,
            **plain(self.options),
            "clip_norm": self.clip_norm,
            "schedule": self.schedule,
        }


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """[training]: what is minimised, for how long, and where."""

    loss: str = "auto"
    batch_size: int = 64
    steps: int = 1000
    seed: int = 0
    device: str = "auto"

    def settings(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "seed": self.seed,
            "device": self.device,
        }


def plain(options: Options) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}
