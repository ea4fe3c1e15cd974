"""The house keeps its shape: what may import what, and what its tools say of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import caveats

ROOT = Path(__file__).parents[1]
TERMINAL = ("caveats_tui", "textual", "plotext", "click", "rich")


def python(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter on ``code``."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )


def tool(name: str) -> str:
    """A development tool of this environment."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def clean(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_of_imports_is_kept(tmp_path: Path) -> None:
    clean(tool("lint-imports"), "--cache-dir", str(tmp_path))


def modules(root: Path) -> list[str]:
    return sorted(
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in root.rglob("*.py")
    )


BLOCKER = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TERMINAL}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
"""


def test_every_module_of_the_engine_can_be_imported_without_a_terminal() -> None:
    names = modules(ROOT / "engine")
    assert "caveats.session" in names
    imports = "".join(f"import {name}\n" for name in names)
    done = python(BLOCKER + imports)
    assert done.returncode == 0, done.stderr


def test_the_blocker_of_that_test_blocks() -> None:
    for name in TERMINAL:
        assert f"{name} is blocked" in python(f"{BLOCKER}import {name}").stderr


def test_the_engine_trains_without_a_terminal() -> None:
    """At run time too: nothing imports the terminal later, inside a function."""
    code = (
        "from caveats import Run, RunConfig, judge\n"
        "run = Run(RunConfig.from_dict({'data': {'name': 'moons'}, 'training': {'steps': 3}}))\n"
        "while not run.finished:\n    run.advance()\n"
        "judge(run.history)\n"
        f"print(sorted(set({TERMINAL}) & set(sys.modules)), run.step)"
    )
    done = python(BLOCKER + code)
    assert done.stdout.strip() == "[] 3", done.stderr


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("caveats_tui.cli", ("torch", "textual", "plotext", "pandas")),
        ("caveats_tui.app", ("torch", "plotext", "pandas")),
        ("caveats_tui.charts.child", ("torch", "textual", "pandas")),
        ("caveats", ("torch", "pandas")),
        ("caveats.run", ("pandas",)),
        ("caveats.data.loading", ("torch", "pandas")),
    ],
)
def test_what_stands_before_the_first_paint_loads_nothing_slow(
    module: str, absent: tuple[str, ...]
) -> None:
    """torch takes 1.5 to 3 s to import, plotext belongs to the drawing process, and pandas
    to who opens a csv."""
    done = python(f"import sys, {module}\nprint(*set(sys.modules) & set({absent}))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_every_public_name_is_there_and_is_documented() -> None:
    assert list(caveats.__all__) == sorted(caveats.__all__, key=lambda n: (n[0].islower(), n))
    for name in caveats.__all__:
        assert getattr(caveats, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        _ = caveats.nothing_of_the_kind


def test_both_packages_tell_type_checkers_that_they_are_typed() -> None:
    assert (ROOT / "engine/caveats/py.typed").exists()
    assert (ROOT / "tui/caveats_tui/py.typed").exists()


SOURCES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_what_it_is_and_stays_readable(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith('"""'), "no docstring"
    assert text.count("\n") <= 450, "more than one idea"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


def test_ruff_finds_nothing() -> None:
    clean(tool("ruff"), "check", "--no-cache", ".")
    clean(tool("ruff"), "format", "--no-cache", "--check", ".")


def test_mypy_finds_nothing(tmp_path: Path) -> None:
    clean(tool("mypy"), "--cache-dir", str(tmp_path))
