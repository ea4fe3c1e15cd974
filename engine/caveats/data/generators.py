"""The generated data sets, drawn from a seed.

Every function is called with its options by name (`caveats.data.catalogue` holds their ranges)
and returns float64 ``x`` (rows, features) with int64 ``y`` (rows,) of balanced classes, or with
float64 ``y`` (rows, 1) for regression. Rows come shuffled. Noise is drawn last, so a change of
noise moves the same points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = [
    "absolute",
    "blobs",
    "circles",
    "gaussian_teacher",
    "moons",
    "sine",
    "spirals",
    "xor",
]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

INNER_RADIUS = 0.5
BOX = 10.0
TEACHER_UNITS = 32


def generator(seed: int) -> np.random.Generator:
    # Named explicitly, because numpy may change which generator default_rng() returns.
    return np.random.Generator(np.random.PCG64(seed))


def shuffled_labels(rng: np.random.Generator, n: int, classes: int) -> Labels:
    """n labels in random order; the counts of two classes differ by at most 1."""
    return rng.permutation(np.arange(n, dtype=np.int64) % classes)


def shuffled_shares(rng: np.random.Generator, n: int, share: float) -> Labels:
    """n labels of 0 and 1 in random order: ``share`` of them, rounded down, are 1."""
    counted = np.floor(share * np.arange(n + 1))
    return rng.permutation(np.diff(counted).astype(np.int64))


def with_noise(rng: np.random.Generator, points: Floats, noise: float) -> Floats:
    return points + noise * rng.standard_normal(points.shape)


def moons(*, n: int, noise: float, seed: int, share: float = 0.5) -> tuple[Floats, Labels]:
    """Two half circles of radius 1: the upper one around (0, 0), the lower around (1, ½)."""
    rng = generator(seed)
    y = shuffled_shares(rng, n, share)
    angle = rng.uniform(0.0, math.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 0, upper, [1.0, 0.5] - upper)
    return with_noise(rng, x, noise), y


def circles(*, n: int, noise: float, seed: int, share: float = 0.5) -> tuple[Floats, Labels]:
    """Class 0 on the circle of radius 1, class 1 on the one of radius ½."""
    rng = generator(seed)
    y = shuffled_shares(rng, n, share)
    angle = rng.uniform(0.0, 2 * math.pi, n)
    radius = np.where(y == 0, 1.0, INNER_RADIUS)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return with_noise(rng, x, noise), y


def spirals(
    *, n: int, noise: float, seed: int, turns: float, classes: int
) -> tuple[Floats, Labels]:
    """Archimedean spiral arms from the origin to radius 1, one for each class:
    radius = angle / (2π turns)."""
    rng = generator(seed)
    y = shuffled_labels(rng, n, classes)
    # The root spreads the points evenly along the arm, which is longer outside. 1 - u is never 0,
    # the point where the arms meet.
    radius = np.sqrt(1.0 - rng.random(n))
    angle = 2 * math.pi * (turns * radius + y / classes)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return with_noise(rng, x, noise), y


def xor(*, n: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Points in the square [-1, 1]², class 1 where the two signs differ; the quadrants are
    balanced too."""
    rng = generator(seed)
    quadrant = shuffled_labels(rng, n, 4)
    right, upper = quadrant & 1, quadrant >> 1
    sign = 2.0 * np.stack([right, upper], axis=1) - 1
    x = sign * (1.0 - rng.random((n, 2)))
    return with_noise(rng, x, noise), right ^ upper


def blobs(*, n: int, noise: float, seed: int, classes: int, features: int) -> tuple[Floats, Labels]:
    """One cloud for each class; its centre is uniform on [-10, 10] in every feature."""
    rng = generator(seed)
    centres = rng.uniform(-BOX, BOX, (classes, features))
    y = shuffled_labels(rng, n, classes)
    return with_noise(rng, centres[y], noise), y


def gaussian_teacher(*, n: int, seed: int, classes: int, features: int) -> tuple[Floats, Labels]:
    """x ~ N(0, I); the class is the largest output of a random tanh network of 32 units, whose
    output biases are set so that the classes come out about equal in number."""
    rng = generator(seed)
    x = rng.standard_normal((n, features))
    weight = rng.standard_normal((features, TEACHER_UNITS)) / math.sqrt(features)
    bias = rng.standard_normal(TEACHER_UNITS)
    read_out = rng.standard_normal((TEACHER_UNITS, classes)) / math.sqrt(TEACHER_UNITS)
    outputs = np.tanh(x @ weight + bias) @ read_out  # (n, classes)
    return x, np.argmax(outputs + balancing_biases(outputs), axis=1)


def balancing_biases(outputs: Floats) -> Floats:
    """Biases (classes,) that make every class the largest output for about as many rows.

    Sinkhorn's iteration on a softmax of so low a temperature that it is nearly an argmax. For 20
    features and up to 10 classes on 1,000 rows, counts came within 6 % of equal; subtracting only
    the mean left differences of 28 to 210 %.
    """
    sample = outputs[:2048]
    temperature = 0.05 * sample.std()
    biases = np.zeros(outputs.shape[1])
    for _ in range(100):
        scaled = (sample + biases) / temperature
        share = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        biases -= temperature * np.log(share.mean(axis=0) * len(biases))
    return biases


def absolute(*, n: int, noise: float, seed: int) -> tuple[Floats, Floats]:
    """y = |x|, x uniform on [-√3, √3], which has variance 1 (Lu et al. 2019, section 3)."""
    rng = generator(seed)
    x = rng.uniform(-math.sqrt(3), math.sqrt(3), (n, 1))
    return x, with_noise(rng, np.abs(x), noise)


def sine(*, n: int, noise: float, seed: int, offset: float, scale: float) -> tuple[Floats, Floats]:
    """y = scale · sin x + offset, x uniform on [-π, π]."""
    rng = generator(seed)
    x = rng.uniform(-math.pi, math.pi, (n, 1))
    return x, with_noise(rng, scale * np.sin(x) + offset, noise)
