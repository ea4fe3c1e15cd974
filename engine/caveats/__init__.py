"""The engine of caveats-tui: trains, measures, judges and predicts; knows no terminal.

    from caveats import Run, RunConfig, judge

    run = Run(RunConfig.from_dict({"optimizer": {"name": "adam", "lr": 0.3}}))
    while not run.finished:
        run.advance()
    for verdict in judge(run.history):
        print(verdict.severity, verdict.title, verdict.what)

Names are imported when they are first used: reading a config does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveats.errors import ConfigError

if TYPE_CHECKING:
    from caveats.config import RunConfig
    from caveats.data import Dataset, load
    from caveats.history import History, Snapshot
    from caveats.measuring.anatomy import anatomy
    from caveats.measuring.optimizing import optimizer_facts
    from caveats.measuring.probe import ForwardProbe, Measurement, Probe
    from caveats.run import Run
    from caveats.session import Session
    from caveats.status import Status
    from caveats.theory import Prediction, predict
    from caveats.verdicts import Judge, Verdict, judge
    from caveats.watching.facade import Watch, watch

__all__ = [
    "ConfigError",
    "Dataset",
    "ForwardProbe",
    "History",
    "Judge",
    "Measurement",
    "Prediction",
    "Probe",
    "Run",
    "RunConfig",
    "Session",
    "Snapshot",
    "Status",
    "Verdict",
    "Watch",
    "anatomy",
    "judge",
    "load",
    "optimizer_facts",
    "predict",
    "watch",
]

_HOMES = {
    "config": ("RunConfig",),
    "data": ("Dataset", "load"),
    "history": ("History", "Snapshot"),
    "measuring.anatomy": ("anatomy",),
    "measuring.optimizing": ("optimizer_facts",),
    "measuring.probe": ("ForwardProbe", "Measurement", "Probe"),
    "run": ("Run",),
    "session": ("Session",),
    "status": ("Status",),
    "theory": ("Prediction", "predict"),
    "verdicts": ("Judge", "Verdict", "judge"),
    "watching.facade": ("Watch", "watch"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"caveats.{home}"), name)
    raise AttributeError(f"module 'caveats' has no attribute {name!r}")
