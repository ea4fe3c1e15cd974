"""Tables of choices (activations, optimizers, …): each entry has a name, a maker, a sentence and a
source.

A choice looks up its maker when it is first used (``lambda: nn.ReLU`` with
``nn = later("torch.nn")``), so tables can be read, searched and shown before torch is loaded, which
takes 1.5-3 s.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from caveats.errors import ConfigError, nearest, visible

__all__ = ["Choice", "Option", "Options", "Table", "Value", "as_toml", "later"]

LARGEST_NUMBER = 10**300  # a whole number of more digits may not fit a float

# The type of an option's value: a number, a switch, a word, a pair of numbers or a list of names.
Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...]
Options = Mapping[str, Value]  # the settings that belong to one choice, by name


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a choice (a number, a switch or several numbers): its default and its range.

    The type of ``default`` is the type of the option: a float option accepts ints, an int option
    accepts no fraction, and a tuple option accepts exactly as many numbers as its default has.
    ``low`` and ``high`` belong to the range, except ``low`` where ``open_low`` is set. A ``quiet``
    option is written only where it is not at its default, so that configs from before it keep
    their text.
    """

    name: str
    default: Value
    sentence: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    quiet: bool = False

    def check(self, value: object, where: str) -> Value:
        """``value``, converted to the option's type.

        Raises:
            ConfigError: one sentence naming ``where`` (file and key), the value and what is valid.
        """
        said = visible(repr(value))
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ConfigError(f"{where} = {said} should be true or false")
            return value
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise ConfigError(f"{where} = {said} is no text")
            return value
        if isinstance(self.default, tuple):
            if not isinstance(value, (list, tuple)) or len(value) != len(self.default):
                example = list(self.default)
                raise ConfigError(
                    f"{where} = {said} should be {len(self.default)} numbers, such as {example}"
                )
            return tuple(float(self._number(item, where)) for item in value)
        number = self._number(value, where)
        if isinstance(self.default, int):
            if number != int(number):
                whole = round(number)
                raise ConfigError(f"{where} = {said} should be a whole number, such as {whole}")
            return int(number)
        return float(number)

    def _number(self, value: object, where: str) -> float:
        said = visible(repr(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{where} = {said} is not a number such as {self.default!r}")
        if abs(value) > LARGEST_NUMBER and value not in (float("inf"), float("-inf")):
            raise ConfigError(f"{where} has more than 300 digits: use a number {self.range()}")
        if value != value or value in (float("inf"), float("-inf")):
            raise ConfigError(f"{where} = {said} is not finite; the default is {self.default!r}")
        below = self.low is not None and (value <= self.low if self.open_low else value < self.low)
        above = self.high is not None and (
            value >= self.high if self.open_high else value > self.high
        )
        if below or above:
            raise ConfigError(f"{where} = {said} is out of range: {self.range()}")
        return value

    def range(self) -> str:
        """The valid range in words, such as "at least 0 and below 1"."""
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.open_low else 'at least'} {self.low:g}")
        if self.high is not None:
            parts.append(f"{'below' if self.open_high else 'at most'} {self.high:g}")
        return " and ".join(parts) or "any number"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a user can choose.

    ``maker`` returns the function or class that makes it. ``fixed`` holds the arguments that are
    always passed to it, ``options`` the ones that the user may set. ``aliases`` are other names
    that people type: they are read as ``name``, which alone is kept and shown.
    """

    name: str
    maker: Callable[[], Callable[..., Any]]
    sentence: str
    source: str
    options: tuple[Option, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def make(self, *args: Any, **settings: Any) -> Any:
        """Call the maker with the fixed settings and with ``settings``."""
        return self.maker()(*args, **{**self.fixed, **settings})

    def defaults(self) -> dict[str, Value]:
        return {option.name: option.default for option in self.options}

    def check(self, settings: Mapping[str, object], where: str) -> dict[str, Value]:
        """A value for every option of this choice: from ``settings``, else the default.

        Raises:
            ConfigError: for an option that this choice does not have, or a value out of range.
        """
        options = {option.name: option for option in self.options}
        for name in settings:
            if name not in options:
                end = nearest(name, options) if options else f"{self.name} takes no settings"
                raise ConfigError(f"{where}.{visible(name)} is unknown for {self.name!r}: {end}")
        return {
            name: option.check(settings[name], f"{where}.{name}")
            if name in settings
            else option.default
            for name, option in options.items()
        }


C = TypeVar("C", bound=Choice)


class Table(Mapping[str, C], Generic[C]):
    """All choices of one kind, by name, in the order in which they are shown."""

    def __init__(self, kind: str, *choices: C) -> None:
        self.kind = kind
        self._choices = {choice.name: choice for choice in choices}
        self._called: dict[str, str] = {}
        for choice in choices:
            for name in (choice.name, *choice.aliases):
                if self._called.setdefault(bare(name), choice.name) != choice.name:
                    raise ValueError(f"two {kind}s share the name {name}")
        if len(self._choices) != len(choices):
            raise ValueError(f"two {kind}s share a name")

    def __getitem__(self, name: str) -> C:
        return self._choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def canonical(self, name: Any) -> Any:
        """The name of the choice that is called ``name``, by an alias, in capitals or written
        together ("LeakyReLU"); anything else as it is."""
        if isinstance(name, str) and name not in self._choices:
            return self._called.get(bare(name), name)
        return name

    def find(self, name: object, where: str) -> C:
        """The choice with that name or alias.

        Raises:
            ConfigError: naming ``where`` (file and key), what was written, and the name that was
                meant, or all names.
        """
        known = self.canonical(name)
        if isinstance(known, str) and known in self._choices:
            return self._choices[known]
        said = visible(repr(name))
        aliases = [alias for choice in self.values() for alias in choice.aliases]
        end = nearest(str(name), self, aliases)
        raise ConfigError(f"{where} = {said} is no {self.kind}: {end}")


def bare(name: str) -> str:
    """A name without case and punctuation: "Leaky-ReLU" and "leaky_relu" are "leakyrelu"."""
    return re.sub(r"[\W_]", "", name.lower())


def as_toml(options: Options) -> dict[str, Any]:
    """Options as TOML writes them, with pairs and names as lists."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}


class Later:
    """Stands in for a module and imports it when one of its names is first used."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module), name)


def later(module: str) -> Any:
    """A stand-in for ``module``, so that a table can name its members before it is imported."""
    return Later(module)
