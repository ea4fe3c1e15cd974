"""What lasts between two sessions is read, checked, written as a whole, and never lost."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveats_tui.commands.lab import preferred, with_known_theme
from caveats_tui.options import LabOptions, ScreenOptions
from caveats_tui.screens.lab.notifying import sequence
from caveats_tui.terminal.preferences import Preferences, Values, default_file


def test_tests_never_touch_the_real_home() -> None:
    assert not default_file().is_relative_to(Path.home())


def test_without_a_file_everything_is_the_programs_choice(tmp_path: Path) -> None:
    kept = Preferences(tmp_path / "none" / "settings.toml")
    assert (kept.values, kept.problem) == (Values(), "")
    assert preferred(ScreenOptions(), kept) == ScreenOptions()


def test_what_was_chosen_is_there_in_the_next_session(tmp_path: Path) -> None:
    file = tmp_path / "new" / "settings.toml"
    assert Preferences(file).change(theme="caveats-light", setup_pane=False) == ""
    assert Preferences(file).change(notify="osc9") == ""
    assert Preferences(file).values == Values("caveats-light", None, False, False, "osc9")
    assert [path.name for path in file.parent.iterdir()] == ["settings.toml"]


def test_the_command_line_is_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('theme = "nord"\nfps = 2\n')
    kept = Preferences(file)
    assert preferred(ScreenOptions(), kept) == ScreenOptions(fps=2.0, theme="nord")
    given = ScreenOptions(fps=5.0, theme="caveats-dark")
    assert preferred(given, kept) == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = 3", "theme = 3 should be the name of a theme"),
        ("fps = 0", "fps = 0 should be a number above 0 and at most 60"),
        ("fps = true", "fps = True should be a number above 0 and at most 60"),
        ("notify = 'sound'", "notify = 'sound' should be one of off, bell, osc9"),
        ("setup_pane = 1", "setup_pane = 1 should be true or false"),
        ("notfy = 'bell'", "notfy is no setting: did you mean 'notify'?"),
        ("a = [", "settings.toml cannot be read: "),
        ("\x00", "settings.toml cannot be read: "),
        ("notify = []", "notify = [] should be one of off, bell, osc9"),
    ],
)
def test_a_mistake_is_one_sentence_and_the_file_stays(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"notes_pane = true\n{text}\n")
    kept = Preferences(file)
    assert said in kept.problem
    assert "\n" not in kept.problem
    assert kept.change(theme="nord") == kept.problem
    assert file.read_text() == f"notes_pane = true\n{text}\n"
    assert kept.values.theme == "nord"  # in this session


def test_a_theme_that_does_not_exist_is_reported_and_not_used(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('theme = "nrod"')
    kept = Preferences(file)
    screen = with_known_theme(preferred(ScreenOptions(), kept), kept)
    assert screen.theme is None
    assert "settings.toml: theme = 'nrod' is no theme: did you mean 'nord'?" in kept.problem


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Preferences(tmp_path / "file" / "settings.toml")
    assert "cannot be read: Not a directory" in kept.change(theme="nord")


def test_the_lab_remembers_panes_theme_and_notifications(
    tmp_path: Path, drive: Callable[..., None]
) -> None:
    file = tmp_path / "settings.toml"

    async def first(lab: Any) -> None:
        await lab.press("left_square_bracket", "right_square_bracket")
        await lab.press("ctrl+p", *"notif", "enter")
        await lab.press(*"bell", "enter")
        await lab.press("ctrl+p", *"theme", "enter")
        await lab.press(*"caveats-light", "enter")

    async def second(lab: Any) -> None:
        assert lab.app.lab.has_class("-no-setup")
        assert lab.app.lab.has_class("-notes")
        assert lab.panel(1).has_focus

    drive(first, drawing=False, preferences=Preferences(file))
    assert tomllib.loads(file.read_text()) == {
        "setup_pane": False, "notes_pane": True, "notify": "bell", "theme": "caveats-light",
    }  # fmt: skip
    drive(second, drawing=False, preferences=Preferences(file))


def test_a_broken_file_is_told_of_on_the_screen(tmp_path: Path, drive: Callable[..., None]) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("notify = 7")

    async def scenario(lab: Any) -> None:
        await lab.until("notify = 7 should be one of off, bell, osc9")

    drive(scenario, drawing=False, preferences=Preferences(file), size=(160, 24))


def test_the_options_of_the_lab_remember_nothing_by_themselves() -> None:
    assert LabOptions.__dataclass_fields__["preferences"].default_factory().file is None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "environ", "sent"),
    [
        ("off", {}, ""),
        ("bell", {"TMUX": "x"}, "\a"),
        ("osc9", {}, "\x1b]9;caveats: all \\x1b[2J well\a"),
        (
            "osc9",
            {"TMUX": "x"},
            "\x1bPtmux;\x1b\x1b]9;caveats: all \\x1b[2J well\a\x1b\\",
        ),
    ],
)
def test_what_the_terminal_gets(kind: str, environ: dict[str, str], sent: str) -> None:
    assert sequence(kind, "all \x1b[2J well", environ) == sent
