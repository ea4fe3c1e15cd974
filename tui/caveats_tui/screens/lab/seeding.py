"""Asks with how many seeds the setup trains beside its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caveats.errors import ConfigError, visible
from caveats_tui.options import MOST_SEEDS
from caveats_tui.screens.dialogs import Edit

if TYPE_CHECKING:
    from caveats_tui.screens.lab.screen import LabScreen

__all__ = ["ask"]

USUAL = 8
SENTENCE = (
    "Each run's setup is trained with this many seeds beside it, the run's own among them. Charts "
    "of lines show their mean, dotted, and the range from the lowest to the highest, shaded. "
    "1 for none."
)


def ask(lab: LabScreen) -> None:
    """Open a line in which to type the number of seeds."""
    bench = lab.bench
    if not bench.may_change():
        return lab.frame()

    def took(text: str | None) -> None:
        if text is not None:
            lab.notice(bench.seeds.ask(number(text)))

    now = bench.seeds.count if bench.seeds.count > 1 else USUAL
    lab.app.push_screen(Edit("seeds", SENTENCE, str(now), number), took)


def number(text: str) -> int:
    """The number that was typed; raises ConfigError for anything else."""
    typed = text.strip()
    count = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 4 else 0
    if not 1 <= count <= MOST_SEEDS:
        raise ConfigError(f"{visible(repr(typed))} should be a whole number from 1 to {MOST_SEEDS}")
    return count
