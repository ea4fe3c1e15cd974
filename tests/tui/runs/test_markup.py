"""No text of a stranger reaches a parser of markup: not that of a run folder, a config or a file.

One test reads the source: every widget that shows text says ``markup=False``. The other opens a
folder whose every text is markup, and looks at what the screens show.
"""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import caveats_tui
from caveats.runs.reader import Reader
from caveats_tui.screens.explanation import Explain

SOURCE = Path(caveats_tui.__file__).parent
SHOWING = {"Static", "Label", "Choices", "OptionList"}  # widgets that read their text as markup
LINK = "[link=https://example.org]x[/link]"
BROKEN = "[/closed] [b"


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func
                yield (
                    path,
                    node,
                    name.id if isinstance(name, ast.Name) else getattr(name, "attr", ""),
                )


def is_text(node: ast.expr) -> bool:
    """Whether an expression is a `Text` or a `Content`, which are never parsed."""
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node.func).split(".")[0] in ("Text", "Content", "Content.assemble")


def test_every_widget_that_shows_text_takes_no_markup() -> None:
    found = 0
    for path, call, name in calls():
        plain = any(
            k.arg == "markup" and isinstance(k.value, ast.Constant) and k.value.value is False
            for k in call.keywords
        )
        if name in SHOWING:
            found += 1
            assert plain or (call.args and is_text(call.args[0])), f"{path}:{call.lineno}"
        notice = name == "notify" and call.args and not plain  # Textual's, not that of a lock
        assert not notice, f"{path}:{call.lineno}"
        assert name not in ("from_markup", "render_markup"), f"{path}:{call.lineno}"
    assert found > 20


def test_every_edge_of_a_frame_is_a_constant_or_no_markup() -> None:
    found = 0
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Assign):
                continue
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and target.attr in (
                "border_title", "border_subtitle",
            ):  # fmt: skip
                found += 1
                constant = isinstance(node.value, ast.Constant)
                assert constant or is_text(node.value), f"{path}:{node.lineno}"
    assert found > 5


def hostile(folder: Path, text: str) -> None:
    """Put ``text`` wherever a folder holds words."""
    path = folder / "run.toml"
    tree = tomllib.loads(path.read_text("utf-8"))
    tree["host"], tree["problem"], tree["device"] = text, text, text
    tree.get("standing", {})["problem"] = text
    tree["layers"] = [f"{text} {i}" for i in range(len(tree["layers"]))]
    for place, layer in enumerate(tree.get("facts", {}).get("layers", ())):
        layer["name"] = f"{text} {place}"
    if text is not BROKEN:  # as the target's file: this network's data are its own
        tree["config"]["data"] = {"file": f"/nowhere/{text}.csv", "target": text}
    path.write_text(tomli_w.dumps(tree), "utf-8")
    (folder / "label.toml").write_text(tomli_w.dumps({"name": text, "starred": True}), "utf-8")
    event = {"event": "change", "step": 5, "text": text, "changes": {text: text}}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(event) + "\n")


@pytest.mark.parametrize("text", [LINK, BROKEN])
def test_the_texts_of_a_folder_are_shown_as_they_are(
    text: str, tmp_path: Path, drive: Callable[..., None], folder_of: Callable[..., Path]
) -> None:
    folder = folder_of(tmp_path / "runs" / "hostile", {"data.name": "moons"})
    folder_of(tmp_path / "runs" / "second")
    hostile(folder, text)

    async def scenario(lab: Any) -> None:
        await lab.until(lambda: lab.bench.verdicts())
        await lab.press("]", "1", "2", "3", "4", "v", "v", ",", ",")
        await lab.until(text)
        await lab.press(">", "x")
        await lab.until(lambda: isinstance(lab.app.screen, Explain))
        await lab.press("escape", "?", "escape")
        await lab.press("L")
        await lab.until(text)
        await lab.press("space", "space", "c", "n")
        await lab.calm()
        styles = {
            style for strip in lab.app.screen._compositor.render_strips() for _, style, _ in strip
        }
        assert not any(style is not None and style.link for style in styles)

    reader = Reader(folder)
    drive(scenario, reader.config, reader=reader, place=tmp_path / "runs", drawing=False)
