"""Sweeps: a plan of cells on disk, trained by processes, Dask or Slurm, and their outcomes."""

from caveats.sweeps.folder import Sweep
from caveats.sweeps.plan import Plan
from caveats.sweeps.ranges import Axis, parse_axis

__all__ = ["Axis", "Plan", "Sweep", "parse_axis"]
