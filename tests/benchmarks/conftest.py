"""Benchmarks are scripts, not a package: their tests import what they import, from their folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
