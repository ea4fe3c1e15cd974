"""The trial of a run's steps: what other learning rates, momentum and Adam come to in as many steps
as the run has, 100 to 300, beside the run's own steps.

They are tried from three starts. From the run's present weights a trial shows what helps now; from
its own start, with the same seed, what would have helped; and from the start of a sound network of
the same widths on the same data, where nothing but the step can be at fault. The same run at the
same step has the same trial on any machine, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.config.declared import declared_optimizer
from caveats.facts import Origin, Trial, TriedStep
from caveats.history import Event
from caveats.remedies import changes, customary
from caveats.trials.race import CONTROL, Result, Start, dataset_of, heat
from caveats.verdicts import Remedy, worth_a_trial

if TYPE_CHECKING:
    from caveats.run import Run

__all__ = ["RATES", "length", "prove", "trial_event", "tried_steps"]

FEWEST, MOST = 100, 300  # steps of a trial
RATES = (0.01, 0.1, 0.3, 3.0, 10.0, 100.0)  # times the run's own


def prove(run: Run, stop: Callable[[], bool] = lambda: False) -> Trial | None:
    """Make the trial of a run that stands at a record, if it can tell more about it
    (`caveats.verdicts.worth_a_trial`), and note it in its history, where rules find it. None where
    there was no trial. The run itself stays as it is.

    Raises:
        caveats.trials.race.Stopped: once ``stop`` answers True.
    """
    if not worth_a_trial(run.history):
        return None
    trial = tried_steps(Start.on_cpu(run), stop=stop)
    run.history.note(trial_event(trial))
    return trial


def trial_event(trial: Trial) -> Event:
    """A trial as an event of the run's history."""
    text = f"other steps were tried for {trial.steps} steps each"
    return Event(trial.step, "trial", text, trial=trial)


def length(config: RunConfig) -> int:
    """How many steps the trial of a run of ``config`` makes: as many as the run, within limits."""
    return max(FEWEST, min(config.training.steps, MOST))


def tried_steps(
    start: Start, steps: int | None = None, stop: Callable[[], bool] = lambda: False
) -> Trial:
    """The trial of a run in the state of ``start``, for ``steps`` steps (None: `length`).

    Raises:
        caveats.trials.race.Stopped: once ``stop`` answers True.
    """
    config = start.config
    steps = length(config) if steps is None else steps
    made = 0 if start.state is None else int(start.state["step"])
    fresh = Start(config, start.dataset)
    sound_config = config.changed(sound(config))
    sounded = Start(sound_config, dataset_of(start, sound_config))
    starts: tuple[tuple[Origin, Start, Sequence[Remedy]], ...] = (
        ("present", start, other_steps(config)),
        ("start", fresh, other_steps(config)),
        ("sound", sounded, rates(config)),
    )
    tried = [
        told(origin, config, result)
        for origin, own, remedies in starts
        for result in heat(own, (CONTROL, *remedies), steps, stop, lambda _: None, halving=False)
    ]
    return Trial(made, steps, tuple(tried))


def rates(config: RunConfig) -> list[Remedy]:
    lr = config.optimizer.lr
    return [Remedy({"optimizer.lr": lr * times}, f"{times:g} times the rate") for times in RATES]


def other_steps(config: RunConfig) -> list[Remedy]:
    kinds = changes.momentum(config), changes.adam(config, customary.adam_lr(config))
    return rates(config) + [remedy for remedy in kinds if remedy is not None]


def sound(config: RunConfig) -> dict[str, object]:
    """What makes the network of a config sound, whatever is wrong with it; its step stays."""
    deep = len(config.network.widths) >= customary.SIX
    return {
        "network.activation": "relu", "network.init": "he_normal", "network.bias": 0.0,
        "network.dropout": 0.0, "network.normalization": "layer" if deep else "none",
        "network.residual": deep and len(set(config.network.widths)) == 1,
        "data.standardize": True, "optimizer.clip_norm": 0.0,
    }  # fmt: skip


def told(origin: Origin, config: RunConfig, result: Result) -> TriedStep:
    tried = declared_optimizer(config.changed(result.change))
    times = tried.lr / config.optimizer.lr
    return TriedStep(origin, tried.kind, times, result.losses[0], result.loss, result.learnt)
