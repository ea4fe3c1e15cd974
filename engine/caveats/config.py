"""A run's configuration: read, checked, changed and written; TOML in, TOML out.

It knows which keys and values are valid (`caveats.settings`) and how to say what is not. It knows
neither torch nor the data: what only the data can tell (a batch larger than it, a missing column)
is checked where they are loaded.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli_w

from caveats.choices.base import Value
from caveats.choices.datasets import DATASETS
from caveats.choices.initializers import INITIALIZERS
from caveats.choices.optimizers import OPTIMIZERS
from caveats.errors import ConfigError, nearest, visible
from caveats.settings import SECTIONS, SETTINGS

__all__ = [
    "DataConfig",
    "InitConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "RunConfig",
    "TrainingConfig",
    "parse_assignment",
]

Options = Mapping[str, Value]
MAX_LAYERS = 1000
MAX_WIDTH = 1_000_000


@dataclass(frozen=True, slots=True)
class DataConfig:
    """[data]: a generated or shipped set by ``name``, or the user's own ``file``."""

    name: str | None = "digits"
    file: str | None = None
    target: str | None = None
    standardize: bool = True
    options: Options = field(default_factory=lambda: DATASETS["digits"].defaults())

    def settings(self) -> dict[str, Any]:
        """The section as plain TOML values, the form that `caveats.datasets.load` takes."""
        if self.file is not None:
            chosen: dict[str, Any] = {"file": self.file}
            if self.target is not None:
                chosen["target"] = self.target
        else:
            chosen = {"name": self.name}
        return {**chosen, "standardize": self.standardize, **plain(self.options)}


@dataclass(frozen=True, slots=True)
class InitConfig:
    """network.init: an initialiser and its settings."""

    name: str = "he_normal"
    options: Options = field(default_factory=dict)

    def settings(self) -> str | dict[str, Any]:
        return {"name": self.name, **plain(self.options)} if self.options else self.name


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """[network]: hidden layers of ``widths`` units, each with its entry of ``activations``."""

    widths: tuple[int, ...] = (64, 64, 64)
    activations: tuple[str, ...] = ("relu", "relu", "relu")
    init: InitConfig = field(default_factory=InitConfig)
    bias: float = 0.0
    normalization: str = "none"
    residual: bool = False
    dropout: float = 0.0

    @property
    def activation(self) -> str | list[str]:
        """As it is written: one name where all layers share it, else a list."""
        if len(set(self.activations)) == 1:
            return self.activations[0]
        return list(self.activations) or "identity"

    def settings(self) -> dict[str, Any]:
        return {
            "widths": list(self.widths),
            "activation": self.activation,
            "init": self.init.settings(),
            "bias": self.bias,
            "normalization": self.normalization,
            "residual": self.residual,
            "dropout": self.dropout,
        }


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """[optimizer]: its name, what all optimizers have, and its own ``options``."""

    name: str = "sgd"
    lr: float = 0.1
    clip_norm: float = 0.0
    schedule: str = "constant"
    options: Options = field(default_factory=lambda: OPTIMIZERS["sgd"].defaults())

    def settings(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lr": self.lr,
            **plain(self.options),
            "clip_norm": self.clip_norm,
            "schedule": self.schedule,
        }


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """[training]: what is minimised, for how long, and where."""

    loss: str = "auto"
    batch_size: int = 64
    steps: int = 1000
    seed: int = 0
    device: str = "auto"

    def settings(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "seed": self.seed,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All of a run. Two runs with equal configs end with equal weights on the same machine.

    Make one with `from_toml`, `from_dict` or `read`: these check every value. `changed` gives a
    new one with some dotted keys changed.
    """

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], source: str = "config") -> RunConfig:
        """Read nested sections, as TOML gives them; what is not named takes its default.

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
        )

    @classmethod
    def from_toml(cls, text: str, source: str = "config") -> RunConfig:
        """Read TOML text; raises ConfigError as `from_dict`, and for text that is no TOML."""
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{source} is no valid TOML: {visible(error)}") from None
        return cls.from_dict(tree, source)

    @classmethod
    def read(cls, path: str | Path) -> RunConfig:
        """Read a TOML file; a relative data.file is taken from the config's own folder."""
        shown = visible(path)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{shown} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{shown} is no UTF-8 text, so no TOML") from None
        config = cls.from_toml(text, shown)
        if config.data.file is None or Path(config.data.file).is_absolute():
            return config
        beside = str(Path(path).parent / config.data.file)
        return replace(config, data=replace(config.data, file=beside))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Nested plain values, complete: `from_dict` gives an equal config back."""
        return {
            "data": self.data.settings(),
            "network": self.network.settings(),
            "optimizer": self.optimizer.settings(),
            "training": self.training.settings(),
        }

    def to_toml(self) -> str:
        return tomli_w.dumps(self.to_dict())

    def flat(self) -> dict[str, Any]:
        """Dotted keys to plain values, for showing and for comparing two configs."""
        return {
            f"{section}.{key}": value
            for section, values in self.to_dict().items()
            for key, value in values.items()
        }

    def changed(self, changes: Mapping[str, Any], source: str = "config") -> RunConfig:
        """This config with dotted keys changed: ``{"optimizer.lr": 0.01}``.

        A new data set, initialiser or optimizer starts from its own settings' defaults; a new
        optimizer takes its customary learning rate where the old one had its own. One activation
        for all layers follows new widths.

        Raises:
            ConfigError: as `from_dict`.
        """
        tree = self.to_dict()
        for key, value in changes.items():
            if key in ("data.name", "data.file") and value != tree["data"].get(key[5:]):
                tree["data"] = {"standardize": self.data.standardize}
            elif key == "optimizer.name" and value != self.optimizer.name:
                tree["optimizer"] = self._for_another_optimizer()
        for key, value in changes.items():
            set_dotted(tree, key, value, source)
        return RunConfig.from_dict(tree, source)

    def _for_another_optimizer(self) -> dict[str, Any]:
        old = self.optimizer
        kept = {"clip_norm": old.clip_norm, "schedule": old.schedule}
        return kept if old.lr == OPTIMIZERS[old.name].lr else {"lr": old.lr, **kept}

    def restarts(self, other: RunConfig) -> bool:
        """Whether going from this config to ``other`` needs new weights or new data."""
        mine, theirs = self.flat(), other.flat()
        differ = {key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}
        return any(not is_live(key) for key in differ)


def is_live(key: str) -> bool:
    """Whether a dotted key may change while a run goes on (an optimizer's own settings may)."""
    setting = SETTINGS.get(key)
    return setting.live if setting else key.startswith("optimizer.")


def plain(options: Options) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}


