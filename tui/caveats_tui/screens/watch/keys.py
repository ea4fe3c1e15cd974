"""All keys of the screen of a watched command. What the lab does too has the lab's key."""

from __future__ import annotations

from caveats_tui.keys import Hint, Key

__all__ = ["FOOTER", "READ", "WATCH_KEYS"]


def key(name: str, keys: str, shown: str, action: str, label: str, sentence: str) -> Key:
    return Key(name, keys, shown, action, label, sentence, "look")


WATCH_KEYS = (
    key("explain", "x,enter", "x", "explain", "explain", "Explain the verdicts. Also enter."),
    key("search", "slash", "/", "search", "search",
        "Show only the layers, or lines of the output, that hold what is typed; escape ends it."),
    key("tree", "t", "t", "tree", "layers", "The layers alone, by module; again: the charts."),
    key("worst", "w", "w", "worst", "worst first", "The worst layers first, in list and maps."),
    key("output", "o", "o", "output", "output", "The output of the command alone."),
    key("runs", "L", "L", "runs", "runs", "List the kept runs: open, compare, name, delete."),
    key("chart", "1,2,3,4", "1-4", "chart", "chart",
        "Focus a chart; on a small screen, show it. Again: its next view, as v."),
    key("view", "v", "v", "view", "view", "Next view of the chart."),
    key("zoom", "z", "z", "zoom", "zoom", "Show the chart alone; again shows all charts."),
    key("type", "i", "i", "type", "type", "Type a line to the command."),
    key("pause", "p", "p", "pause", "pause", "Pause drawing, not training."),
    key("back", "comma,left,h", ",", "look_back(-1)", "record back",
        "Go back one record. Also ← and h, and a click on a chart goes to that step."),
    key("forth", "full_stop,right,l", ".", "look_back(1)", "record forward",
        "Go on one record. Also → and l."),
    key("first", "less_than_sign", "<", "look_back(-1000000000)", "first record",
        "Go to the first record."),
    key("last", "greater_than_sign", ">", "look_back(1000000000)", "last record",
        "Go to the newest record, and follow the run."),
    key("model", "m", "m", "model", "next model", "Show the next model of the command."),
    key("notes", "right_square_bracket,n", "]", "notes", "notes",
        "Show what happened, and when, in the place of the output. Also n."),
    key("scale", "y", "y", "scale", "log/linear",
        "Change the chart between a logarithmic and a linear axis."),
    key("copy", "c", "c", "copy", "copy data", "Copy the chart's data as csv to your clipboard."),
    key("picture", "ctrl+s", "ctrl+s", "picture", "screenshot",
        "Save the screen as an SVG picture in the present folder."),
    key("record", "ctrl+r", "ctrl+r", "record", "record",
        "Record the terminal from now on, to a file in the present folder; again stops."),
    key("help", "question_mark,f1", "?", "help", "help", "Show these keys."),
    key("escape", "escape", "escape", "back", "back",
        "End a search, or leave the zoom, the list or the output."),
    key("quit", "q", "q", "leave", "quit", "Leave; asks first while the command goes on."),
)  # fmt: skip

READ = (
    "the list",
    "Of layers: dead is the share of units that nothing passes, ‖dW‖ the length of the gradient, "
    "step what the optimizer changed of the weights, ? what cannot be seen. Arrows up and down and "
    "page keys scroll what has the focus; tab moves it.",
    "",
)


# As many as fit, in this order; help and quit stand last.
FOOTER = tuple(
    Hint(one.shown, one.label, one.action, one.sentence)
    for one in WATCH_KEYS
    if one.id not in ("help", "quit", "escape", "chart")
)
