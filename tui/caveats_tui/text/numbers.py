"""Measured numbers in words: losses, shares, sizes, and small bars."""

from __future__ import annotations

import math

__all__ = [
    "amount", "brief", "explained", "loss_text", "number", "number_cell", "percent", "size",
    "spark",
]  # fmt: skip

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-~=+*#"


def number(value: float) -> str:
    """Three digits: 0.123, 12.3, 4.56e-05."""
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def brief(value: float, digits: int) -> str:
    """As few characters as ``digits`` digits need: 0.012, 1.2e-5."""
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e")


def amount(value: float) -> str:
    """Three digits in the unit of a person's own data: 30,800, 0.0123."""
    return f"{float(f'{value:.3g}'):,.10g}"


def explained(r2: float) -> str:
    """R²: 0.957, 0, -12.3."""
    return f"{round(r2, 3) + 0.0:.3g}"  # + 0.0: no -0


def number_cell(value: object, broken: bool) -> str:
    """A table's cell: "inf/nan" for a number that is infinite or NaN, "-" where there is no
    number."""
    if value is None:
        return "inf/nan" if broken else "-"
    return number(value) if isinstance(value, float) else str(value)


def loss_text(value: float) -> str:
    """A loss in a list of runs; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def percent(share: float) -> str:
    """A share in percent; a dash where there is none."""
    return "-" if math.isnan(share) else f"{share:.1%}"


def size(text: str) -> str:
    """The size of an ASCII text in words."""
    return f"{len(text)} bytes" if len(text) < 1000 else f"{len(text) / 1000:.1f} KB"


def spark(values: list[float | None], top: float, plain: bool) -> str:
    """Losses as a line of bars from 0 to ``top``; × where the loss is not finite."""
    bars = _ASCII_BARS if plain else _BARS
    height = len(bars) - 1
    return "".join(
        "×" if value is None else bars[max(0, min(height, round(value / top * height)))]
        for value in values
    )
