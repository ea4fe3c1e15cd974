"""What a page leads to is there, and the commands that pages show are commands of the program."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from caveats.experiments import find
from caveats.sweeps.gallery import atlases
from caveats.sweeps.ranges import parse_axis
from caveats_tui.cli import cli
from caveats_tui.demos.script import scripts

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page(page: Path) -> None:
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)\s#]+)", page.read_text("utf-8"))
    own = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in own if not (page.parent / link).is_file()] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = {ROOT / "README.md"}, [ROOT / "README.md"]
    while new:
        page = new.pop()
        for link in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text("utf-8")):
            to = (page.parent / link).resolve()
            if to not in reached:
                reached.add(to)
                new.append(to)
    assert set(PAGES) <= reached


def shown(page: Path) -> list[str]:
    """What a page shows to be typed: lines of its blocks, and text in quotes of code."""
    text = page.read_text("utf-8")
    found = re.findall(r"`(caveats-tui [^`\n]+)`", text)
    for block in re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL):
        found += [line for line in block.splitlines() if line.startswith("caveats-tui")]
    return [re.split(r" # |  |\|| > ", line)[0].strip() for line in found]


def understood(command: click.Command, words: list[str]) -> dict[str, Any]:
    """The parameters that ``command`` makes of ``words``; raises click.UsageError."""
    if isinstance(command, click.Group):
        at = next((at for at, word in enumerate(words) if word in command.commands), None)
        if at is not None:
            understood(command, words[:at])
            return understood(command.commands[words[at]], words[at + 1 :])
        if words and "start" in command.commands:  # `sweep`, whose first word names no command
            return understood(command.commands["start"], words)
    # With a parent, as in the program: click keeps on the command by which names help is asked.
    parent = None if command is cli else click.Context(cli, **cli.context_settings)
    return command.make_context(command.name, words, parent).params if words else {}


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in shown(page)}))
def test_every_command_that_a_page_shows_is_understood(line: str) -> None:
    """Its words, its options, its experiments and its axes; nothing is run."""
    words = [word for word in shlex.split(line)[1:] if not re.fullmatch(r"\[.*|.*\]", word)]
    with suppress(click.MissingParameter):  # where a sentence names the command alone
        found = understood(cli, words)
        name = found.get("name")
        known = (None, "NAME", *atlases(), *scripts())
        if {"run", "predict", "atlas"} & set(words) and name not in known:
            find(name)
        for text in (found.get("across"), found.get("up"), *(found.get("words") or ())):
            if text is not None and text not in ("KEY=RANGE", "KEY=RANGE..."):
                parse_axis(text, find("mass_extinction").config)
