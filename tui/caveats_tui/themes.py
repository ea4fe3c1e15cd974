"""The program's own themes, a dark and a light one; Textual's can be chosen as well.

Their colours are exact entries of the xterm-256 cube, so that they look the same through tmux and
SSH, and states differ in lightness as well as hue.
"""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["THEMES"]

THEMES: tuple[Theme, ...] = (
    Theme(
        name="caveats-dark",
        primary="#5fafd7",
        secondary="#87afd7",
        accent="#d7af5f",
        warning="#ffaf00",
        error="#ff5f5f",
        success="#5fd787",
        foreground="#d0d0d0",
        background="#121212",
        surface="#1c1c1c",
        panel="#262626",
        dark=True,
        variables={"border-blurred": "#3a3a3a", "scrollbar-background": "#262626"},
    ),
    Theme(
        name="caveats-light",
        primary="#005f87",
        secondary="#005f5f",
        accent="#875f00",
        warning="#af5f00",
        error="#af0000",
        success="#005f00",
        foreground="#1c1c1c",
        background="#eeeeee",
        surface="#e4e4e4",
        panel="#dadada",
        dark=False,
        variables={"border-blurred": "#bcbcbc", "scrollbar-background": "#dadada"},
    ),
)
