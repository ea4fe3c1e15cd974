"""Says what networks must have in common to train as one stack, and sorts configs by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from caveats.config import RunConfig
from caveats.data import Dataset, load
from caveats.errors import ConfigError
from caveats.models.output_activations import OUTPUT_ACTIVATIONS

__all__ = ["NOT_STACKED", "Shape", "datasets", "grouped", "one_shape", "shape_of", "unstackable"]

# Muon turns each weight matrix by itself, so its networks train one after another.
# What cannot be trained as a stack, by key; a config with one of these trains alone.
NOT_STACKED: dict[str, frozenset[str]] = {
    "optimizer.name": frozenset({"muon"}),
    "training.loss": frozenset({"bce", "l1", "huber"}),
    "training.class_weight": frozenset({"balanced"}),
    "network.output_activation": frozenset(OUTPUT_ACTIVATIONS) - {"none"},
}


def unstackable(config: RunConfig) -> str | None:
    """The setting for which a config cannot train as a stack, such as "optimizer.name = 'muon'";
    None if it can."""
    flat = config.flat()
    for key, names in NOT_STACKED.items():
        if flat.get(key) in names:
            return f"{key} = {flat[key]!r}"
    if config.network.inits:
        return "network.init, a list,"
    return "data.validation" if config.data.validation else None


@dataclass(frozen=True, slots=True)
class Shape:
    """What all members of a stack share. Everything else may differ from member to member: seed,
    initialiser, activations, dropout, learning rate and all other numbers of the optimizer,
    schedule, and the data as long as they have this many rows and columns."""

    rows: int
    features: int
    outputs: int
    classes: bool
    widths: tuple[int, ...]
    normalization: str
    residual: bool
    optimizer: str
    loss: str
    batch_size: int
    steps: int
    device: str


# The key of a config that each part of a shape comes from.
KEYS = {
    "rows": "the number of rows of the data",
    "features": "the number of columns of the data",
    "outputs": "the number of outputs",
    "classes": "the kind of target",
    "widths": "network.widths",
    "normalization": "network.normalization",
    "residual": "network.residual",
    "optimizer": "optimizer.name",
    "loss": "training.loss",
    "batch_size": "training.batch_size",
    "steps": "training.steps",
    "device": "training.device",
}


def datasets(configs: Iterable[RunConfig]) -> list[Dataset]:
    """The data of each config; configs with equal [data] share one object."""
    loaded: dict[str, Dataset] = {}
    found = []
    for config in configs:
        key = repr(config.data.settings())
        if key not in loaded:
            loaded[key] = load(config.data.settings())
        found.append(loaded[key])
    return found


def shape_of(config: RunConfig, dataset: Dataset) -> Shape:
    network, training = config.network, config.fitted(dataset.rows).training
    return Shape(
        dataset.rows,
        dataset.features,
        dataset.outputs,
        dataset.classes is not None,
        network.widths,
        network.normalization,
        network.residual,
        config.optimizer.name,
        training.loss,
        training.batch_size,
        training.steps,
        training.device,
    )


def one_shape(configs: Sequence[RunConfig], data: Sequence[Dataset]) -> Shape:
    """The shape that all ``configs`` share.

    Raises:
        ConfigError: if there is no config, if two differ in shape, or if the optimizer cannot be
            stacked.
    """
    if not configs:
        raise ConfigError("a stack needs at least one network")
    for config in configs:
        if (setting := unstackable(config)) is not None:
            raise ConfigError(
                f"{setting} cannot train as a stack: such networks train one after another"
            )
    shapes = [shape_of(config, own) for config, own in zip(configs, data, strict=True)]
    for number, shape in enumerate(shapes):
        for field in fields(Shape):
            first, other = (getattr(s, field.name) for s in (shapes[0], shape))
            if first != other:
                raise ConfigError(
                    f"networks of one stack share {KEYS[field.name]}: the first has {told(first)}, "
                    f"number {number + 1} has {told(other)}"
                )
    return shapes[0]


def told(value: object) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def grouped(configs: Sequence[RunConfig]) -> list[list[int]]:
    """The indices of ``configs``, in groups that can each train as one stack, in the order in which
    their shapes first appear. A config that cannot be stacked is a group of its own."""
    groups: dict[Shape | int, list[int]] = {}
    for index, (config, dataset) in enumerate(zip(configs, datasets(configs), strict=True)):
        group = index if unstackable(config) else shape_of(config, dataset)
        groups.setdefault(group, []).append(index)
    return list(groups.values())
