"""`caveats.watch`: one line that watches a model in a script or a notebook."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from torch import nn

from caveats.errors import ConfigError
from caveats.history import History
from caveats.measuring.passing import unwrapped
from caveats.verdicts import Verdict
from caveats.watching.budget import BUDGET
from caveats.watching.instruments import Instruments
from caveats.watching.models import Model, parameters_of, script_name, trained

__all__ = ["Watch", "watch"]


class Watch:
    """What `watch` returns; leaving the ``with`` block closes it."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        instruments.install()

    @property
    def history(self) -> History:
        """The records so far; none before the first step."""
        history = self._instruments.trainings[0].history
        return History(()) if history is None else history

    @property
    def unobserved(self) -> dict[str, str]:
        """What could not be seen, with the reason."""
        return dict(self._instruments.trainings[0].unobserved)

    @property
    def problem(self) -> str:
        """Why nothing more is measured, "" while all is well."""
        return self._instruments.problem or self._instruments.trainings[0].problem

    @property
    def overhead(self) -> float:
        """The share of the time that watching has taken."""
        return self._instruments.trainings[0].budget.overhead

    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that hold now, worst first."""
        return self._instruments.trainings[0].judge.look(self.history)

    def close(self) -> None:
        """Take every hook and patched function out; history and verdicts stay."""
        self._instruments.remove()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def watch(
    model: nn.Module, optimizer: Any = None, *, every: int | None = None, budget: float = BUDGET
) -> Watch:
    """Watch the training of ``model`` by ``optimizer`` from now on.

        with caveats.watch(model, optimizer) as seen:
            train(model, optimizer)
        for verdict in seen.verdicts():
            print(verdict.severity, verdict.title, verdict.what)

    The training is the same to the bit with and without. Without an ``optimizer``, a step is a
    backward pass after which the parameters have changed. ``every`` samples each so many steps;
    by default as often as ``budget``, a share of the time, allows.

    Raises:
        ConfigError: if the model has no parameters, or none of them is in the optimizer.
    """
    root = unwrapped(model)
    own = tuple(trained(root))
    if optimizer is not None:
        held = {id(p) for p in parameters_of(optimizer)}
        own = tuple((name, p) for name, p in own if id(p) in held)
        if not own:
            raise ConfigError(
                f"the optimizer has no parameter of the {type(root).__name__}: it would train "
                "something else"
            )
    if not own:
        raise ConfigError(f"the {type(root).__name__} has no parameters to watch")
    found = Model(script_name(root), root, own)
    return Watch(Instruments(every, budget, only=[(found, optimizer)]))