def set_dotted(tree: dict[str, Any], key: str, value: Any, source: str) -> None:
    section, _, rest = key.partition(".")
    if section not in SECTIONS or not rest:
        end = nearest(key, SETTINGS)
        raise ConfigError(f"{source}: {visible(key)} is no setting: {end}")
    if rest.startswith("init.") and section == "network":
        init = tree["network"]["init"]
        table = dict(init) if isinstance(init, Mapping) else {"name": init}
        table[rest.removeprefix("init.")] = value
        tree["network"]["init"] = table
    else:
        tree[section][rest] = value


def common(section: str, values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The numbers, switches and choices of a section, each checked or at its default."""
    read: dict[str, Any] = {}
    for setting in SETTINGS.values():
        if setting.section != section:
            continue
        where = f"{source}: {setting.key}"
        given = setting.name in values
        if setting.option is not None:
            value = values[setting.name] if given else setting.default
            read[setting.name] = setting.option.check(value, where)
        elif setting.table is not None and setting.name not in ("activation", "init"):
            name = values.get(setting.name, setting.default)
            read[setting.name] = setting.table.find(name, where).name
    return read


def reject_unknown(
    section: str, values: Mapping[str, Any], source: str, own: Sequence[str] = ()
) -> None:
    valid = [s.name for s in SETTINGS.values() if s.section == section] + list(own)
    for key in values:
        if key not in valid:
            raise ConfigError(
                f"{source}: {section}.{visible(key)} is no setting: {nearest(key, valid)}"
            )


def own_options(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: v for key, v in values.items() if f"{section}.{key}" not in SETTINGS}


def read_data(values: dict[str, Any], source: str) -> DataConfig:
    shared = common("data", values, source)
    for key in ("file", "target"):
        value = values.get(key)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{source}: data.{key} = {visible(repr(value))} is no text")
    if values.get("file") is not None:
        if "name" in values:
            raise ConfigError(
                f"{source}: data.name = {visible(repr(values['name']))} and data.file = "
                f"{visible(repr(values['file']))} exclude each other: keep one"
            )
        reject_unknown("data", values, source)
        return DataConfig(None, values["file"], values.get("target"), shared["standardize"])
    if values.get("target") is not None:
        raise ConfigError(
            f"{source}: data.target = {visible(repr(values['target']))} needs data.file, a csv"
        )
    choice = DATASETS[shared["name"]]
    own = own_options("data", values)
    reject_unknown("data", values, source, [option.name for option in choice.options])
    options = choice.check(own, f"{source}: data")
    return DataConfig(choice.name, None, None, shared["standardize"], MappingProxyType(options))


def read_network(values: dict[str, Any], source: str) -> NetworkConfig:
    reject_unknown("network", values, source)
    shared = common("network", values, source)
    widths = read_widths(values.get("widths", SETTINGS["network.widths"].default), source)
    return NetworkConfig(
        widths=widths,
        activations=read_activations(values.get("activation", "relu"), len(widths), source),
        init=read_init(values.get("init", "he_normal"), source),
        **shared,
    )


def read_widths(value: Any, source: str) -> tuple[int, ...]:
    where = f"{source}: network.widths = {visible(repr(value))}"
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} should be a list of whole numbers, as [64, 64, 64]")
    if len(value) > MAX_LAYERS:
        raise ConfigError(f"{source}: network.widths has {len(value)} layers: at most {MAX_LAYERS}")
    for width in value:
        if isinstance(width, bool) or not isinstance(width, int):
            raise ConfigError(f"{where} should be a list of whole numbers, as [64, 64, 64]")
        if not 1 <= width <= MAX_WIDTH:
            raise ConfigError(f"{where} holds {width}: a layer has 1 to {MAX_WIDTH:,} units")
    return tuple(value)


def read_activations(value: Any, layers: int, source: str) -> tuple[str, ...]:
    where = f"{source}: network.activation"
    table = SETTINGS["network.activation"].table
    assert table is not None
    if isinstance(value, (list, tuple)):
        if len(value) != layers:
            raise ConfigError(
                f"{where} lists {len(value)} activations for {layers} hidden layers: "
                "give one name, or one for each layer"
            )
        return tuple(table.find(name, where).name for name in value)
    return (table.find(value, where).name,) * layers


def read_init(value: Any, source: str) -> InitConfig:
    where = f"{source}: network.init"
    if isinstance(value, Mapping):
        own = {key: v for key, v in value.items() if key != "name"}
        if "name" not in value:
            raise ConfigError(f"{where} = {visible(repr(dict(value)))} needs a name, as 'normal'")
        choice = INITIALIZERS.find(value["name"], f"{where}.name")
    else:
        own, choice = {}, INITIALIZERS.find(value, where)
    options = choice.check(own, where)
    if choice.name == "uniform" and float(options["low"]) > float(options["high"]):  # type: ignore[arg-type]
        raise ConfigError(f"{where}.low = {options['low']} lies above high = {options['high']}")
    return InitConfig(choice.name, MappingProxyType(options))


def read_optimizer(values: dict[str, Any], source: str) -> OptimizerConfig:
    choice = OPTIMIZERS.find(values.get("name", "sgd"), f"{source}: optimizer.name")
    own = own_options("optimizer", values)
    reject_unknown("optimizer", values, source, [option.name for option in choice.options])
    shared = common("optimizer", {"lr": choice.lr, **values}, source)
    options = choice.check(own, f"{source}: optimizer")
    return OptimizerConfig(**shared, options=MappingProxyType(options))


def read_training(values: dict[str, Any], source: str) -> TrainingConfig:
    reject_unknown("training", values, source)
    device = values.get("device", "auto")
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d{1,4})?|mps", device):
        raise ConfigError(
            f"{source}: training.device = {visible(repr(device))} is no device: "
            "valid are auto, cpu, cuda, cuda:N, mps"
        )
    return TrainingConfig(**common("training", values, source), device=device)


def parse_assignment(text: str) -> tuple[str, Any]:
    """Read one ``--set KEY=VALUE``: the value as TOML where it is TOML, ``64-64`` as widths, else
    as a word.

    Raises:
        ConfigError: where there is no "=".
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise ConfigError(f"--set {visible(text)} should be KEY=VALUE, as optimizer.lr=0.01")
    if key == "network.widths" and re.fullmatch(r"\d+(-\d+)*", value):
        return key, [int(width) for width in value.split("-")]
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key, value
    # "a\nb = 1" would parse as two keys: only a lone value counts.
    return key, parsed["value"] if len(parsed) == 1 else value
