"""A finished run as a table for people: plain text, no wider than 80 columns, no colours.

It is made from the document of `caveats.results`. Its own words are ASCII; those of the document
are printed as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from caveats.errors import visible
from caveats_tui.text.numbers import amount, explained, number, number_cell
from caveats_tui.text.tables import aligned, cut, folded

__all__ = ["LAYER_COLUMNS", "attempt_report", "report", "subject"]

# Key in the document, heading in two rows.
LAYER_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("name", "", "layer"),
    ("units", "", "units"),
    ("dead", "", "dead"),
    ("born_dead", "born", "dead"),
    ("dormant", "", "dormant"),
    ("saturated", "", "saturated"),
    ("delta_rms", "delta", "rms"),
    ("grad_norm", "grad", "norm"),
    ("update_ratio", "update", "/weight"),
)


def report(
    document: Mapping[str, Any], *, baseline: float, reachable: float, device: str, outputs: int
) -> str:
    """The table of one run, without a line break at its end. ``baseline`` is the loss of the best
    network that ignores its input, ``reachable`` that of kernel regression, ``outputs`` the width
    of the output layer."""
    blocks = [
        described(document, device, outputs),
        layers_table(document),
        outcome(document, baseline, reachable),
        *map(verdict, document["verdicts"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks)


def described(document: Mapping[str, Any], device: str, outputs: int) -> list[str]:
    config = document["config"]
    optimizer = config["optimizer"]
    steps, planned = document["steps"], config["training"]["steps"]
    made = f"{steps:,}" if steps == planned else f"{steps:,} of {planned:,}"
    pairs = (
        ("optimizer", f"{optimizer['name']}, learning rate {optimizer['lr']:g}"),
        ("steps", f"{made} in {document['seconds']:.2f} s on {device}"),
        ("speed", f"{document['steps_per_second']:,.0f} steps/s, measuring included"),
    )
    return [*subject(config, outputs), *(cut(f"{name:<10} {value}") for name, value in pairs)]


def subject(config: Mapping[str, Any], outputs: int) -> list[str]:
    """Data and network, one line each."""
    data, network = config["data"], config["network"]
    activation, init = network["activation"], network["init"]
    activations = [activation] if isinstance(activation, str) else activation
    inits = init if isinstance(init, list) else [init]
    names = [one if isinstance(one, str) else one["name"] for one in inits]
    pairs = (
        ("data", data.get("name") or visible(data["file"])),
        ("network", f"{repeated(network['widths'], '-')}-{outputs}".lstrip("-")),
        ("", f"{repeated(activations, ', ')}; {repeated(names, ', ')}"),
    )
    return [cut(f"{name:<10} {value}") for name, value in pairs]


def repeated(items: Sequence[object], separator: str) -> str:
    """The items joined; more than four equal ones in a row are written as "64x30"."""
    parts: list[str] = []
    for item, group in groupby(items):
        count = len(list(group))
        parts += [f"{item}x{count}"] if count > 4 else [str(item)] * count
    return separator.join(parts)


def layers_table(document: Mapping[str, Any]) -> list[str]:
    broken = set(document["nonfinite"])
    rows = [
        [
            number_cell(layer[key], f"final.layers.{index}.{key}" in broken)
            for key, _, _ in LAYER_COLUMNS
        ]
        for index, layer in enumerate(document["final"]["layers"])
    ]
    upper, lower = ([column[row] for column in LAYER_COLUMNS] for row in (1, 2))
    return aligned([upper, lower, *rows])


def beside(document: Mapping[str, Any]) -> str:
    """The two accuracies that a run's is judged between, in brackets."""
    given = document.get("yardsticks", {})
    shares = [given.get(name, {}).get("accuracy") for name in ("constant", "reachable")]
    if None in shares:
        return ""
    largest, kernel = (f"{100 * share:.1f} %" for share in shares)
    return f"  (always the largest class {largest}, kernel regression {kernel})"


def outcome(document: Mapping[str, Any], baseline: float, reachable: float) -> list[str]:
    final, broken = document["final"], set(document["nonfinite"])
    loss = number_cell(final["loss"], "final.loss" in broken)
    known = f"a constant gets {number(baseline)}, kernel regression {number(reachable)}"
    lines = [f"{'loss':<10} {loss}  ({known})"]
    if final["accuracy"] is not None:
        lines.append(f"{'accuracy':<10} {100 * final['accuracy']:.1f} %{beside(document)}")
    if final["r2"] is not None:
        unit = visible(document["target"]).partition(":")[0]
        error = f"error {amount(final['rmse'])} in the unit of {unit}"
        lines.append(f"{'R2':<10} {explained(final['r2'])}  ({error})")
    if final["validation_loss"] is not None:
        line = f"{'held out':<10} loss {number(final['validation_loss'])}"
        if final["validation_accuracy"] is not None:
            line += f"; accuracy {100 * final['validation_accuracy']:.1f} %"
        lines.append(line)
    if document["diverged"] is not None:
        where = document["diverged"]
        lines.append(
            f"{'diverged':<10} at step {where['step']:,} (first not finite: {where['where']})"
        )
    return [cut(line) for line in lines]


def attempt_report(position: int, found: Mapping[str, Any], loss_before: float | None) -> str:
    """One remedy that was tried, the ``position``-th: what it changed and what the result was.
    ``found`` is an entry of the document's ``fix.attempts``, ``loss_before`` the loss of the run to
    be cured."""
    loss, accuracy = found["final"]["loss"], found["final"]["accuracy"]
    said = f"{found['outcome']}: loss {number_cell(loss, True)}, "
    said += f"before {number_cell(loss_before, True)}"
    if accuracy is not None:
        said += f"; accuracy {100 * accuracy:.1f} %"
    left = [v["caveat"] for v in found["verdicts"] if v["severity"] != "note"]
    if left:
        said += f"; left are {', '.join(left)}"
    tried = f"{changes(found['change'])}: {found['reason']}"
    return "\n".join([*folded(str(position), tried), *folded("", said)])


def changes(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in change.items())


def verdict(found: Mapping[str, Any]) -> list[str]:
    """What was found, why, and the likeliest remedy, as a paragraph."""
    head = f"{found['severity']}: {found['caveat']}, since step {found['step']:,}"
    lines = [head, *folded("what", found["what"]), *folded("why", found["why"])]
    if found["next"]:
        remedy = found["next"][0]
        lines += folded("next", f"{changes(remedy['change'])}: {remedy['reason']}")
    return lines
