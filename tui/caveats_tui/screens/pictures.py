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
    """The loss of the experiment, and below it, on the same scale, the loss of its cure."""
    picture = recorded().get(name)
    if picture is None:
        return []
    seen = [v for values in picture.values() for v in values["loss"] if v is not None]
    # At most twice the constant predictor's loss: a first loss of 800 would flatten all the rest.
    top = min(max(seen, default=1.0), 2 * picture["bad"]["baseline"]) or 1.0
    lines = []
    for key, label in (("bad", "as it is "), ("cured", "with cure")):
        if key in picture:
            run = picture[key]
            text = Text(f"{label} ", style="dim")
            text.append(spark(run["loss"], top, plain), style="bold" if key == "bad" else "")
            accuracy = run["accuracy"]
            ending = "" if accuracy is None else f"  accuracy {accuracy:.0%}"
            text.append(f"  loss{ending}", style="dim")
            lines.append(Padding(text, (0, 0, 0, 2)))
    return lines
