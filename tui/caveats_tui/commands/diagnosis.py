"""What `caveats-tui doctor` says about a machine and a terminal, and what to change.

`report` lists the facts, `text` lays them out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from caveats.errors import ConfigError, visible
from caveats_tui.commands.machine import Machine
from caveats_tui.terminal.facts import (
    WIDE,
    Streams,
    charset,
    check,
    colours,
    inside,
    too_small,
)

__all__ = ["Fact", "report", "text"]

_SAMPLES = {"braille": "⡀⣀⣠⣤⣴⣶⣾⣿", "block": "▖▄▙█", "ascii": ".-+*#"}


class Fact(NamedTuple):
    """One fact, and what to do about it if that would help."""

    section: str
    topic: str
    fact: str
    advice: str | None = None


def report(machine: Machine, streams: Streams, environ: Mapping[str, str]) -> list[Fact]:
    """All facts, in the order in which they are shown."""
    return [
        *_versions(machine),
        *_devices(machine),
        *_terminal(machine, streams, environ),
        Fact("files", "messages", f"{machine.log} (messages that would spoil the screen)"),
        Fact("files", "pictures", f"{Path.cwd()} (the folder the lab is started in)"),
    ]


def text(lines: Sequence[Fact], *, width: int = 80) -> str:
    """The report for people, without a line break at its end; what to change comes last."""
    blocks: list[str] = []
    room = max(len(line.topic) for line in lines) + 4
    for section in dict.fromkeys(line.section for line in lines):
        rows = [
            _folded(f"  {line.topic}".ljust(room), line.fact, width)
            for line in lines
            if line.section == section
        ]
        blocks.append("\n".join([section, *rows]))
    advice = [_folded("  - ", line.advice, width) for line in lines if line.advice]
    blocks.append("\n".join(["what to change", *(advice or ["  nothing"])]))
    return "\n\n".join(blocks)


def _versions(machine: Machine) -> list[Fact]:
    return [
        *(
            Fact(
                "versions",
                name,
                version or "not installed",
                None if version else f"Install {name}: `python -m pip install {name}`.",
            )
            for name, version in machine.versions.items()
        ),
        Fact("versions", "python", machine.python),
        Fact("versions", "system", machine.system),
    ]


def _devices(machine: Machine) -> list[Fact]:
    threads = "torch not loaded" if machine.threads is None else f"torch uses {machine.threads}"
    lines = [
        Fact("devices", "cpu", f"{machine.cores} core{'s' * (machine.cores != 1)}, {threads}"),
        *(
            Fact(
                "devices",
                gpu.device,
                gpu.name if gpu.memory is None else f"{gpu.name}, {gpu.memory / 2**30:.1f} GiB",
            )
            for gpu in machine.gpus
        ),
    ]
    if not machine.gpus:
        lines.append(Fact("devices", "gpu", *_no_gpu(machine)))
    return [*lines, Fact("devices", "auto", _auto(machine))]


def _auto(machine: Machine) -> str:
    """What training.device = "auto" takes here, and why."""
    if not machine.gpus:
        return "runs train on the CPU: there is no GPU that torch can use"
    first = machine.gpus[0].device
    small = "the CPU if its step is smaller than that of 256×3 with batches of 256 rows"
    if not first.startswith("cuda"):
        return f"a network trains on {first}; on {small}"
    return (
        f"a network trains on {first}: its steps are recorded as a CUDA graph, faster than the CPU "
        f"at every size measured; a stack, or a network with dropout, trains on {small}"
    )


def _no_gpu(machine: Machine) -> tuple[str, str | None]:
    if machine.trouble is not None:
        return "none that torch can use", f"{machine.trouble.rstrip('.')}."
    if machine.cuda_build is None and machine.nvidia:
        return (
            "an NVIDIA one is here, but this torch was built without CUDA",
            "Install the CUDA build of torch (see pytorch.org) to train on the GPU.",
        )
    return "none; the lab's networks are small enough for a CPU", None


def _terminal(machine: Machine, streams: Streams, environ: Mapping[str, str]) -> list[Fact]:
    chosen = charset("auto", environ, streams.encoding)
    depth = colours(environ)
    return [
        Fact("terminal", "lab", *_lab(streams, environ)),
        Fact("terminal", "size", *_size(streams.size)),
        Fact("terminal", "TERM", visible(environ.get("TERM") or "not set")),
        Fact("terminal", "COLORTERM", visible(environ.get("COLORTERM") or "not set")),
        Fact(
            "terminal",
            "colours",
            f"{depth.depth} ({depth.why})",
            _colour_advice(depth.depth, environ),
        ),
        Fact("terminal", "encoding", visible(streams.encoding)),
        Fact(
            "terminal",
            "charset",
            f"{chosen.name} ({chosen.why}): {_SAMPLES[chosen.name]}",
            _charset_advice(environ, streams.encoding),
        ),
        Fact("terminal", "inside", ", ".join(inside(environ)) or "nothing in between"),
    ]


def _lab(streams: Streams, environ: Mapping[str, str]) -> tuple[str, str | None]:
    try:
        check(streams, environ)
    except ConfigError as error:
        return "cannot be opened here", f"{str(error)[0].upper()}{str(error)[1:]}."
    return "can be opened here", None


def _size(size: tuple[int, int] | None) -> tuple[str, str | None]:
    if size is None:
        return "no terminal", None
    columns, rows = size
    sentence = too_small(columns, rows)
    if sentence is not None:
        return f"{columns}×{rows}, too small", sentence
    if columns < WIDE[0] or rows < WIDE[1]:
        return (
            f"{columns}×{rows}, one chart at a time",
            f"Enlarge the terminal to {WIDE[0]}×{WIDE[1]} to see four charts at once.",
        )
    return f"{columns}×{rows}, four charts at once", None


def _colour_advice(depth: str, environ: Mapping[str, str]) -> str | None:
    if depth == "none":
        return "Unset NO_COLOR: charts tell layers apart by their colours."
    if depth != "16":
        return None
    if environ.get("TMUX"):
        return 'Put `set -g default-terminal "tmux-256color"` into ~/.tmux.conf: 256 colours.'
    if environ.get("STY"):
        return "Put `term screen-256color` into ~/.screenrc: charts have 256 colours."
    return "Try `export TERM=xterm-256color`: nearly every terminal has 256 colours."


def _charset_advice(environ: Mapping[str, str], encoding: str) -> str | None:
    # no setting can add what the font lacks
    locale = charset("auto", {k: v for k, v in environ.items() if k != "TERM"}, encoding)
    if locale.name != "ascii":
        return None
    return (
        f"Charts are drawn in ASCII because {locale.why}: if your terminal shows UTF-8, "
        "`export LC_ALL=C.UTF-8`, or start the lab with `--charset braille`."
    )


def _folded(head: str, words: str, width: int) -> str:
    return textwrap.fill(
        words,
        width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
