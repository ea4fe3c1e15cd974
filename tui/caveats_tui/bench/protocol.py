"""What a screen may ask of a bench, whether the bench trains a run or shows a kept one.

Every method returns at once; messages for the user are left in ``notice``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from caveats.config import RunConfig
from caveats.experiments import Experiment
from caveats.status import Status
from caveats.verdicts import Remedy, Verdict
from caveats_tui.bench.cure import Cure
from caveats_tui.bench.forecast import Forecast
from caveats_tui.bench.race import Offer
from caveats_tui.bench.seeds import Seeds
from caveats_tui.charts.trace import Trace

if TYPE_CHECKING:
    from torch import nn

    from caveats.data import Dataset

__all__ = ["Bench", "Question"]

Question = Callable[["nn.Module", "Dataset"], Any]


class Bench(Protocol):
    """A run on the screen and what may be done with it.

    ``notice`` is the sentence about the last thing the user did, empty where it worked; ``notes``
    are messages besides the run's own events. ``limit`` is how many steps a second are made at
    most, 0 without limit; ``elapsed`` is how many seconds the run has been training on the screen.
    ``watching`` says whether the run is only looked at; ``frames`` is how many frames a second are
    drawn while it trains; ``cure`` is the remedy
    that was tried last; ``seeds`` train each run's setup beside it.
    """

    config: RunConfig
    notice: str
    notes: list[str]
    watching: bool
    frames: float
    limit: float
    elapsed: float
    cure: Cure | None
    seeds: Seeds

    def begin(self) -> None:
        """Start the threads; torch is imported in one of them."""

    def end(self, *, discard: bool = False) -> None:
        """Stop, after everything kept is safe on disk; ``discard`` moves the present run to the
        trash."""

    def heed(self) -> None:
        """Call once a frame: take in what has happened since the last frame."""

    # What is shown

    @property
    def ghost(self) -> Trace | None:
        """An earlier run's curves."""

    @property
    def shown(self) -> RunConfig:
        """The setup that the charts are of. ``config`` differs from it where settings were changed
        after the run had ended: they wait for the next run."""

    @property
    def status(self) -> Status: ...

    @property
    def running(self) -> bool:
        """Whether training, or the process of the watched run, is going on now."""

    @property
    def folder(self) -> Path | None:
        """Where the present run is kept, None where it is not."""

    @property
    def dataset(self) -> Dataset | None:
        """The data that the present run learns from, None while they are not known."""

    @property
    def outputs(self) -> int | None:
        """The width of the output layer, None while it is not known."""

    @property
    def forecast(self) -> Forecast | None:
        """What theory predicts for the present setup, None while nothing is known."""

    @property
    def alarm(self) -> str:
        """A message more urgent than any verdict, "" if there is none."""

    @property
    def hint(self) -> str:
        """What to say when nothing is wrong, "" for the lab's own hint for the state."""

    @property
    def mode(self) -> tuple[str, str] | None:
        """A symbol and words that replace the state in the header, None to show the state."""

    @property
    def before(self) -> tuple[str, ...]:
        """The settings of the ghost that are others now, as words; () without a ghost."""

    @property
    def origin(self) -> str:
        """Which network answers `ask`, in words; "" for the network as it is now."""

    @property
    def replays(self) -> bool:
        """Whether a kept run is played again."""

    def trace(self) -> Trace | None:
        """The present run's records, None while there is no run."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the records that are shown, worst first."""

    def ask(
        self, question: Question, then: Callable[[Any], None], refuse: Callable[[str], None]
    ) -> None:
        """Ask the run's network, which must not be changed. Either ``then`` gets the answer, or
        ``refuse`` a sentence saying why there is none; both are called on another thread."""

    # Changing the setup, and running it

    def may_change(self) -> bool:
        """Whether this bench can change setup and training; if not, False and a notice."""

    def apply(self, changes: Mapping[str, Any]) -> bool:
        """Change the setup; where that is impossible, False and a notice."""

    def load(self, experiment: Experiment, *, play: bool = False) -> None:
        """Set the experiment up, paused at step 0; with ``play`` it trains at once."""

    def undo(self) -> None:
        """Undo the last change of the setup."""

    def play_or_pause(self) -> None: ...

    def step(self) -> None: ...

    def restart(self) -> None:
        """Begin again from step 0, running if it was running; the curves so far become the
        ghost."""

    def curable(self) -> Verdict | None:
        """The worst verdict that has a remedy; where there is none, that of the failed run whose
        cure is being tried; else None and a notice."""

    @property
    def races(self) -> bool:
        """Whether the remedies of a failed run race while no run trains."""

    def leave_race(self) -> None:
        """Stop a race that goes on. The next `heed` that finds no run training begins it again."""

    def offer(self, verdict: Verdict) -> Offer:
        """The remedies of a verdict, with what a race has found of each so far."""

    def setup_of(self, verdict: Verdict) -> RunConfig:
        """The setup that a verdict is about: the present one, or that of the failed run."""

    def fix(self, verdict: Verdict, remedy: Remedy) -> None:
        """Try a remedy: same seed and data, from step 0, the failed run as the ghost."""

    def toggle_ghost(self) -> None:
        """Pin the present run as the ghost; if there is a ghost, remove it."""

    # Kept runs

    def to_resume(self) -> Path | None:
        """The folder of the run on the screen if it can be resumed here; else None and a notice."""

    def resume(self, folder: Path) -> bool:
        """Continue a kept run in its own folder; False if this bench trains nothing."""

    def look_back(self, records: int) -> None:
        """Move the time cursor by ``records`` records."""

    def look_at(self, step: float) -> None:
        """Move the time cursor to the record nearest to ``step``."""

    def hasten(self, times: float) -> None:
        """Multiply the speed of the replay by ``times``; in training, the next speed of slow motion
        in that direction."""
