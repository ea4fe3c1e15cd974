"""The changes that a trial tries: one setting each, and pairs of the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caveats.config import RunConfig, is_live
from caveats.errors import ConfigError
from caveats.training.optimizers import OPTIMIZERS

__all__ = ["CONTROL", "FACTORS", "Candidate", "candidates", "pairs"]

FACTORS = (0.1, 0.3, 3.0, 10.0)  # of the learning rate
CLIP = 1.0
WIDER = 2
INITS = {
    "tanh": "xavier_normal", "tanh_plus_one": "xavier_normal", "sigmoid": "xavier_normal",
    "softsign": "xavier_normal", "hard_tanh": "xavier_normal", "identity": "xavier_normal",
    "hard_sigmoid": "xavier_normal", "selu": "lecun_normal",
}  # fmt: skip
ACTIVATIONS = ("relu", "leaky_relu", "tanh")


@dataclass(frozen=True)
class Candidate:
    """A change of config, dotted key to value; empty for the control, which goes on as it is.

    ``live`` says that it keeps the run's weights: then it starts from the present ones, else from
    fresh ones. ``parts`` is the number of settings that a person would have to change.
    """

    change: Mapping[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return all(is_live(key) for key in self.change)

    @property
    def parts(self) -> int:
        return len(self.change)


CONTROL = Candidate()


def candidates(config: RunConfig) -> list[Candidate]:
    """The control and all single changes that make a valid config other than ``config``, in a fixed
    order."""
    o, n = config.optimizer, config.network
    # Two digits, so that a rate reads well where it is shown.
    changes: list[dict[str, Any]] = [
        {"optimizer.lr": float(f"{o.lr * factor:.2g}")} for factor in FACTORS
    ]
    changes.append({"optimizer.lr": OPTIMIZERS[o.name].lr})
    if o.name == "sgd":
        changes.append({"optimizer.name": "momentum"})
    # Adam's rates have no relation to those of SGD: it comes with its own.
    if o.name not in ("adam", "adamw", "nadam", "radam", "adamax"):
        changes.append({"optimizer.name": "adam", "optimizer.lr": OPTIMIZERS["adam"].lr})
    changes.append({"optimizer.clip_norm": CLIP})
    changes.append({"data.standardize": True})
    if n.widths:
        changes.append({"network.init": INITS.get(n.activations[0], "he_normal")})
        changes += [{"network.activation": name} for name in ACTIVATIONS]
        changes += [{"network.normalization": name} for name in ("batch", "layer")]
        changes.append({"network.residual": True})
        changes.append({"network.bias": 0.0})
        changes.append({"network.dropout": 0.0})
        changes.append({"network.widths": [WIDER * width for width in n.widths]})
    return [CONTROL, *distinct(config, changes)]


def distinct(config: RunConfig, changes: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """Those of ``changes`` that the config accepts and that make a difference."""
    seen, found = [config], []
    for change in changes:
        try:
            changed = config.changed(change)
        except ConfigError:
            continue
        if changed not in seen:
            seen.append(changed)
            found.append(Candidate(change))
    return found


def pairs(config: RunConfig, best: Sequence[Candidate]) -> list[Candidate]:
    """Two of the ``best`` single changes at once, where they change different settings."""
    both = [
        {**a.change, **b.change}
        for index, a in enumerate(best)
        for b in best[index + 1 :]
        if not a.change.keys() & b.change.keys()
    ]
    return distinct(config, both)
