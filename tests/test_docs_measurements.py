"""docs/measurements.md defines every number of a record, and none that is not taken."""

from __future__ import annotations

import re
from pathlib import Path

from caveats.measures import LAYER_MEASURES, SCALARS

PAGE = (Path(__file__).parents[1] / "docs" / "measurements.md").read_text("utf-8")


def test_every_measure_is_defined_once() -> None:
    defined = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(defined) == sorted((*SCALARS, *LAYER_MEASURES))
