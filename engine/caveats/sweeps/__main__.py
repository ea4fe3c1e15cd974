"""``python -m caveats.sweeps DIR``: trains what is missing of a sweep in processes, as a program
that a screen starts beside itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from caveats.sweeps.executors import local
from caveats.sweeps.folder import Sweep


def main() -> None:
    os.nice(10)  # screens come first
    local(Sweep(Path(sys.argv[1])), None, lambda task, word: None)


if __name__ == "__main__":
    main()
