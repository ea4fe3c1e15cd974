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
    """[training]: what is minimised, for how long, and where. With ``epochs``, ``steps`` has no
    meaning until the data are known (`caveats.config.RunConfig.fitted`)."""

    loss: str = "auto"
    class_weight: str = "none"
    batch_size: int = 64
    steps: int = 1000
    epochs: int = 0  # if not 0, they say how many steps there are
    seed: int = 0
    device: str = "auto"

    def settings(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            **({} if self.class_weight == "none" else {"class_weight": self.class_weight}),
            "batch_size": self.batch_size,
            **({"epochs": self.epochs} if self.epochs else {"steps": self.steps}),
            "seed": self.seed,
            "device": self.device,
        }
