"""Computes the layer measures of a multilayer perceptron in float64 numpy: forward, backward and
definitions. It shares no code with the engine and does not use torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def slope_and_value(name: str, z: Floats) -> tuple[Floats, Floats]:
    """(activation, its derivative) at z."""
    if name == "relu":
        return np.where(z > 0, z, 0.0), np.where(z > 0, 1.0, 0.0)
    if name == "leaky_relu":
        return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1.0, 0.01)
    # float32 holds no number between 1 - 6e-8 and 1, and the slope follows from the value: beyond
    # z = 17 a sigmoid is flat to the bit. The value is rounded, all arithmetic stays float64.
    if name == "tanh":
        a = rounded(np.tanh(z))
        return a, 1 - a**2
    if name == "sigmoid":
        small = np.exp(-np.abs(z))
        a = rounded(np.where(z >= 0, 1, small) / (1 + small))
        return a, a * (1 - a)
    if name == "identity":
        return z, np.ones_like(z)
    raise ValueError(name)


def rounded(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


LARGEST_SLOPE = {"tanh": 1.0, "sigmoid": 0.25}


@dataclass
class Seen:
    """One entry for each layer, the output layer last."""

    loss: float
    dead: list[int]
    saturated: list[int]
    dormant: list[int]
    distinct: list[int]
    grad_norm: list[float]
    delta_rms: list[float]
    weight_norm: list[float]
    activation_mean: list[float]
    activation_std: list[float]
    mean_fraction: list[float]
    sign_coherence: list[float]
    spread: list[float]
    dead_units: list[NDArray[np.bool_]]


def measure(
    weights: list[Floats],  # (units, fan_in) each
    biases: list[Floats],  # (units,) each
    activations: list[str],  # one for each hidden layer
    x: Floats,  # (rows, features)
    y: NDArray[np.int64] | Floats,  # (rows,) classes or (rows, targets)
    loss: str,
) -> Seen:
    rows = len(x)
    feeds, outs, slopes = [], [], []
    a = x
    for w, b, name in zip(weights, biases, [*activations, "identity"], strict=True):
        feeds.append(a)
        a, slope = slope_and_value(name, a @ w.T + b)
        outs.append(a)
        slopes.append(slope)
    value, delta = loss_and_residual(a, y, loss)

    seen = Seen(value, *([] for _ in range(13)))
    for layer in reversed(range(len(weights))):
        w, feed, out = weights[layer], feeds[layer], outs[layer]
        name = [*activations, "identity"][layer]
        delta = delta * slopes[layer]  # (rows, units), of the mean loss
        grad = delta.T @ feed
        flat = (slopes[layer] == 0).all(0) & (name == "relu")
        seen.dead_units.insert(0, flat)
        seen.dead.insert(0, int(flat.sum()))
        tails = slopes[layer] < 0.05 * LARGEST_SLOPE.get(name, 0.0)
        seen.saturated.insert(0, int((tails.sum(0) >= 0.95 * rows).sum()))
        size = np.abs(out).mean(0)
        seen.dormant.insert(0, int((size <= 0.025 * size.mean()).sum()))
        whole = np.concatenate((w, biases[layer][:, None]), 1)
        seen.distinct.insert(0, len(np.unique(whole, axis=0)))
        seen.grad_norm.insert(0, float(np.sqrt((grad**2).sum())))
        seen.delta_rms.insert(0, float(np.sqrt(((rows * delta) ** 2).mean())))
        seen.weight_norm.insert(0, float(np.sqrt((w**2).sum())))
        seen.activation_mean.insert(0, float(out.mean()))
        seen.activation_std.insert(0, float(out.std()))
        mean = feed.mean(0)
        square = (feed**2).sum(1).mean()
        seen.mean_fraction.insert(0, float((mean**2).sum() / square) if square else float("nan"))
        total = np.abs(grad).sum(1)
        shares = np.abs(grad.sum(1))[total > 0] / total[total > 0]
        seen.sign_coherence.insert(0, float(shares.mean()) if len(shares) else float("nan"))
        seen.spread.insert(
            0, float(max(np.linalg.norm(whole - row, axis=1).max() for row in whole))
        )
        delta = delta @ w
    return seen


def loss_and_residual(
    output: Floats, y: NDArray[np.int64] | Floats, loss: str
) -> tuple[float, Floats]:
    """The mean loss and its gradient with respect to the output, (rows, outputs)."""
    rows, width = output.shape
    if loss == "cross_entropy":
        shifted = output - output.max(1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        hot = np.eye(width)[y]
        return float(-(log_p * hot).sum() / rows), (np.exp(log_p) - hot) / rows
    target = np.eye(width)[y] if y.ndim == 1 else y
    residual = output - target
    return float((residual**2).mean()), 2 * residual / residual.size
