"""Theory and measurement as one table for people: plain text, no wider than 80 columns.

It is made from the document of `caveats.theory.document`. Its own words are ASCII; those of the
document are printed as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caveats_tui.commands.report import subject
from caveats_tui.text.numbers import number_cell
from caveats_tui.text.tables import aligned, folded

__all__ = ["comparison"]

# Quantity in the document, its heading. Only norms have a column for the error in decades.
_NORMS = (("grad_norm", "grad norm"), ("delta_rms", "delta rms"))


def comparison(document: Mapping[str, Any], outputs: int) -> str:
    """The table of one document, without a line break at its end; ``outputs`` is the width of the
    output layer."""
    seeds, rows = document["seeds"], document["rows"]
    over = "one seed" if seeds == 1 else f"mean over {seeds} seeds"
    blocks = [
        [*subject(document["config"], outputs), f"measured   at step 0 on {rows:,} rows, {over}"],
        table(document),
        paragraph("theory", document["note"]),
    ]
    worst = document["worst_log10_error"]
    known = [f"{worst[q]:.2f} for {heading}" for q, heading in _NORMS if worst[q] is not None]
    if known:
        blocks[-1] += paragraph("error", f"worst layer, in decades: {', '.join(known)}")
    return "\n\n".join("\n".join(lines) for lines in blocks)


def paragraph(name: str, text: str) -> list[str]:
    return folded(name, text, indent=0, room=11)


def table(document: Mapping[str, Any]) -> list[str]:
    upper, lower = [""], ["layer"]
    for _, heading in _NORMS:
        upper += ["", heading, "error"]
        lower += ["theory", "measured", "log10"]
    upper += ["", "dead"]
    lower += ["theory", "measured"]
    broken = set(document["nonfinite"])
    rows = []
    for index, layer in enumerate(document["layers"]):
        row = [layer["name"]]
        for quantity in ("grad_norm", "delta_rms", "dead_fraction"):
            found = layer[quantity]
            row += [
                number_cell(found[key], f"layers.{index}.{quantity}.{key}" in broken)
                for key in ("predicted", "measured")
            ]
            if quantity != "dead_fraction":
                error = found["log10_error"]
                row.append("-" if error is None else f"{error:+.2f}")
        rows.append(row)
    return aligned([upper, lower, *rows])
