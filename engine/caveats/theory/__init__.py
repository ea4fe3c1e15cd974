"""What theory predicts for a network on its own data, before it trains.

`predict` gives every layer's gradient norm, delta, dead units and activations at step 0. `factor`
gives the one number that helps while choosing a network: by how much a layer multiplies gradients.
Importing this package does not import torch; calling it does.
"""

from caveats.theory.factor import Factor, factor
from caveats.theory.meanfield import FixedPoint, critical_point, edge_of_chaos, fixed_point
from caveats.theory.prediction import Prediction, predict

__all__ = [
    "Factor",
    "FixedPoint",
    "Prediction",
    "critical_point",
    "edge_of_chaos",
    "factor",
    "fixed_point",
    "predict",
]
