"""The small pictures of the gallery: the course of the loss in each experiment, and in its cure.

They are drawn from `caveats/experiments/pictures.json`, which `python -m benchmarks.experiments`
writes from real runs; nothing is trained here.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from rich.padding import Padding
from rich.text import Text

from caveats_tui.text.numbers import spark

__all__ = ["spark_lines"]


@cache
def recorded() -> dict[str, Any]:
    text = (files("caveats.experiments") / "pictures.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def spark_lines(name: str, plain: bool) -> list[Padding]:
    """The loss of the experiment, and below it the loss of its cure, each as a share of a
    constant's: standardized targets and weighted classes have another one."""
    picture = recorded().get(name)
    if picture is None:
        return []
    shares = {key: shares_of(run["loss"], run["baseline"]) for key, run in picture.items()}
    seen = [v for values in shares.values() for v in values if v is not None]
    # At most twice a constant's loss: a first loss of 800 would flatten all the rest.
    top = min(max(seen, default=1.0), 2.0) or 1.0
    lines = []
    for key, label in (("bad", "as it is "), ("cured", "with cure")):
        if key in picture:
            run = picture[key]
            text = Text(f"{label} ", style="dim")
            text.append(spark(shares[key], top, plain), style="bold" if key == "bad" else "")
            accuracy = run["accuracy"]
            ending = "" if accuracy is None else f"  accuracy {accuracy:.0%}"
            rows = "held-out " if run["held_out"] else ""
            text.append(f"  {rows}loss{ending}", style="dim")
            lines.append(Padding(text, (0, 0, 0, 2)))
    return lines


def shares_of(losses: list[float | None], baseline: float) -> list[float | None]:
    return [None if loss is None else loss / baseline for loss in losses]
