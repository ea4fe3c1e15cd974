"""All keys of the screen of a watched command. What the lab does too has the lab's key."""

from __future__ import annotations

from caveats_tui.keys import Hint, Key

__all__ = ["FOOTER", "READ", "WATCH_KEYS"]


WATCH_KEYS = (
    Key("explain", "x,enter", "x", "explain", "explain", "Explain the verdicts. Also enter."),
    Key("search", "slash", "/", "search", "search",
        "Show only the layers, or lines of the output, that hold what is typed; escape ends it."),
    Key("tree", "t", "t", "tree", "layers", "The layers alone, by module; again: the charts."),
    Key("worst", "w", "w", "worst", "worst first", "The worst layers first, in list and maps."),
    Key("output", "o", "o", "output", "output", "The output of the command alone."),
    Key("runs", "L", "L", "runs", "runs", "List the kept runs: open, compare, name, delete."),
    Key("chart", "1,2,3,4", "1-4", "chart", "chart",
        "Focus a chart; on a small screen, show it. Again: its next view, as v."),
    Key("view", "v", "v", "view", "view", "Next view of the chart."),
    Key("zoom", "z", "z", "zoom", "zoom", "Show the chart alone; again shows all charts."),
    Key("type", "i", "i", "type", "type", "Type a line to the command."),
    Key("pause", "p", "p", "pause", "pause", "Pause drawing, not training."),
    Key("back", "comma,left,h", ",", "look_back(-1)", "record back",
        "Go back one record. Also ← and h, and a click on a chart goes to that step."),
    Key("forth", "full_stop,right,l", ".", "look_back(1)", "record forward",
        "Go on one record. Also → and l."),
    Key("first", "less_than_sign", "<", "look_back(-1000000000)", "first record",
        "Go to the first record."),
    Key("last", "greater_than_sign", ">", "look_back(1000000000)", "last record",
        "Go to the newest record, and follow the run."),
    Key("model", "m", "m", "model", "next model", "Show the next model of the command."),
    Key("notes", "right_square_bracket,n", "]", "notes", "notes",
        "Show what happened, and when, in the place of the output. Also n."),
    Key("scale", "y", "y", "scale", "log/linear",
        "Change the chart between a logarithmic and a linear axis."),
    Key("copy", "c", "c", "copy", "copy data", "Copy the chart's data as csv to your clipboard."),
    Key("picture", "ctrl+s", "ctrl+s", "picture", "screenshot",
        "Save the screen as an SVG picture in the present folder."),
    Key("record", "ctrl+r", "ctrl+r", "record", "record",
        "Record the terminal from now on, to a file in the present folder; again stops."),
    Key("help", "question_mark,f1", "?", "help", "help", "Show these keys."),
    Key("escape", "escape", "escape", "back", "back",
        "End a search, or leave the zoom, the list or the output."),
    Key("quit", "q", "q", "leave", "quit", "Leave; asks first while the command goes on."),
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
