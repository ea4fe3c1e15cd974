"""The table of keys: what each key does, in words, and the name of its action.

Key bindings, footer, help, command palette and the README's table are all made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.binding import Binding

__all__ = [
    "FOOTERS",
    "KEYS",
    "KEY_GROUPS",
    "LAST",
    "LAST_OVER",
    "PLACES",
    "Hint",
    "Key",
    "bindings",
    "markdown",
    "table",
    "told",
]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: ``keys`` as Textual names them, ``shown`` as the screen and the README write it.

    ``action`` names the method ``action_...`` of the screen that has the key; ``group`` is the part
    of the lab's help that it stands in.
    """

    id: str
    keys: str
    shown: str
    action: str
    label: str
    sentence: str
    group: str = "look"
    palette: bool = True


KEY_GROUPS: tuple[str, ...] = ("set up", "run", "look", "program")

KEYS: tuple[Key, ...] = (
    Key(
        "activation", "a", "a", "pick('network.activation')", "activation",
        "Choose the activation; type to filter, enter takes, escape leaves.", "set up",
    ),
    Key(
        "init", "i", "i", "pick('network.init')", "init",
        "Choose the initialiser.", "set up",
    ),
    Key(
        "optimizer", "o", "o", "pick('optimizer.name')", "optimizer",
        "Choose the optimizer.", "set up",
    ),
    Key(
        "data", "d", "d", "pick('data.name')", "data",
        "Choose the data set, or a file of your own.", "set up",
    ),
    Key(
        "experiments", "e", "e", "experiments", "experiments",
        "Open the gallery of experiments: each shows a caveat, and f cures it.", "set up",
    ),
    Key(
        "runs", "L", "L", "runs", "runs",
        "List the kept runs: open, compare, star, name, delete.", "run",
    ),
    Key(
        "resume", "R", "R", "resume", "resume",
        "Continue the kept run on the screen here, if no process trains it.", "run",
    ),
    Key(
        "atlas", "m", "m", "atlas", "atlas",
        "Map what becomes of this network over two settings: choose the axes, watch it fill, enter "
        "opens a cell here.", "look",
    ),
    Key(
        "previous", "left,h", "←", "nudge(-1)", "less",
        "In the setup list: the previous choice, or a smaller number. On a chart: go back one "
        "record. Also h; a click on a chart goes to that step.", "set up", palette=False,
    ),
    Key(
        "next", "right,l", "→", "nudge(1)", "more",
        "In the setup list: the next choice, or a larger number. On a chart: go on one record. "
        "Also l.", "set up", palette=False,
    ),
    Key(
        "digit", "0,5,6,7,8,9", "0-9", "digit", "type",
        "On a row of the setup list that holds a number: type a new one, 1 to 4 too.", "set up",
        palette=False,
    ),
    Key(
        "save_setup", "S", "S", "save_setup", "save setup",
        "Save the setup as a TOML file.", "set up",
    ),
    Key(
        "open_setup", "O", "O", "open_setup", "open setup",
        "Open a setup: a recent one, a TOML file, or the run.toml of a kept run.", "set up",
    ),
    Key(
        "copy_setup", "C", "C", "copy_setup", "copy setup",
        "Copy the setup as a command line to your clipboard, over SSH too (OSC 52).", "set up",
    ),
    Key(
        "undo", "u", "u", "undo", "undo",
        "Undo the last change of the setup.", "set up",
    ),
    Key(
        "play", "space", "space", "play", "run/pause",
        "Train, or pause; in a replay, play or pause.", "run",
    ),
    Key(
        "step", "s", "s", "step", "step",
        "Make one training step.", "run",
    ),
    Key(
        "restart", "r", "r", "restart", "restart",
        "Begin again from step 0 with the same seed.", "run",
    ),
    Key(
        "fix", "f", "f", "fix", "fix",
        "Try a remedy of the worst verdict: the smallest change that won the race (see F), else "
        "the rules' first. Same seed, the failed run stays as ghost.",
        "run",
    ),
    Key(
        "remedies", "F", "F", "remedies", "all remedies",
        "List the remedies of the worst verdict, and try one. They race while no run trains: "
        "beside each stands what it has learnt.", "run",
    ),
    Key(
        "explain", "enter,x", "enter", "explain", "explain",
        "On a chart: explain the verdicts. In the setup list: type a value, or open the picker "
        "(x explains from anywhere).", "look",
    ),
    Key(
        "ghost", "g", "g", "ghost", "ghost",
        "Keep this run's curves, dim, behind later runs; again removes them.", "look",
    ),
    Key(
        "seeds", "n", "n", "seeds", "seeds",
        "Train more seeds of the setup beside its run: charts show their mean, dotted, and the "
        "range from the lowest to the highest, shaded.", "look",
    ),
    Key(
        "chart", "1,2,3,4", "1-4", "chart", "chart",
        "Focus a chart; on a small screen, show it. Again: its next view, as v.", "look",
        palette=False,
    ),
    Key(
        "view", "v", "v", "view", "view",
        "Next view of the focused chart: across layers with theory, delta, maps of layers × "
        "steps; neurons, boundary or fit, activations, update/weight, sharpness, noise scale.",
        "look",
    ),
    Key(
        "focus_next", "tab", "tab", "focus_next_part", "next",
        "Go to the next chart, or back to the setup list.", "look", palette=False,
    ),
    Key(
        "zoom", "z", "z", "zoom", "zoom",
        "Show the focused chart alone; again shows all charts.", "look",
    ),
    Key(
        "back_out", "escape", "escape", "back_out", "back",
        "Leave the zoom; else leave a kept run that lies over the lab; else go to the setup list.",
        "look", palette=False,
    ),
    Key(
        "scale", "y", "y", "scale", "log/linear",
        "Change the focused chart between a logarithmic and a linear axis.", "look",
    ),
    Key(
        "copy", "c", "c", "copy", "copy data",
        "Copy the focused chart's data as csv to your clipboard, over SSH too (OSC 52).", "look",
    ),
    Key(
        "setup_pane", "left_square_bracket", "[", "setup_pane", "setup pane",
        "Show or hide the setup list.", "look",
    ),
    Key(
        "notes_pane", "right_square_bracket", "]", "notes_pane", "notes pane",
        "Show or hide the notes: what happened in this run, and when.", "look",
    ),
    Key(
        "back", "comma", ",", "look_back(-1)", "record back",
        "Go back one record: charts, map and values are shown as they were, of a kept run the "
        "verdicts too.",
        "look",
    ),
    Key(
        "forth", "full_stop", ".", "look_back(1)", "record forward",
        "Looking back: go on one record.", "look",
    ),
    Key(
        "first", "less_than_sign", "<", "look_back(-1000000)", "first record",
        "Go to the first record.", "look",
    ),
    Key(
        "last", "greater_than_sign", ">", "look_back(1000000)", "last record",
        "Go to the newest record, and follow the run.", "look",
    ),
    Key(
        "faster", "plus,equals_sign", "+", "hasten(2.0)", "faster",
        "In slow motion: faster, and at last as fast as possible. In a replay (caveats-tui open "
        "DIR --play): twice as fast.", "look",
    ),
    Key(
        "slower", "minus", "-", "hasten(0.5)", "slower",
        "Train in slow motion, from 50 steps a second down to 1, to see each change. In a replay: "
        "half as fast.", "look",
    ),
    Key(
        "palette", "ctrl+p", "ctrl+p", "palette", "commands",
        "Search all commands, themes among them.", "program", palette=False,
    ),
    Key(
        "picture", "ctrl+s", "ctrl+s", "picture", "screenshot",
        "Save the screen as an SVG picture in the present folder.", "program",
    ),
    Key(
        "record", "ctrl+r", "ctrl+r", "record", "record",
        "Record the terminal from now on, to a file in the present folder; again stops.",
        "program",
    ),
    Key(
        "suspend", "ctrl+z", "ctrl+z", "suspend", "suspend",
        "Stop the program and give the terminal back, as the shell does; fg goes on.",
        "program",
    ),
    Key(
        "help", "question_mark,f1", "?", "help", "help",
        "Show all keys, and what the charts mean.", "program",
    ),
    Key(
        "quit", "q,ctrl+q", "q", "leave", "quit",
        "Leave; asks first while a run is going on.", "program",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hint:
    """What the footer says of a key, the action that a click on it runs, and what help says."""

    shown: str
    label: str
    action: str
    sentence: str


def hint(name: str, shown: str = "", label: str = "", action: str = "") -> Hint:
    """The hint of a key; where two are ``shown``, as ``< >``, with the sentences of both."""
    key = next(key for key in KEYS if key.id == name)
    by_shown = {key.shown: key.sentence for key in KEYS}
    sentence = " ".join(by_shown[one] for one in (shown or key.shown).split())
    return Hint(shown or key.shown, label or key.label, action or key.action, sentence)


LAST = (hint("help"), hint("quit"))
LAST_OVER = (hint("help"), hint("quit", label="back"))  # of a screen over the lab

_IN_THE_LIST = (
    hint("play"), hint("next", "← →", "change"), hint("explain", label="edit", action="edit"),
    hint("experiments"), hint("fix"), hint("restart"), hint("step"), hint("undo"), hint("runs"),
    hint("save_setup"), hint("open_setup"),
)  # fmt: skip

# What matters most on each part of the lab, the most important first: as many as fit are shown.
FOOTERS: dict[str, tuple[Hint, ...]] = {
    "setup": _IN_THE_LIST,
    "number": (*_IN_THE_LIST[:2], hint("digit", "0-9", action="edit"), *_IN_THE_LIST[3:]),
    "chart": (
        hint("play"), hint("view"), hint("zoom"), hint("fix"), hint("explain"), hint("scale"),
        hint("copy"), hint("ghost"), hint("restart"), hint("focus_next"), hint("runs"),
    ),
    "kept run": (
        hint("back", ", .", "record"), hint("first", "< >", "ends"), hint("explain"), hint("view"),
        hint("zoom"), hint("resume"), hint("copy"), hint("scale"), hint("runs"),
    ),
    "replay": (
        hint("play"), hint("slower", "- +", "speed"), hint("back", ", .", "record"),
        hint("explain"), hint("view"), hint("zoom"), hint("scale"),
    ),
}  # fmt: skip


PLACES = {
    "setup": "here, in the setup list",
    "number": "here, in the setup list",
    "chart": "here, on a chart",
    "kept run": "here, in a kept run",
    "replay": "here, in a replay",
}


def bindings(keys: Iterable[Key] = KEYS) -> list[Binding]:
    """A table, by default that of the lab, as Textual's bindings. The screen draws the footer, not
    Textual."""
    made = []
    for key in keys:
        # The screen gets these keys before the focused widget: so the window is open before the
        # keys typed right after them arrive.
        first = key.action.startswith(("pick(", "experiments", "chart", "digit"))
        for one in key.keys.split(","):
            action = f"{key.action}({one})" if key.action in ("chart", "digit") else key.action
            made.append(
                Binding(one, action, key.label, show=False, id=f"{key.id}.{one}",
                        tooltip=key.sentence, priority=first)
            )  # fmt: skip
    return made


def told(keys: Iterable[Key]) -> list[tuple[str, str, str]]:
    """A table as rows of the help: the key, its sentence, its label."""
    return [(key.shown, key.sentence, key.label) for key in keys]


def table() -> Iterator[tuple[str, list[Key]]]:
    """The keys by group, in order."""
    for group in KEY_GROUPS:
        yield group, [key for key in KEYS if key.group == group]


def markdown() -> str:
    """The table for the README, which holds it between two comments."""
    rows = [f"| `{key.shown}` | {key.sentence} |" for _, keys in table() for key in keys]
    return "\n".join(("| key | what it does |", "| --- | --- |", *rows))
