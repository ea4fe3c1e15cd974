"""Compares theory with fresh networks at step 0, as one JSON document.

It takes a prediction, and what was measured on several networks of the same config and rows, one
for each seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from caveats.config import RunConfig
from caveats.documents import finite, nonfinite
from caveats.theory.prediction import Prediction
from caveats.theory.response import Floats

__all__ = ["QUANTITIES", "prediction_document"]

QUANTITIES = ("grad_norm", "delta_rms", "dead_fraction")
_NORMS = ("grad_norm", "delta_rms")  # averaged as logarithms, as theory predicts them


def prediction_document(
    config: RunConfig,
    names: Sequence[str],
    rows: int,
    prediction: Prediction,
    measured: Mapping[str, Floats],
) -> dict[str, Any]:
    """Plain dicts, lists and numbers, all finite, about the layers ``names``, output layer last.

    ``measured`` has an array (seeds, layers) for each of `QUANTITIES`, taken on the same ``rows``
    rows as the prediction. In ``layers`` each quantity has ``predicted``, ``measured`` (the mean
    over seeds; for norms the geometric mean), ``spread`` (the standard deviation over seeds; for
    norms in decades) and ``log10_error``, log10 of predicted over measured; ``grad_norm`` also has
    theory's ``band``. ``worst_log10_error`` is the largest absolute error.

    A number that does not exist is None: a prediction where theory does not apply (``note`` says
    why), the spread of a single seed or of a 0, the error of a 0. A number that came out infinite
    or NaN is None too, and ``nonfinite`` holds its dotted path.
    """
    layers = [
        {q: compared(q, index, prediction, measured[q][:, index]) for q in QUANTITIES}
        for index in range(len(names))
    ]
    at = prediction.explodes_at
    document = {
        "config": config.to_dict(),
        "seeds": len(measured["grad_norm"]),
        "rows": rows,
        "applies": prediction.applies,
        "note": noted(config, prediction),
        "explodes_at": None if at is None else names[at],
        "layers": [{"name": name, **layer} for name, layer in zip(names, layers, strict=True)],
        "worst_log10_error": {
            q: largest(layer[q]["log10_error"] for layer in layers) for q in QUANTITIES
        },
    }
    return {**finite(document), "nonfinite": list(nonfinite(document))}


def compared(quantity: str, index: int, prediction: Prediction, values: Floats) -> dict[str, Any]:
    """One quantity of one layer; ``values`` (seeds,). Its numbers may be infinite."""
    array = getattr(prediction, quantity)
    # NaN means that a layer has no such quantity; an array may end before a layer that overflows.
    predicted = None if array is None or np.isnan(array[index]) else float(array[index])
    mean, spread = averaged(values, geometric=quantity in _NORMS)
    found: dict[str, Any] = {
        "predicted": predicted,
        "measured": mean,
        "spread": spread,
        "log10_error": log10_error(predicted, mean),
    }
    if quantity == "grad_norm":
        band = prediction.band
        found["band"] = None if band is None else [float(edge[index]) for edge in band]
    return found


def averaged(values: Floats, *, geometric: bool) -> tuple[float, float | None]:
    """Mean and standard deviation of (seeds,) values; None if there is no such deviation."""
    if not np.isfinite(values).all():
        return float("nan"), None
    if geometric and not (values > 0).all():
        return 0.0, None
    taken = np.log10(values) if geometric else values
    mean = float(taken.mean())
    spread = float(taken.std(ddof=1)) if len(taken) > 1 else None
    return (10.0**mean if geometric else mean), spread


def log10_error(predicted: float | None, measured: float) -> float | None:
    if predicted is None or not (0 < predicted < np.inf and measured > 0):
        return None
    return float(np.log10(predicted) - np.log10(measured))


def largest(errors: Iterable[float | None]) -> float | None:
    return max((abs(error) for error in errors if error is not None), default=None)


def noted(config: RunConfig, prediction: Prediction) -> str:
    """The prediction's note, with the hidden layers that have no predicted dead fraction."""
    hidden = len(config.network.widths)
    dead = prediction.dead_fraction
    if not prediction.applies or dead is None or not np.isnan(dead[:hidden]).any():
        return prediction.note
    immortal = dict.fromkeys(
        name for name, d in zip(config.network.activations, dead, strict=False) if np.isnan(d)
    )
    return f"{prediction.note}; units of {', '.join(immortal)} cannot die"
