"""docs/settings.md tells of every loss, output activation and alias, and of no other."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from caveats.choice import Table
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES

PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text("utf-8")
TABLES: tuple[Table[Any], ...] = (
    ACTIVATIONS, INITIALIZERS, NORMALIZATIONS, OUTPUT_ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES,
)  # fmt: skip


def aliases() -> str:
    rows = [
        f"| {table.kind} `{choice.name}` | {', '.join(f'`{alias}`' for alias in choice.aliases)} |"
        for table in TABLES
        for choice in table.values()
        if choice.aliases
    ]
    return "\n".join(["| name | also |", "|---|---|", *rows, ""])


def test_the_table_of_other_names_is_that_of_the_program() -> None:
    found = re.search(r"<!-- aliases -->\n(.*)<!-- /aliases -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == aliases()


def test_every_loss_has_a_row() -> None:
    loss = PAGE.partition("## The loss")[2].partition("##")[0]
    rows = re.findall(r"^\| `(\w+)` \|", loss, re.MULTILINE)
    assert rows == [name for name in LOSSES if name != "auto"]


def test_every_output_activation_is_named_and_the_floor_of_two_softmaxes_is_right() -> None:
    outputs = PAGE.partition("## The outputs")[2].partition("##")[0]
    assert set(re.findall(r"`(\w+)`", outputs)) >= set(OUTPUT_ACTIVATIONS)
    # The best that a softmax of a softmax can do: one output is 1, nine are 0.
    assert f"{math.log(math.e + 9) - 1:.2f}" in outputs
