"""The table of settings: every key of a config, its valid values, and whether it may change during
a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caveats.choice import Option, Table, Value
from caveats.data.catalogue import DATASETS
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.models.output_activations import OUTPUT_ACTIVATIONS
from caveats.training.losses import LOSSES
from caveats.training.objective import CLASS_WEIGHTS
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES

__all__ = ["SECTIONS", "SETTINGS", "Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. Numbers and switches have an ``option``, choices a ``table``. The few keys with
    neither (widths, files, device) are read by functions of their own in `caveats.config.checking`.

    A ``live`` key can change during a run, which keeps its weights; the others restart the run. A
    ``quiet`` key is written only where it is not at its default, so that configs from before it
    existed stay as they are.
    """

    key: str
    label: str
    sentence: str
    default: Value | tuple[int, ...] | None
    option: Option | None = None
    table: Table[Any] | None = None
    live: bool = False
    quiet: bool = False

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        return self.key.partition(".")[2]


def number(
    key: str,
    label: str,
    default: bool | int | float,
    sentence: str,
    low: float | None = None,
    high: float | None = None,
    *,
    open_low: bool = False,
    open_high: bool = False,
    live: bool = False,
    quiet: bool = False,
) -> Setting:
    name = key.partition(".")[2]
    option = Option(name, default, sentence, low, high, open_low, open_high)
    return Setting(key, label, sentence, default, option=option, live=live, quiet=quiet)


def choice(
    key: str,
    label: str,
    default: str,
    sentence: str,
    table: Table[Any],
    *,
    live: bool = False,
    quiet: bool = False,
) -> Setting:
    return Setting(key, label, sentence, default, table=table, live=live, quiet=quiet)


# In the order of the lab's list, which starts with what matters most.
SETTINGS: dict[str, Setting] = {
    setting.key: setting
    for setting in (
        choice(
            "network.activation",
            "activation",
            "relu",
            "the bend after each hidden layer; a list gives each layer its own",
            ACTIVATIONS,
            live=True,
        ),
        choice(
            "network.init",
            "init",
            "he_normal",
            "how weights are drawn; a list gives each layer its own, the output layer last",
            INITIALIZERS,
        ),
        choice("optimizer.name", "optimizer", "sgd", "how a step is made", OPTIMIZERS, live=True),
        number(
            "optimizer.lr",
            "learning rate",
            0.1,
            "the size of a step",
            low=0.0,
            open_low=True,
            live=True,
        ),
        Setting("network.widths", "widths", "units of each hidden layer", (64, 64, 64)),
        choice("data.name", "data", "digits", "what the network learns", DATASETS),
        Setting("data.file", "file", "your own .npz (x, y) or .csv in place of data.name", None),
        Setting("data.target", "target column", "which column of a csv is the target", None),
        number("data.standardize", "standardize", True, "every input to mean 0 and variance 1"),
        number(
            "data.standardize_target",
            "standardize target",
            False,
            "a target of numbers to mean 0 and variance 1 over the training rows",
            quiet=True,
        ),
        number(
            "data.validation",
            "validation",
            0.0,
            "share of the rows held out, on which the loss is measured too",
            low=0.0,
            high=1.0,
            open_high=True,
            quiet=True,
        ),
        number("network.bias", "bias", 0.0, "added to every hidden bias at the start"),
        choice(
            "network.normalization",
            "normalization",
            "none",
            "what stands between weights and activation",
            NORMALIZATIONS,
        ),
        number("network.residual", "residual", False, "x + layer(x) where the widths allow it"),
        number(
            "network.dropout",
            "dropout",
            0.0,
            "share of each hidden layer switched off at random in each step",
            low=0.0,
            high=1.0,
            open_high=True,
            live=True,
        ),
        choice(
            "network.output_activation",
            "output activation",
            "none",
            "what stands behind the output layer",
            OUTPUT_ACTIVATIONS,
            quiet=True,
        ),
        number(
            "optimizer.clip_norm",
            "clip norm",
            0.0,
            "the whole gradient is scaled down to this length; 0 = never",
            low=0.0,
            live=True,
        ),
        choice(
            "optimizer.schedule",
            "schedule",
            "constant",
            "how the learning rate moves over the run",
            SCHEDULES,
            live=True,
        ),
        choice("training.loss", "loss", "auto", "what is made small", LOSSES),
        choice(
            "training.class_weight",
            "class weight",
            "none",
            "how much a row of each class counts",
            CLASS_WEIGHTS,
            quiet=True,
        ),
        number(
            "training.batch_size",
            "batch size",
            64,
            "rows of a step; 0 = all of them",
            low=0,
            live=True,
        ),
        number("training.steps", "steps", 1000, "how long the run is", low=1, live=True),
        number(
            "training.epochs",
            "epochs",
            0,
            "how often every row is seen, in place of steps; 0 = steps count",
            low=0,
            live=True,
            quiet=True,
        ),
        number(
            "training.seed", "seed", 0, "of weights, batches and dropout", low=0, high=2**63 - 1
        ),
        Setting("training.device", "device", "auto, cpu, cuda, cuda:N or mps", "auto"),
    )
}

SECTIONS: tuple[str, ...] = ("data", "network", "optimizer", "training")
