"""What sets the runs of a list apart: of each, the settings that most of the others have not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from caveats.config import RunConfig
from caveats.config.settings import SETTINGS
from caveats.data.catalogue import DATASETS
from caveats.models.initializers import INITIALIZERS
from caveats.training.optimizers import OPTIMIZERS
from caveats_tui.text.settings import called, shown

__all__ = ["told_apart"]

# Choices whose value says by itself what it is.
PLAIN = ("data.name", "network.activation", "network.init", "optimizer.name")
FIRST = ("data.name", "data.file", *SETTINGS)  # the order in which they are told


def told_apart(configs: Sequence[RunConfig | None]) -> list[str]:
    """For each config, the settings whose value at most half of the configs have: "adam · lr
    0.003". What the fewest have comes first, since a narrow list cuts the last. It is empty for
    None (a watched run), and where nothing differs. The settings of a data set, an initialiser or
    an optimizer count only where they are not the default ones."""
    known = [None if config is None else telling(config) for config in configs]
    flats = [flat for flat in known if flat is not None]
    counts = Counter(item for flat in flats for item in flat.items())
    order = {key: place for place, key in enumerate(dict.fromkeys(FIRST))}
    texts = []
    for flat in known:
        apart = [
            (counts[key, value], order.get(key, len(order)), key, value)
            for key, value in (flat or {}).items()
            if 2 * counts[key, value] <= len(flats) and len(flats) > 1
        ]
        texts.append(" · ".join(word(key, value) for *_, key, value in sorted(apart)))
    return texts


def telling(config: RunConfig) -> dict[str, str]:
    """A config's settings in words; a data set's or an optimizer's own only where they were
    chosen."""
    chosen = config.flat()
    name = config.data.name
    own = {"optimizer": OPTIMIZERS[config.optimizer.name].options}
    own["data"] = () if name is None else DATASETS[name].options
    for section, options in own.items():
        for option in options:
            key = f"{section}.{option.name}"
            if key in chosen and same(chosen[key], option.default):
                del chosen[key]
    if not config.network.inits:
        init = config.network.init
        parts = {option.name: option.default for option in INITIALIZERS[init.name].options}
        words = [f"{k} {shown(v)}" for k, v in init.options.items() if not same(v, parts[k])]
        chosen["network.init"] = " ".join((init.name, *words))
    chosen.pop("data.target", None)  # the file tells more
    return {key: shown(value) for key, value in chosen.items()}


def same(value: Any, default: Any) -> bool:
    return bool(plain(value) == plain(default))


def plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def word(key: str, value: str) -> str:
    if key in PLAIN:
        return value
    if key == "data.file":
        return value.rpartition("/")[2]
    if key == "data.seed":
        return f"data seed {value}"
    return f"{called(key)} {value or 'none'}"
