"""docs/caveats.md tells each caveat as its verdict does, and shows only what the program shows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caveats.experiments import experiments
from caveats.verdicts import CAVEATS
from caveats_tui.demos.script import scripts

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "caveats.md"


@pytest.fixture(autouse=True)
def _repository_on_the_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "screenshots"]:
        del sys.modules[name]


def derived() -> str:
    found = re.search(
        r"<!-- derived -->\n(.*)<!-- /derived -->", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    return found[1]


def test_the_page_is_what_the_program_says_now() -> None:
    from screenshots.page import derived as now

    assert derived() == now()


def test_every_caveat_has_a_section_with_its_own_words() -> None:
    sections = re.split(r"^## ", derived(), flags=re.MULTILINE)[1:]
    assert len(sections) == len(CAVEATS)
    for caveat in CAVEATS.values():
        (section,) = (s for s in sections if s.lower().startswith(f"{caveat.title.lower()}\n"))
        for words in (caveat.definition, caveat.formula, caveat.source, *caveat.advice):
            assert words in section


def test_every_experiment_stands_in_its_caveats_section_and_every_demo_is_named() -> None:
    text = derived()
    for experiment in experiments().values():
        assert f"- `{experiment.name}`: " in text
    for demo in set(scripts()) - {"tour", "atlas"}:  # these show no single caveat
        assert f"`caveats-tui demo {demo}`" in text
