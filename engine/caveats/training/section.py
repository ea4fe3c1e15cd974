"""The checked values of [optimizer] and [training]: how a run is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caveats.choice import Options, as_toml
from caveats.training.optimizers import OPTIMIZERS

__all__ = ["OptimizerConfig", "TrainingConfig"]


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """[optimizer]: its name, the settings of all optimizers, and its own ``options``."""

    name: str = "sgd"
    lr: float = 0.1
    clip_norm: float = 0.0
    schedule: str = "constant"
    options: Options = field(default_factory=lambda: OPTIMIZERS["sgd"].defaults())

    def settings(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lr": self.lr,
            **as_toml(self.options),
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
