"""The data that a run learns from: drawn from a seed, shipped, or read from the user's own file.

It knows numpy and files, and neither torch nor networks.
"""

from caveats.datasets.dataset import Dataset
from caveats.datasets.loading import load

__all__ = ["Dataset", "load"]
