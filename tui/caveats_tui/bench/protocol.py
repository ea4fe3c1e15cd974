"""What a screen may ask of the thing it works on, whether that trains a run or looks at a kept one.

Every method answers at once and knows no widget: what there is to say is left in ``notice``.
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
from caveats_tui.charts.trace import Trace

if TYPE_CHECKING:
    from torch import nn

    from caveats.data import Dataset

__all__ = ["Bench", "Question"]

Question = Callable[["nn.Module", "Dataset"], Any]


class Bench(Protocol):
    """A run on the screen and what may be done with it.

    ``notice`` is the sentence about the last thing the person did, empty where it worked; ``notes``
    is what happened beside the run's own events. ``watching`` is whether the run is only looked at,
    ``frames`` how many a second are drawn while it trains, ``ghost`` an earlier run's name and
    curves, ``cure`` the remedy that was tried last.
    """

    config: RunConfig
    notice: str
    notes: list[str]
    watching: bool
    frames: float
    ghost: tuple[str, Trace] | None
    cure: Cure | None

    def begin(self) -> None:
        """Start the threads; torch is imported in one of them."""

    def end(self, *, discard: bool = False) -> None:
        """Stop, with what is kept safe on disk; ``discard`` moves the present run to the trash."""

    def heed(self) -> None:
        """Call once a frame: take in what has happened since the last one."""

    # What there is to see

    @property
    def status(self) -> Status: ...

    @property
    def running(self) -> bool:
        """Whether training, or the replay's process, goes on now."""

    @property
    def folder(self) -> Path | None:
        """Where the present run is kept, None where it is not."""

    @property
    def dataset(self) -> Dataset | None:
        """What the present run learns from, None while that is not known."""

    @property
    def outputs(self) -> int | None:
        """How wide the output layer is, None while that is not known."""

    @property
    def forecast(self) -> Forecast | None:
        """What theory says of the present setup, None while nothing is known."""

    @property
    def alarm(self) -> str:
        """What comes before any verdict, "" where nothing does."""

    @property
    def hint(self) -> str:
        """What to say where nothing is wrong, "" for what the lab says of the state."""

    @property
    def mode(self) -> tuple[str, str] | None:
        """A symbol and words for the header in place of the state's, None for the state's own."""

    @property
    def origin(self) -> str:
        """Where the answers to `ask` come from, "" for the network as it is now."""

    def trace(self) -> Trace | None:
        """The present run's records, None while there is no run."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """What holds of the records that are shown, worst first."""

    def ask(
        self, question: Question, then: Callable[[Any], None], refuse: Callable[[str], None]
    ) -> None:
        """Ask the run's network, which must be left as it is; ``then`` takes the answer, or
        ``refuse`` the sentence why there is none, both on another thread."""

    # Changing the setup, and running it

    def may_change(self) -> bool:
        """Whether setup and training are this bench's to change; False with a notice."""

    def apply(self, changes: Mapping[str, Any]) -> bool:
        """Change the setup; False, with a notice, where that cannot be."""

    def load(self, experiment: Experiment) -> None:
        """Set the experiment up, paused at step 0."""

    def undo(self) -> None:
        """Take the last change of the setup back."""

    def play_or_pause(self) -> None: ...

    def step(self) -> None: ...

    def restart(self) -> None:
        """Begin again from step 0, running if it was; the curves so far become the ghost."""

    def curable(self) -> Verdict | None:
        """The worst verdict that has a remedy, None with a notice where there is none."""

    def fix(self, verdict: Verdict, remedy: Remedy) -> None:
        """Try a remedy: same seed and data, from step 0, the failed run as the ghost."""

    def toggle_ghost(self) -> None:
        """Pin the present run as the ghost; where there is a ghost, let it go."""

    # Kept runs

    def to_resume(self) -> Path | None:
        """The folder of the run on the screen that can go on here; None with a notice."""

    def resume(self, folder: Path) -> bool:
        """Go on with a kept run, in its own folder; False where this bench trains nothing."""

    def look_back(self, records: int) -> None:
        """Move the time cursor by so many records."""

    def hasten(self, times: float) -> None:
        """Play so many times as fast as now."""
