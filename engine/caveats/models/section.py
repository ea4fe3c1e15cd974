"""The checked values of [network]: which network is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from caveats.choice import Options, as_toml

__all__ = ["InitConfig", "NetworkConfig"]


@dataclass(frozen=True, slots=True)
class InitConfig:
    """network.init: an initialiser and its settings."""

    name: str = "he_normal"
    options: Options = field(default_factory=dict)

    def settings(self) -> str | dict[str, Any]:
        return {"name": self.name, **as_toml(self.options)} if self.options else self.name


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """[network]: hidden layers of ``widths`` units, each with an entry of ``activations``.

    ``inits`` is empty if all layers share ``init``; else it has an entry for each layer, the output
    layer last, and ``init`` is the first of them.
    """

    widths: tuple[int, ...] = (64, 64, 64)
    activations: tuple[str, ...] = ("relu", "relu", "relu")
    init: InitConfig = field(default_factory=InitConfig)
    bias: float = 0.0
    normalization: str = "none"
    residual: bool = False
    dropout: float = 0.0
    output_activation: str = "none"
    inits: tuple[InitConfig, ...] = ()

    @property
    def layer_inits(self) -> tuple[InitConfig, ...]:
        """The initialiser of each layer, the output layer last."""
        return self.inits or (self.init,) * (len(self.widths) + 1)

    @property
    def activation(self) -> str | list[str]:
        """The setting as it is written: one name if all layers share it, else a list. Without
        hidden layers it is the default, which layers added later then use."""
        if len(set(self.activations)) == 1:
            return self.activations[0]
        return list(self.activations) or "relu"

    def settings(self) -> dict[str, Any]:
        return {
            "widths": list(self.widths),
            "activation": self.activation,
            "init": [init.settings() for init in self.inits] or self.init.settings(),
            "bias": self.bias,
            "normalization": self.normalization,
            "residual": self.residual,
            "dropout": self.dropout,
            **(
                {}
                if self.output_activation == "none"
                else {"output_activation": self.output_activation}
            ),
        }
