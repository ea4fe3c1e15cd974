"""What more than one verdict advises for a script."""

from __future__ import annotations

__all__ = ["NORMALIZE", "SUITED"]

NORMALIZE = "Put a normalization (nn.BatchNorm1d, nn.LayerNorm) between weights and activation."
SUITED = (
    "Weights that suit the activation: nn.init.kaiming_normal_ for ReLU, "
    "nn.init.xavier_normal_ for tanh."
)
