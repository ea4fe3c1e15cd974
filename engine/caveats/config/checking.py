"""Reads the sections of a configuration: checks every value, fills in defaults, and reports errors
in one sentence each.

Every such sentence begins with ``source``, the name of the file (or argument) that was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from caveats.config.settings import SETTINGS
from caveats.data.catalogue import DATASETS
from caveats.data.file_options import FILE_OPTIONS, check_file_options
from caveats.data.section import DataConfig
from caveats.errors import ConfigError, nearest, visible
from caveats.models.initializers import INITIALIZERS
from caveats.models.section import InitConfig, NetworkConfig
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.section import OptimizerConfig, TrainingConfig

__all__ = ["read_data", "read_network", "read_optimizer", "read_training"]

MAX_LAYERS = 1000
MAX_WIDTH = 1_000_000


def common(section: str, values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The numbers, switches and choices of a section: the given ones checked, the others at their
    defaults."""
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
    known = {s.name: s.label for s in SETTINGS.values() if s.section == section}
    valid = [*known, *own]
    for key in values:
        if key not in valid:
            called = [name for name, label in known.items() if label == key.replace("_", " ")]
            end = f"did you mean {called[0]!r}?" if called else nearest(key, valid)
            raise ConfigError(f"{source}: {section}.{visible(key)} is no setting: {end}")


def own_options(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: v for key, v in values.items() if f"{section}.{key}" not in SETTINGS}


def read_data(values: dict[str, Any], source: str) -> DataConfig:
    shared = common("data", values, source)
    for key in ("file", "target"):
        value = values.get(key)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{source}: data.{key} = {visible(repr(value))} should be text")
    if values.get("file") is not None:
        if "name" in values:
            raise ConfigError(
                f"{source}: data.name = {visible(repr(values['name']))} and data.file = "
                f"{visible(repr(values['file']))} exclude each other: keep one"
            )
        reject_unknown("data", values, source, list(FILE_OPTIONS))
        own = check_file_options(own_options("data", values), f"{source}: data")
        shared |= {"name": None, "file": values["file"], "target": values.get("target")}
        return DataConfig(**shared, options=MappingProxyType(own))
    for key in ("target", *FILE_OPTIONS):
        if values.get(key) is not None:
            raise ConfigError(
                f"{source}: data.{key} = {visible(repr(values[key]))} needs data.file, a csv"
            )
    choice = DATASETS[shared["name"]]
    reject_unknown("data", values, source, [option.name for option in choice.options])
    options = choice.check(own_options("data", values), f"{source}: data")
    return DataConfig(**shared, options=MappingProxyType(options))


def read_network(values: dict[str, Any], source: str) -> NetworkConfig:
    reject_unknown("network", values, source)
    shared = common("network", values, source)
    widths = read_widths(values.get("widths", SETTINGS["network.widths"].default), source)
    inits = read_inits(values.get("init", "he_normal"), len(widths), source)
    return NetworkConfig(
        widths=widths,
        activations=read_activations(values.get("activation", "relu"), len(widths), source),
        init=inits[0],
        inits=() if all(init == inits[0] for init in inits) else inits,
        **shared,
    )


def read_widths(value: Any, source: str) -> tuple[int, ...]:
    said = repr(value[:20] if isinstance(value, (list, tuple, str)) else value)
    where = f"{source}: network.widths = {visible(said)[:200]}"
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} should be a list of whole numbers, such as [64, 64, 64]")
    if len(value) > MAX_LAYERS:
        raise ConfigError(
            f"{source}: network.widths has more than {MAX_LAYERS:,} layers, which is the most"
        )
    for width in value:
        if isinstance(width, bool) or not isinstance(width, int):
            raise ConfigError(f"{where} should be a list of whole numbers, such as [64, 64, 64]")
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


def read_inits(value: Any, layers: int, source: str) -> tuple[InitConfig, ...]:
    """One initialiser for all layers, or one for each of ``layers`` hidden layers and the output
    layer."""
    where = f"{source}: network.init"
    if not isinstance(value, (list, tuple)):
        return (read_init(value, where),)
    if len(value) != layers + 1:
        raise ConfigError(
            f"{where} lists {len(value)} initialisers for {layers} hidden layers and the output "
            f"layer: give one name, or {layers + 1}"
        )
    return tuple(read_init(one, where) for one in value)


def read_init(value: Any, where: str) -> InitConfig:
    if isinstance(value, Mapping):
        own = {key: v for key, v in value.items() if key != "name"}
        if "name" not in value:
            raise ConfigError(f"{where} = {visible(repr(dict(value)))} needs a name: try 'normal'")
        choice = INITIALIZERS.find(value["name"], f"{where}.name")
    else:
        own, choice = {}, INITIALIZERS.find(value, where)
    options = choice.check(own, where)
    if choice.name == "uniform" and float(options["low"]) > float(options["high"]):  # type: ignore[arg-type]
        raise ConfigError(f"{where}.low = {options['low']} is above high = {options['high']}")
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
    if values.get("epochs") and "steps" in values:
        raise ConfigError(
            f"{source}: training.steps = {visible(repr(values['steps']))} and training.epochs = "
            f"{visible(repr(values['epochs']))} both say how long the run is: keep one"
        )
    return TrainingConfig(**common("training", values, source), device=device)
