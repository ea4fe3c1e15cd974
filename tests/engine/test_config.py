"""The configuration: reading and writing TOML, changes, and one sentence for every fault."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from caveats.choice import Choice, Option, Table
from caveats.config import RunConfig, is_live, parse_assignment
from caveats.config.settings import SETTINGS
from caveats.data.catalogue import DATASETS
from caveats.errors import ConfigError
from caveats.models.activations import ACTIVATIONS
from caveats.models.initializers import INITIALIZERS
from caveats.models.normalizations import NORMALIZATIONS
from caveats.training.losses import LOSSES
from caveats.training.optimizers import OPTIMIZERS
from caveats.training.schedules import SCHEDULES


def values(option: Option) -> st.SearchStrategy[Any]:
    """Any value that an option takes."""
    low = -1e6 if option.low is None else option.low
    high = 1e6 if option.high is None else option.high
    if isinstance(option.default, bool):
        return st.booleans()
    if isinstance(option.default, int):
        return st.integers(int(low), int(min(high, 2**63 - 1)))
    number = st.floats(
        low, high, exclude_min=option.open_low, exclude_max=option.open_high, allow_subnormal=False
    )
    if isinstance(option.default, tuple):
        return st.tuples(*(number for _ in option.default)).map(list)
    return number


def chosen(table: Table[Any], free: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """A choice of a table with any of its settings."""

    def with_settings(name: str) -> st.SearchStrategy[dict[str, Any]]:
        options = {o.name: values(o) for o in table[name].options if o.name not in free}
        return st.fixed_dictionaries({"name": st.just(name)}, optional=options)

    return st.sampled_from(list(table)).flatmap(with_settings)


def common(section: str) -> dict[str, st.SearchStrategy[Any]]:
    return {
        s.name: values(s.option)
        for s in SETTINGS.values()
        if s.section == section and s.option is not None
    }


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    widths = draw(st.lists(st.integers(1, 1_000_000), max_size=6))
    init: Any = draw(chosen(INITIALIZERS))
    if init["name"] == "uniform":
        init = {"name": "uniform", "low": -0.5, "high": draw(st.floats(0, 2))}
    activation = st.sampled_from(list(ACTIVATIONS))
    network = {
        "widths": widths,
        "activation": draw(
            activation | st.lists(activation, min_size=len(widths), max_size=len(widths))
        ),
        "init": init if len(init) > 1 or draw(st.booleans()) else init["name"],
        "normalization": draw(st.sampled_from(list(NORMALIZATIONS))),
        **draw(st.fixed_dictionaries({}, optional=common("network"))),
    }
    training = draw(st.fixed_dictionaries({}, optional=common("training")))
    if training.get("epochs"):
        training.pop("steps", None)
    data = draw(chosen(DATASETS))
    if draw(st.booleans()):
        text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
        data = {"file": draw(text), **({"target": draw(text)} if draw(st.booleans()) else {})}
    return {
        "data": {**data, **draw(st.fixed_dictionaries({}, optional=common("data")))},
        "network": network,
        "optimizer": {
            **draw(chosen(OPTIMIZERS)),
            **draw(st.fixed_dictionaries({}, optional=common("optimizer"))),
            "schedule": draw(st.sampled_from(list(SCHEDULES))),
        },
        "training": {
            **training,
            "loss": draw(st.sampled_from(list(LOSSES))),
            "device": draw(st.sampled_from(["auto", "cpu", "cuda", "cuda:3", "mps"])),
        },
    }


@settings(max_examples=150)
@given(trees())
def test_any_valid_config_survives_toml(tree: dict[str, Any]) -> None:
    config = RunConfig.from_dict(tree)
    assert RunConfig.from_toml(tomli_w.dumps(tree)) == config  # what a person writes
    assert RunConfig.from_toml(config.to_toml()) == config  # what we write
    assert RunConfig.from_dict(config.to_dict()) == config
    assert config.changed(config.flat()) == config
    assert not config.restarts(config)
    for section, settings_ in tree.items():
        for key, value in settings_.items():
            kept = config.flat()[f"{section}.{key}"]
            if key == "init":
                kept, value = named(kept), named(value)
                assert value.items() <= kept.items()
            elif key == "activation" and not tree["network"]["widths"]:
                assert kept == "relu"
            elif key == "activation" and isinstance(value, list):
                assert kept in (value, value[0])
            else:
                assert kept == value


def named(init: Any) -> dict[str, Any]:
    return init if isinstance(init, dict) else {"name": init}


def test_a_quiet_option_of_a_data_set_is_written_only_where_it_was_changed() -> None:
    plain = RunConfig().changed({"data.name": "moons"})
    rare = plain.changed({"data.share": 0.1})
    assert "share" not in plain.to_toml()
    assert rare.to_dict()["data"]["share"] == 0.1
    assert (plain.flat()["data.share"], rare.flat()["data.share"]) == (0.5, 0.1)
    assert rare.changed({"data.share": 0.5}) == plain


def test_an_empty_file_is_the_default() -> None:
    assert RunConfig.from_toml("") == RunConfig() == RunConfig.from_dict({})
    assert RunConfig().network.activations == ("relu",) * 3


def test_every_default_is_what_the_table_of_settings_says() -> None:
    flat = RunConfig().flat()
    for setting in SETTINGS.values():
        if setting.default is not None:
            default = setting.default
            assert flat[setting.key] == (list(default) if isinstance(default, tuple) else default)
    assert list(flat) == [key for key in flat if key in SETTINGS or key.count(".") == 1]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optimizer.lr": 0.5}, {"optimizer.lr": 0.5, "optimizer.name": "sgd"}),
        # A new optimizer's customary rate, unless the old one's was changed or a new one given.
        ({"optimizer.name": "adam"}, {"optimizer.lr": 0.001, "optimizer.betas": [0.9, 0.999]}),
        ({"optimizer.name": "adam", "optimizer.lr": 0.1}, {"optimizer.lr": 0.1}),
        ({"optimizer.lr": 0.1, "optimizer.name": "adam"}, {"optimizer.lr": 0.1}),
        ({"optimizer.betas": [0.5, 0.9], "optimizer.name": "adam"}, {"optimizer.lr": 0.001}),
        ({"network.widths": [8]}, {"network.activation": "relu"}),
        ({"network.widths": []}, {"network.activation": "relu"}),
        ({"data.name": "spirals"}, {"data.turns": 1.5, "data.standardize": True}),
        ({"data.turns": 2.5, "data.name": "spirals"}, {"data.turns": 2.5}),
        ({"data.file": "my.csv", "data.target": "y"}, {"data.file": "my.csv", "data.target": "y"}),
        ({"network.init": "normal"}, {"network.init": {"name": "normal", "std": 0.01}}),
        ({"network.init.std": 0.2, "network.init": "normal"},
         {"network.init": {"name": "normal", "std": 0.2}}),
        ({"network.init.std": 0.2, "network.init.name": "normal"},
         {"network.init": {"name": "normal", "std": 0.2}}),
        ({"network.init": {"name": "uniform", "low": -1, "high": 1.5}},
         {"network.init": {"name": "uniform", "low": -1.0, "high": 1.5}}),
    ],
)  # fmt: skip
def test_changes(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    changed = RunConfig().changed(changes)
    assert expected.items() <= changed.flat().items()


def test_changes_that_follow_on_each_other() -> None:
    config = RunConfig().changed({"network.init": {"name": "normal", "std": 0.3}})
    assert config.changed({"network.init.name": "xavier_normal"}).network.init.options == {
        "gain": 1.0
    }
    back = config.changed({"network.widths": []}).changed({"network.widths": [3]})
    assert back.network.activations == ("relu",)
    own = RunConfig().changed({"data.file": "my.npz"})
    assert own.changed({"data.name": "moons"}).data.file is None
    kept = RunConfig().changed({"optimizer.lr": 0.05}).changed({"optimizer.name": "adam"})
    assert kept.optimizer.lr == 0.05


def test_which_changes_restart() -> None:
    base = RunConfig()
    other: dict[str, Any] = {
        "data.name": "moons", "data.standardize": False, "data.n": 100, "network.widths": [3],
        "network.activation": "tanh", "network.init": "zeros", "network.bias": 1.0,
        "network.normalization": "layer", "network.residual": True, "network.dropout": 0.1,
        "optimizer.name": "adam", "optimizer.lr": 0.01, "optimizer.weight_decay": 0.1,
        "optimizer.clip_norm": 1.0, "optimizer.schedule": "cosine", "training.loss": "mse",
        "training.batch_size": 7, "training.steps": 5, "training.seed": 9,
        "training.device": "cpu", "training.epochs": 2, "training.class_weight": "balanced",
        "network.output_activation": "tanh", "data.validation": 0.1,
        "data.standardize_target": True,
    }  # fmt: skip
    assert {*other, "data.file", "data.target"} >= set(SETTINGS)
    live = {key for key, value in other.items() if not base.restarts(base.changed({key: value}))}
    assert live == {
        "network.activation", "network.dropout", "optimizer.name", "optimizer.lr",
        "optimizer.weight_decay", "optimizer.clip_norm", "optimizer.schedule",
        "training.batch_size", "training.steps", "training.epochs",
    }  # fmt: skip
    assert {key for key in other if is_live(key)} == live


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.lr=0.01", ("optimizer.lr", 0.01)),
        ("optimizer.lr = 1e-3", ("optimizer.lr", 0.001)),
        ("network.widths=64-32", ("network.widths", [64, 32])),
        ("network.widths=64", ("network.widths", [64])),
        ("network.widths=[8, 4]", ("network.widths", [8, 4])),
        ("network.widths=[]", ("network.widths", [])),
        ("network.activation=relu", ("network.activation", "relu")),
        ('network.activation=["relu", "tanh"]', ("network.activation", ["relu", "tanh"])),
        ('network.init={name = "normal", std = 0.5}',
         ("network.init", {"name": "normal", "std": 0.5})),
        ("network.residual=true", ("network.residual", True)),
        ("data.file=a=b.csv", ("data.file", "a=b.csv")),
        ("data.file='12'", ("data.file", "12")),
        ("data.target=", ("data.target", "")),
        ("optimizer.lr=.3", ("optimizer.lr", 0.3)),
        ("network.bias=-1.", ("network.bias", -1.0)),
        ("optimizer.lr=1.e-3", ("optimizer.lr", 0.001)),
        ("optimizer.betas=[.9, .999]", ("optimizer.betas", [0.9, 0.999])),
        ("data.file=./.1.csv", ("data.file", "./.1.csv")),
        ("data.file=run.2.csv", ("data.file", "run.2.csv")),
        ("data.target='.5'", ("data.target", ".5")),
        ("a=1\nb = 2", ("a", "1\nb = 2")),
        ("a=" + "9" * 5000, ("a", "9" * 5000)),
        ("a=" + "[" * 5000, ("a", "[" * 5000)),
    ],
)  # fmt: skip
def test_assignments(text: str, expected: tuple[str, Any]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["", "lr", "=3", "  = 3", "optimizer.lr"])
def test_an_assignment_without_key_or_sign_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--set .* should be KEY=VALUE"):
        parse_assignment(text)


BAD: list[tuple[str, str, list[str]]] = [
    # what is wrong, the file's text, what the sentence has to name
    ("unknown section", "[netwrok]\nwidths = [3]", ["netwrok", "'network'"]),
    ("section that is none", "network = 3", ["network", "section"]),
    ("unknown key", "[network]\nwidth = [3]", ["network.width ", "'widths'"]),
    ("unknown key far from any", "[training]\nqqq = 1", ["training.qqq", "steps"]),
    ("unknown activation", "[network]\nactivation = 'rellu'", ["'rellu'", "'relu'"]),
    ("activation of no type", "[network]\nactivation = 3", ["network.activation = 3"]),
    ("activation list too short", "[network]\nactivation = ['relu', 'tanh']", ["2", "3 hidden"]),
    ("wrong one in a list", "[network]\nactivation = ['relu', 'tanj', 'relu']",
     ["'tanj'", "'tanh'"]),
    ("unknown init", "[network]\ninit = 'he_norm'", ["'he_norm'", "'he_normal'"]),
    ("init without name", "[network]\ninit = {std = 1.0}", ["network.init", "name"]),
    ("init option of another", "[network]\ninit = {name = 'he_normal', std = 1.0}",
     ["std", "he_normal"]),
    ("init option out of range", "[network]\ninit = {name = 'normal', std = -1}",
     ["std = -1", "at least 0"]),
    ("init bounds crossed",
     "[network]\ninit = {name = 'uniform', low = 1.0, high = 0.0}", ["low = 1.0", "high = 0.0"]),
    ("width 0", "[network]\nwidths = [64, 0]", ["[64, 0]", "holds 0", "1 to"]),
    ("width negative", "[network]\nwidths = [-3]", ["[-3]", "1 to"]),
    ("width float", "[network]\nwidths = [3.5]", ["[3.5]", "whole numbers"]),
    ("width true", "[network]\nwidths = [true]", ["[True]", "whole numbers"]),
    ("widths empty text", "[network]\nwidths = ''", ["''", "whole numbers"]),
    ("widths one number", "[network]\nwidths = 64", ["64", "list"]),
    ("width huge", "[network]\nwidths = [10000000]", ["10000000", "1,000,000"]),
    ("too many layers", f"[network]\nwidths = {[1] * 1001}", ["1,000 layers"]),
    ("bias text", "[network]\nbias = 'x'", ["network.bias", "'x'"]),
    ("bias nan", "[network]\nbias = nan", ["network.bias", "nan", "finite"]),
    ("residual number", "[network]\nresidual = 1", ["network.residual", "true or false"]),
    ("dropout 1", "[network]\ndropout = 1.0", ["network.dropout = 1.0", "below 1"]),
    ("dropout negative", "[network]\ndropout = -0.1", ["-0.1", "at least 0"]),
    ("unknown normalization", "[network]\nnormalization = 'bach'", ["'bach'", "'batch'"]),
    ("unknown optimizer", "[optimizer]\nname = 'adagard'", ["'adagard'", "'adagrad'"]),
    ("two optimizers as near", "[optimizer]\nname = 'adamm'", ["'adamm'", "valid are", "adamw"]),
    ("lr 0", "[optimizer]\nlr = 0", ["optimizer.lr = 0", "above 0"]),
    ("lr negative", "[optimizer]\nlr = -0.1", ["-0.1", "above 0"]),
    ("lr infinite", "[optimizer]\nlr = inf", ["optimizer.lr = inf", "finite"]),
    ("lr beyond a float", "[optimizer]\nlr = 1" + "0" * 400, ["optimizer.lr", "digits", "above 0"]),
    ("steps beyond a float", "[training]\nsteps = 1" + "0" * 400, ["training.steps", "digits"]),
    ("lr text", "[optimizer]\nlr = 'fast'", ["optimizer.lr", "'fast'"]),
    ("lr true", "[optimizer]\nlr = true", ["optimizer.lr", "True"]),
    ("option of another optimizer", "[optimizer]\nname = 'sgd'\nmomentum = 0.9", ["momentum"]),
    ("betas not two", "[optimizer]\nname = 'adam'\nbetas = [0.9]", ["betas", "2 numbers"]),
    ("betas out of range", "[optimizer]\nname = 'adam'\nbetas = [0.9, 1.0]", ["betas", "below 1"]),
    ("momentum 1", "[optimizer]\nname = 'momentum'\nmomentum = 1.0", ["momentum = 1.0", "below 1"]),
    ("clip negative", "[optimizer]\nclip_norm = -1", ["clip_norm = -1", "at least 0"]),
    ("unknown schedule", "[optimizer]\nschedule = 'cosin'", ["'cosin'", "'cosine'"]),
    ("unknown loss", "[training]\nloss = 'hinge'", ["training.loss", "'hinge'", "mse"]),
    ("batch size float", "[training]\nbatch_size = 3.5", ["batch_size = 3.5", "whole"]),
    ("batch size negative", "[training]\nbatch_size = -1", ["batch_size = -1", "at least 0"]),
    ("steps 0", "[training]\nsteps = 0", ["training.steps = 0", "at least 1"]),
    ("seed negative", "[training]\nseed = -1", ["training.seed = -1", "at least 0"]),
    ("seed huge", "[training]\nseed = 99999999999999999999", ["training.seed", "at most"]),
    ("device", "[training]\ndevice = 'gpu'", ["'gpu'", "cuda"]),
    ("device number", "[training]\ndevice = 0", ["training.device = 0", "cuda"]),
    ("unknown data", "[data]\nname = 'moon'", ["'moon'", "'moons'"]),
    ("data and file", "[data]\nname = 'moons'\nfile = 'a.csv'", ["'moons'", "'a.csv'"]),
    ("target without file", "[data]\ntarget = 'y'", ["data.target = 'y'", "data.file"]),
    ("file number", "[data]\nfile = 3", ["data.file = 3"]),
    ("option of another data set", "[data]\nname = 'moons'\nturns = 2.0", ["turns"]),
    ("n out of range", "[data]\nname = 'moons'\nn = 1", ["data.n = 1", "at least 2"]),
    ("control characters", "[network]\nactivation = \"re\\u001b[2Jlu\"", ["\\x1b[2J"]),
    ("control characters in a key", '[network]\n"a\\u001b[2J" = 1', ["a\\x1b[2J"]),
    ("control characters in a section", '["a\\u0007"]\nb = 1', ["a\\x07"]),
    ("no toml", "[network\nwidths = 3", ["not valid TOML"]),
    ("a number too long for anything", "[training]\nsteps = " + "9" * 5000, ["not valid TOML"]),
    ("nested too deep", "a = " + "[" * 5000, ["not valid TOML"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "named"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_each_bad_input_is_one_sentence_that_names_it(text: str, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_toml(text, "my.toml")
    said = str(caught.value)
    assert said.startswith("my.toml")
    assert said.isprintable()
    for word in named:
        assert word in said
    # The same through --set and `changed`, where the text is TOML with sections.
    if "not valid TOML" not in said:
        with pytest.raises(ConfigError):
            RunConfig.from_dict(tomllib.loads(text))


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("lr", ["lr", "'optimizer.lr'"]),
        ("optimizer", ["optimizer", "optimizer."]),
        ("optimiser.lr", ["optimiser.lr", "'optimizer.lr'"]),
        ("network.init.wrong", ["wrong", "he_normal"]),
        ("network.\x1b[2J", ["\\x1b[2J"]),
    ],
)
def test_each_bad_key_of_a_change_is_named(key: str, named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig().changed({key: 1}, "--set")
    said = str(caught.value)
    assert said.startswith("--set: ")
    assert said.isprintable()
    for word in named:
        assert word in said


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for name, word in (
        ("none.toml", "No such file"), ("latin.toml", "UTF-8"), ("", "directory"),
        ("a\0b", "a\\x00b"), ("x\x1b[2J.toml", "x\\x1b[2J.toml"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            RunConfig.read(f"{tmp_path}/{name}")
        assert word in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_file_beside_the_config_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[data]\nfile = 'mine.csv'\ntarget = 'y'\n")
    assert RunConfig.read(tmp_path / "run.toml").data.file == str(tmp_path / "mine.csv")
    (tmp_path / "run.toml").write_text("[data]\nfile = '/abs/mine.csv'\n")
    assert RunConfig.read(tmp_path / "run.toml").data.file == "/abs/mine.csv"


def test_a_config_cannot_be_written_to() -> None:
    config = RunConfig.from_toml("[optimizer]\nname = 'adam'")
    with pytest.raises(TypeError):
        config.optimizer.options["eps"] = 1.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        config.training.steps = 3  # type: ignore[misc]


TABLES: tuple[Table[Any], ...] = (
    ACTIVATIONS, INITIALIZERS, OPTIMIZERS, SCHEDULES, LOSSES, NORMALIZATIONS, DATASETS,
)  # fmt: skip
EACH_CHOICE = [pytest.param(c, id=f"{t.kind} {c.name}") for t in TABLES for c in t.values()]


@pytest.mark.parametrize("choice", EACH_CHOICE)
def test_what_a_choice_says_of_itself(choice: Choice) -> None:
    assert choice.sentence.endswith(".")
    assert choice.sentence.isprintable()
    assert 10 <= len(choice.sentence) <= 160
    assert choice.source
    for option in choice.options:
        # A default must be valid by the option's own rule, and stays what it was.
        assert option.check(option.default, "here") == option.default
        assert option.sentence
        assert not option.sentence.endswith(".")
        for number in option.default if isinstance(option.default, tuple) else (option.default,):
            assert not isinstance(number, float) or math.isfinite(number)


def test_only_a_batch_that_nobody_asked_for_is_made_to_fit() -> None:
    default, asked = RunConfig(), RunConfig.from_dict({"training": {"batch_size": 64}})
    assert default == asked
    assert default.fitted(20).training.batch_size == 20
    assert default.fitted(64) is default
    assert asked.fitted(20) is asked
    assert default.changed({"optimizer.lr": 0.5}).fitted(20).training.batch_size == 20
    assert default.changed({"training.batch_size": 64}).fitted(20).training.batch_size == 64
    whole = default.changed({"training.batch_size": 0})
    assert whole.fitted(20) is whole
    built = RunConfig(training=replace(default.training, batch_size=100))
    assert built.changed({"optimizer.lr": 0.5}).training.batch_size == 100
    again = RunConfig.from_toml(default.fitted(20).to_toml())
    assert again == default.fitted(20)


def test_settings_of_a_file_are_written_only_where_they_are_not_at_their_default() -> None:
    plain = {"file": "my.csv", "target": "y", "standardize": True}
    defaults = {"task": "auto", "columns": [], "drop": [], "one_hot": [], "missing": "refuse"}
    assert RunConfig.from_dict({"data": {**plain, **defaults}}).to_dict()["data"] == plain
    own = {"task": "regression", "columns": ["a", "b"], "drop": ["c"], "one_hot": "all",
           "missing": "mean"}  # fmt: skip
    config = RunConfig.from_dict({"data": {**plain, **own}})
    assert config.to_dict()["data"] == {**plain, **own}
    assert RunConfig.from_toml(config.to_toml()) == config
    assert config.changed({"data.drop": "d"}).flat()["data.drop"] == ["d"]
    assert "data.task" not in config.changed({"data.file": "other.csv"}).flat()
    assert "data.task" not in config.changed({"data.name": "moons"}).flat()
    assert not is_live("data.task")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"file": "a.csv", "task": "guess"}, ["data.task = 'guess'", "auto, classification"]),
        ({"file": "a.csv", "missing": True}, ["data.missing = True", "refuse, drop, mean"]),
        ({"file": "a.csv", "drop": [1]}, ["data.drop = [1]", "['id', 'name']"]),
        ({"file": "a.csv", "one_hot": 1}, ["data.one_hot = 1", "['id', 'name']"]),
        ({"file": "a.csv", "tsk": "auto"}, ["data.tsk", "'task'"]),
        ({"name": "moons", "task": "auto"}, ["data.task = 'auto'", "needs data.file"]),
        ({"drop": ["a"]}, ["data.drop = ['a']", "needs data.file"]),
    ],
)
def test_a_wrong_setting_of_a_file_is_one_sentence(
    data: dict[str, Any], expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict({"data": data}, "my.toml")
    assert all(part in str(caught.value) for part in ["my.toml", *expected]), caught.value


def test_a_file_without_end_is_refused_and_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text("#" * 2**21)
    with pytest.raises(ConfigError, match="is longer than"):
        RunConfig.read(tmp_path / "long.toml")
