"""Many networks of one shape as one tensor program: drawn, trained and measured together."""

from caveats.stacks.packing import Trained, train
from caveats.stacks.shape import grouped
from caveats.stacks.stack import Stack

__all__ = ["Stack", "Trained", "grouped", "train"]
