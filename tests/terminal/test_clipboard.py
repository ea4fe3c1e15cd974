"""`c` sends a chart's data to the clipboard of whoever sits at the terminal: read back as bytes."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-c", "from caveats_tui.cli import main; main()"]
WAIT = 120.0  # seconds a slow machine may take; a passing test waits for what it sees


def test_the_lab_and_a_kept_run_copy_what_the_export_holds(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    small = ["--set", "data.name=moons", "--set", "network.widths=[8, 8]"]
    lab = terminal([*PROGRAM, *small], 120, 40, {"XDG_DATA_HOME": str(tmp_path / "data")})
    lab.wait_for("paused", WAIT)
    for step in (1, 2, 3):
        lab.press("s")
        lab.wait_for(f"step {step}/", WAIT)
    assert lab.clipboard is None
    lab.press("2", "c")
    lab.wait_for("gradient norm: copied 4 rows of csv", WAIT)
    lab.wait_for(lambda t: t.clipboard is not None, WAIT)
    text = lab.clipboard
    lab.press("q")
    assert lab.exit_code(WAIT) == 0
    lab.assert_given_back()

    [folder] = (p.parent for p in (tmp_path / "data" / "caveats-tui" / "runs").glob("*/run.toml"))
    out = tmp_path / "all.csv"
    export = [*PROGRAM, "export", str(folder), "--to", "csv", "--out", str(out)]
    subprocess.run(export, check=True, timeout=WAIT, stdout=subprocess.DEVNULL)
    exported = csv.DictReader(io.StringIO(out.read_text()))
    whole = {(row["step"], row["layer"]): row["grad_norm"] for row in exported}
    copied = {
        (row["step"], layer): row[layer]
        for row in csv.DictReader(io.StringIO(text))
        for layer in ("layer 1", "layer 2", "output")
    }
    assert copied == whole
    assert len(copied) == 12

    opened = terminal([*PROGRAM, "open", str(folder)], 80, 24)
    opened.wait_for("stopped", WAIT)
    opened.press("2")
    opened.wait_for("2 gradient", WAIT)
    opened.press("c")
    opened.wait_for("copied 4 rows of csv", WAIT)
    opened.wait_for(lambda t: t.clipboard is not None, WAIT)
    assert opened.clipboard == text
