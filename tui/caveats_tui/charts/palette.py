"""The colours of charts: an ordered palette over layers, and a few named series.

Every colour is an index of the xterm-256 cube (16 to 255): tmux and plain SSH terminals show these
unchanged, and change all other colours. The layer palette goes from violet to yellow with rising
lightness, like viridis (Smith and van der Walt, 2015), so that lightness alone shows the order of
layers, for a colour-blind reader and in a grey print.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "HEAT",
    "SERIES",
    "Series",
    "dim_layer_colour",
    "layer_colour",
    "network_colour",
    "rgb",
    "series_colour",
]

Series = Literal[
    "loss", "accuracy", "held_out", "held_out_accuracy", "loss_dim", "accuracy_dim", "output",
    "output_dim", "theory", "first", "band", "seeds", "mark", "axis",
]  # fmt: skip

# Stops chosen by hand near the hues of viridis (OKLab), so that luminance rises at each step, also
# as protanopes and deuteranopes see it (Viénot 1999). On dark, contrast is at least 3:1 against
# #1e1e1e; on light, 2.5:1 against #e0e0e0: there the palette ends at ochre, as yellow is too pale.
_DARK = (97, 99, 69, 74, 43, 113, 149, 191, 227)
_LIGHT = (53, 55, 61, 30, 65, 100, 136)
_DARK_DIM = (55, 60, 24, 24, 23, 58, 58, 100, 100)
_LIGHT_DIM = (139, 140, 103, 109, 108, 144, 144)

# Of heat maps: dark blue to yellow through grey, near cividis (Nuñez et al. 2018), lightness
# rising, so that it is read in the same way without red or green. A filled cell needs no other
# palette on a light theme.
HEAT = (17, 54, 60, 102, 144, 186, 227)

# name: (on dark, on light)
SERIES: dict[Series, tuple[int, int]] = {
    "loss": (215, 130),
    "accuracy": (81, 25),
    "held_out": (137, 137),
    "held_out_accuracy": (31, 67),
    "loss_dim": (95, 180),
    "accuracy_dim": (24, 110),
    "output": (255, 232),
    "output_dim": (240, 247),
    "theory": (252, 236),
    "first": (67, 60),  # the curve of step 0, also in front of the band
    "band": (238, 249),  # a background, as the next
    "seeds": (17, 189),
    "mark": (246, 242),
    "axis": (245, 242),
}


def _stop(stops: tuple[int, ...], index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(f"layer {index} of {count}")
    if count == 1:
        return stops[len(stops) // 2]
    return stops[round(index * (len(stops) - 1) / (count - 1))]


def layer_colour(index: int, count: int, *, dark: bool = True) -> int:
    """The xterm-256 index of layer ``index`` (from 0) of ``count``, on a dark or a light theme."""
    return _stop(_DARK if dark else _LIGHT, index, count)


def dim_layer_colour(index: int, count: int, *, dark: bool = True) -> int:
    """The colour of the same layer in the ghost: the same hue, nearer to the background."""
    return _stop(_DARK_DIM if dark else _LIGHT_DIM, index, count)


def network_colour(index: int, hidden: int, *, dark: bool = True, dim: bool = False) -> int:
    """The colour of layer ``index`` of a network in every chart: one of the palette for each of its
    ``hidden`` layers, a neutral one for the output after them."""
    if index == hidden:
        return series_colour("output_dim" if dim else "output", dark=dark)
    return (dim_layer_colour if dim else layer_colour)(index, hidden, dark=dark)


def series_colour(name: Series, *, dark: bool = True) -> int:
    """The xterm-256 index of a series that is not a layer."""
    return SERIES[name][0 if dark else 1]


def rgb(index: int) -> tuple[int, int, int]:
    """The red, green and blue that xterm shows for a cube or grey index (16 to 255)."""
    if not 16 <= index <= 255:
        raise ValueError(f"{index} is no fixed xterm-256 colour")
    if index >= 232:
        grey = 8 + 10 * (index - 232)
        return grey, grey, grey
    levels = (0, 95, 135, 175, 215, 255)
    cube = index - 16
    return levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6]
