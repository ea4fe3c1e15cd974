"""A run's configuration: read from TOML, changed, compared, and written as TOML.

It needs neither torch nor the data. What depends on the data (a batch larger than them, a missing
column) is checked when they are loaded.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import tomli_w

from caveats.choice import as_toml
from caveats.config.checking import (
    MAX_LAYERS,
    read_data,
    read_network,
    read_optimizer,
    read_training,
)
from caveats.config.settings import SECTIONS, SETTINGS
from caveats.data.section import DataConfig
from caveats.errors import ConfigError, nearest, visible
from caveats.models.section import NetworkConfig
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.section import OptimizerConfig, TrainingConfig

__all__ = ["RunConfig", "is_live", "parse_assignment"]

LARGEST = 2**20  # characters of a file: a config of 1,000 layers has 40,000


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All settings of a run. Two runs with equal configs end with equal weights on one machine.

    Make one with `from_toml`, `from_dict` or `read`: these check every value. `changed` gives a
    new one with some dotted keys changed. ``batch_given`` says whether a person chose the size of
    the batches; the default one is made to fit the data (`fitted`).
    """

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    batch_given: bool = field(default=False, compare=False, repr=False)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], source: str = "config") -> RunConfig:
        """Read nested sections, as TOML gives them; keys that are not given take their defaults.

        Raises:
            ConfigError: one sentence naming ``source``, the key, the value and what is valid.
        """
        for name, section in tree.items():
            if name not in SECTIONS:
                raise ConfigError(
                    f"{source}: [{visible(name)}] is no section: {nearest(name, SECTIONS)}"
                )
            if not isinstance(section, Mapping):
                raise ConfigError(f"{source}: {name} should be a section, as [{name}]")
        parts = {name: dict(tree.get(name, {})) for name in SECTIONS}
        return cls(
            data=read_data(parts["data"], source),
            network=read_network(parts["network"], source),
            optimizer=read_optimizer(parts["optimizer"], source),
            training=read_training(parts["training"], source),
            batch_given="batch_size" in parts["training"],
        )

    @classmethod
    def from_toml(cls, text: str, source: str = "config") -> RunConfig:
        """Read TOML text; raises ConfigError as `from_dict` does, and for text that is not TOML."""
        try:
            tree = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also numbers of more than 4,300 digits
            raise ConfigError(f"{source} is not valid TOML: {visible(error)}") from None
        return cls.from_dict(tree, source)

    @classmethod
    def read(cls, path: str | Path) -> RunConfig:
        """Read a TOML file; a relative data.file is relative to the config's folder."""
        shown = visible(path)
        try:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(LARGEST + 1)
        except OSError as error:
            raise ConfigError(f"{shown} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{shown} is not UTF-8 text, so it cannot be TOML") from None
        except ValueError:
            raise ConfigError(f"{shown} cannot be the name of a file") from None
        if len(text) > LARGEST:
            raise ConfigError(f"{shown} is longer than {LARGEST:,} characters: it is no config")
        config = cls.from_toml(text, shown)
        if config.data.file is None or Path(config.data.file).is_absolute():
            return config
        beside = str(Path(path).parent / config.data.file)
        return replace(config, data=replace(config.data, file=beside))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Every setting as nested plain values: `from_dict` gives an equal config back."""
        return {
            "data": self.data.settings(),
            "network": self.network.settings(),
            "optimizer": self.optimizer.settings(),
            "training": self.training.settings(),
        }

    def to_toml(self) -> str:
        return tomli_w.dumps(self.to_dict())

    def flat(self) -> dict[str, Any]:
        """Every setting as dotted key and plain value, to show a config or to compare two. Unlike
        `to_dict` it has the settings that are written only where they are not at their default."""
        written = {
            f"{section}.{key}": value
            for section, values in self.to_dict().items()
            for key, value in values.items()
        }
        quiet = {s.key: s.default for s in SETTINGS.values() if s.quiet and s.key not in written}
        options = {f"data.{key}": value for key, value in as_toml(self.data.options).items()}
        return {**written, **options, **quiet}

    def changed(self, changes: Mapping[str, Any], source: str = "config") -> RunConfig:
        """This config with dotted keys changed: ``{"optimizer.lr": 0.01}``.

        A new data set, initialiser or optimizer starts with the defaults of its own settings. A
        new optimizer takes its default learning rate if the old one had its default rate. An
        activation shared by all layers is also used for new widths. A number of steps replaces a
        number of epochs, and the other way round.

        Raises:
            ConfigError: as `from_dict`.
        """
        tree = self.to_dict()
        if self._batch_by_default:
            del tree["training"]["batch_size"]
        changes = {key: canonical(key, value) for key, value in changes.items()}
        for key, value in changes.items():
            if key in ("data.name", "data.file") and value != tree["data"].get(key[5:]):
                kept = {"standardize": self.data.standardize, "validation": self.data.validation}
                tree["data"] = kept
            elif key == "optimizer.name" and value != self.optimizer.name:
                tree["optimizer"] = self._for_another_optimizer()
        if changes.get("training.epochs"):
            tree["training"].pop("steps", None)
        elif "training.steps" in changes:
            tree["training"].pop("epochs", None)
        # Set a table or a name before the settings that belong to it, in whatever order they came.
        for key in sorted(changes, key=lambda key: (key.count("."), not key.endswith(".name"))):
            set_dotted(tree, key, changes[key], source)
        return RunConfig.from_dict(tree, source)

    @property
    def _batch_by_default(self) -> bool:
        default = SETTINGS["training.batch_size"].default
        return not self.batch_given and self.training.batch_size == default

    def fitted(self, rows: int) -> RunConfig:
        """This config for data of ``rows`` training rows: default batches are no larger than the
        data, and epochs become steps. A batch size that a person gave stays, right or wrong."""
        fitted = self
        if self._batch_by_default and self.training.batch_size > rows:
            training = replace(self.training, batch_size=rows)
            fitted = replace(self, training=training, batch_given=True)
        training = fitted.training
        if training.epochs:
            steps = -(-training.epochs * rows // (training.batch_size or rows))  # rounded up
            fitted = replace(fitted, training=replace(training, steps=steps, epochs=0))
        return fitted

    def _for_another_optimizer(self) -> dict[str, Any]:
        old = self.optimizer
        kept = {"clip_norm": old.clip_norm, "schedule": old.schedule}
        return kept if old.lr == OPTIMIZERS[old.name].lr else {"lr": old.lr, **kept}

    def restarts(self, other: RunConfig) -> bool:
        """Whether the change from this config to ``other`` needs new weights or new data."""
        mine, theirs = self.flat(), other.flat()
        differ = {key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}
        return any(not is_live(key) for key in differ)


def canonical(key: str, value: Any) -> Any:
    """A value with its alias replaced, so that "SGD" is no change from "sgd"."""
    setting = SETTINGS.get("network.init" if key == "network.init.name" else key)
    return value if setting is None or setting.table is None else setting.table.canonical(value)


def is_live(key: str) -> bool:
    """Whether a dotted key may change during a run (the settings of an optimizer may)."""
    setting = SETTINGS.get(key)
    return setting.live if setting else key.startswith("optimizer.")


def set_dotted(tree: dict[str, Any], key: str, value: Any, source: str) -> None:
    section, _, rest = key.partition(".")
    if section not in SECTIONS or not rest:
        same = [full for full in SETTINGS if full.partition(".")[2] == key]
        end = f"did you mean {same[0]!r}?" if same else nearest(key, SETTINGS)
        raise ConfigError(f"{source}: {visible(key)} is no setting: {end}")
    if rest.startswith("init.") and section == "network":
        init = tree["network"]["init"]
        if isinstance(init, list):
            raise ConfigError(
                f"{source}: {visible(key)} is for one initialiser, but network.init is a list: "
                "change the list"
            )
        table = dict(init) if isinstance(init, Mapping) else {"name": init}
        if rest == "init.name" and value != table.get("name"):
            table = {}  # another initialiser has settings of its own
        table[rest.removeprefix("init.")] = value
        tree["network"]["init"] = table
    else:
        tree[section][rest] = value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Read one ``--set KEY=VALUE``. The value is read as TOML if it is TOML (``.3`` and ``1.`` are
    also read as numbers), ``64-64`` and ``64x20`` as widths, anything else as a word.

    Raises:
        ConfigError: if there is no "=".
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise ConfigError(f"--set {visible(text)} should be KEY=VALUE, such as optimizer.lr=0.01")
    if key == "network.widths" and re.fullmatch(r"\d+([x×]\d{1,4})?(-\d+([x×]\d{1,4})?)*", value):
        parts = [re.split("[x×]", part) for part in value.split("-")]
        widths = (int(w) for w, *times in parts for _ in range(int(*times or ["1"])))
        return key, list(islice(widths, MAX_LAYERS + 1))  # one more than allowed is refused as well
    # TOML wants a digit on both sides of the point.
    padded = re.sub(r"(?<![\w.])\.(?=\d)", "0.", re.sub(r"(?<=\d)\.(?![\d.])", ".0", value))
    for written in (value, padded):
        try:
            parsed = tomllib.loads(f"value = {written}")
        except (ValueError, RecursionError):
            continue
        # "a\nb = 1" would be read as two keys: only a single value is accepted.
        return key, parsed["value"] if len(parsed) == 1 else value
    return key, value
