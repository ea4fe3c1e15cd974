"""Claims about colours, against rich's own xterm table, luminance and simulated dichromacy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from rich._palettes import EIGHT_BIT_PALETTE
from rich.palette import Palette

from caveats_tui.charts.palette import (
    HEAT,
    SERIES,
    dim_layer_colour,
    layer_colour,
    rgb,
    series_colour,
)

BACKGROUND = {True: (0x1E, 0x1E, 0x1E), False: (0xE0, 0xE0, 0xE0)}

# linear RGB to what a dichromat sees (Viénot, Brettel and Mollon 1999)
BLINDNESS = {
    "none": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


def linear(colour: tuple[int, int, int]) -> np.ndarray:
    c = np.array(colour) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour: tuple[int, int, int], seen: np.ndarray | None = None) -> float:
    light = linear(colour) if seen is None else np.clip(seen @ linear(colour), 0, 1)
    return float(light @ [0.2126, 0.7152, 0.0722])


def contrast(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def ramp(dark: bool, count: int) -> list[int]:
    return [layer_colour(k, count, dark=dark) for k in range(count)]


def test_rgb_is_what_rich_gives_to_each_fixed_index():
    table: Palette = EIGHT_BIT_PALETTE
    for index in range(16, 256):
        assert rgb(index) == tuple(table[index])


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("sight", BLINDNESS)
def test_layers_are_ordered_by_lightness_also_for_the_colour_blind(dark, sight):
    lights = [luminance(rgb(c), BLINDNESS[sight]) for c in ramp(dark, 7)]
    assert all(first < second for first, second in itertools.pairwise(lights))


@pytest.mark.parametrize("dark", [True, False])
def test_layers_stand_out_from_the_background(dark):
    least = 3.0 if dark else 2.5
    for count in (1, 2, 5, 30):
        assert min(contrast(rgb(c), BACKGROUND[dark]) for c in ramp(dark, count)) >= least


@pytest.mark.parametrize("dark", [True, False])
def test_a_ghost_is_fainter_than_its_run_and_still_visible(dark):
    for count in (1, 4, 12):
        for k in range(count):
            bright = contrast(rgb(layer_colour(k, count, dark=dark)), BACKGROUND[dark])
            faint = contrast(rgb(dim_layer_colour(k, count, dark=dark)), BACKGROUND[dark])
            assert 1.5 < faint < bright / 1.3


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("count", [2, 3, 8, 40])
def test_first_is_violet_and_last_is_yellow(dark, count):
    red, green, blue = rgb(layer_colour(0, count, dark=dark))
    assert green <= red <= blue or (green < red and green < blue)
    red, green, blue = rgb(layer_colour(count - 1, count, dark=dark))
    assert red >= green > blue
    assert len(set(ramp(dark, count))) >= min(count, 7)


@pytest.mark.parametrize("dark", [True, False])
def test_named_series_are_fixed_colours_that_show(dark):
    for name in SERIES.keys() - {"seeds"}:
        assert contrast(rgb(series_colour(name, dark=dark)), BACKGROUND[dark]) > 1.5


@pytest.mark.parametrize("dark", [True, False])
def test_the_band_of_seeds_is_blue_and_every_curve_shows_on_it(dark):
    """It is a whole area, so its hue shows it; what is drawn on it needs the contrast."""
    band = rgb(series_colour("seeds", dark=dark))
    assert band[2] - max(band[:2]) >= 40
    curves = [layer_colour(k, 8, dark=dark) for k in range(8)]
    curves += [series_colour(name, dark=dark) for name in ("loss", "accuracy", "output")]
    assert all(contrast(rgb(curve), band) > 2 for curve in curves)


@pytest.mark.parametrize("dark", [True, False])
def test_what_is_expected_and_the_curve_of_step_0_show_on_the_band_of_theory(dark):
    band = rgb(series_colour("band", dark=dark))
    for name in ("theory", "first"):
        assert contrast(rgb(series_colour(name, dark=dark)), band) > 2


def test_a_layer_out_of_range_is_refused():
    with pytest.raises(ValueError, match="layer 3 of 3"):
        layer_colour(3, 3)
    with pytest.raises(ValueError, match="no fixed"):
        rgb(7)


@pytest.mark.parametrize("sight", BLINDNESS)
def test_a_heat_map_is_read_by_lightness_alone(sight):
    lights = [luminance(rgb(colour), BLINDNESS[sight]) for colour in HEAT]
    assert all(b > 1.4 * a for a, b in itertools.pairwise(lights))
