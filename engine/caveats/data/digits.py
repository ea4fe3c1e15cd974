"""The shipped digits: 1,797 real handwritten digits of 8×8 pixels (caveats/data/DIGITS_LICENSE.txt
names origin and licence).
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import numpy.typing as npt

__all__ = ["digits"]


def digits(*, n: int, scale: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The first ``n`` images (0 = all), pixels 0..16 times ``scale``: (n, 64), and (n,) digits."""
    with (files("caveats") / "data" / "digits.npz").open("rb") as file, np.load(file) as arrays:
        x, y = arrays["x"], arrays["y"]
    count = n or len(x)
    return x[:count] * scale, y[:count].astype(np.int64)
