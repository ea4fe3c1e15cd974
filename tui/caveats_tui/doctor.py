"""What `caveats-tui doctor` says: the facts about this machine and terminal, and what to change.

`look` asks the machine (it loads torch), `report` judges in pure functions, `text` lays out. It
changes nothing and needs no terminal.
"""

from __future__ import annotations

import os
import platform
import sys
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TextIO

from caveats.errors import ConfigError, visible
from caveats_tui.commands.progress import Progress
from caveats_tui.terminal.facts import (
    Streams,
    charset,
    check,
    colours,
    inside,
    streams,
    too_small,
)
from caveats_tui.terminal.log import log_path
from caveats_tui.terminal.plain import ERRORS

__all__ = ["Gpu", "Line", "Machine", "look", "print_report", "report", "text"]

PACKAGES = ("caveats-tui", "torch", "numpy", "textual", "plotext")
_SAMPLES = {"braille": "⡀⣀⣠⣤⣴⣶⣾⣿", "block": "▖▄▙█", "ascii": ".-+*#"}


class Gpu(NamedTuple):
    """A device that a run can use beside the CPU; ``memory`` in bytes, None where it is the
    machine's own."""

    device: str
    name: str
    memory: int | None


class Machine(NamedTuple):
    """What was found. ``versions`` has None for what is not installed; ``trouble`` says why torch
    cannot be loaded or CUDA cannot be used."""

    python: str
    system: str
    versions: Mapping[str, str | None]
    cores: int
    threads: int | None
    gpus: tuple[Gpu, ...]
    cuda_build: str | None
    nvidia: bool
    trouble: str | None
    log: Path
    wide: tuple[int, int]


class Line(NamedTuple):
    """One fact, and what to do about it where that would help."""

    section: str
    topic: str
    fact: str
    advice: str | None = None


def look() -> Machine:
    """Ask this machine; takes as long as `import torch`, some 2 s."""
    from caveats_tui.lab.screen import WIDE

    versions = {name: _version(name) for name in PACKAGES}
    threads: int | None = None
    gpus: tuple[Gpu, ...] = ()
    cuda_build: str | None = None
    trouble: str | None = None
    # CUDA tells of a driver that is too old in a warning
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            import torch
        except (ImportError, OSError) as error:  # OSError: a library that it needs is missing
            trouble = f"torch cannot be loaded: {_first_line(error)}"
        else:
            versions["torch"] = torch.__version__
            threads = torch.get_num_threads()
            cuda_build = torch.version.cuda
            gpus = _gpus()
            if cuda_build and not gpus and warned:
                trouble = _first_line(warned[-1].message)
    return Machine(
        python=f"{platform.python_version()} ({sys.executable})",
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        versions=versions,
        cores=_cores(),
        threads=threads,
        gpus=gpus,
        cuda_build=cuda_build,
        nvidia=any(Path(path).exists() for path in ("/dev/nvidia0", "/dev/dxg")),
        trouble=trouble,
        log=log_path(),
        wide=WIDE,
    )


def print_report(out: TextIO, narration: TextIO) -> None:
    """Write the report on this machine and terminal to ``out``, in the characters that it takes;
    ``narration`` says what is going on while torch is loaded, if it is a terminal."""
    progress = Progress(narration)
    progress.say("Loading torch ...")
    machine = look()
    progress.clear()
    words = text(report(machine, streams(), os.environ))
    encoding = out.encoding or "ascii"
    out.write(words.encode(encoding, ERRORS).decode(encoding) + "\n")


def report(machine: Machine, streams: Streams, environ: Mapping[str, str]) -> list[Line]:
    """Every fact worth knowing, in reading order."""
    return [
        *_versions(machine),
        *_devices(machine),
        *_terminal(machine, streams, environ),
        Line("files", "messages", f"{machine.log} (what would have torn the screen)"),
        Line("files", "pictures", f"{Path.cwd()} (the folder the lab is started in)"),
    ]


def text(lines: Sequence[Line], *, width: int = 80) -> str:
    """The report for people, ending without a line break; what to change comes last."""
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


def _versions(machine: Machine) -> list[Line]:
    return [
        *(
            Line(
                "versions",
                name,
                version or "not installed",
                None if version else f"Install {name}: `python -m pip install {name}`.",
            )
            for name, version in machine.versions.items()
        ),
        Line("versions", "python", machine.python),
        Line("versions", "system", machine.system),
    ]


def _devices(machine: Machine) -> list[Line]:
    threads = "torch not loaded" if machine.threads is None else f"torch uses {machine.threads}"
    lines = [
        Line("devices", "cpu", f"{machine.cores} core{'s' * (machine.cores != 1)}, {threads}"),
        *(
            Line(
                "devices",
                gpu.device,
                gpu.name if gpu.memory is None else f"{gpu.name}, {gpu.memory / 2**30:.1f} GiB",
            )
            for gpu in machine.gpus
        ),
    ]
    if not machine.gpus:
        lines.append(Line("devices", "gpu", *_no_gpu(machine)))
    first = machine.gpus[0].device if machine.gpus else "cpu"
    return [*lines, Line("devices", "auto", f"runs train on {first} unless told otherwise")]


def _no_gpu(machine: Machine) -> tuple[str, str | None]:
    if machine.trouble is not None:
        return "none that torch can use", f"{machine.trouble.rstrip('.')}."
    if machine.cuda_build is None and machine.nvidia:
        return (
            "an NVIDIA one is here, but this torch was built without CUDA",
            "Install the CUDA build of torch (see pytorch.org) to train on the GPU.",
        )
    return "none; the lab's networks are small enough for a CPU", None


def _terminal(machine: Machine, streams: Streams, environ: Mapping[str, str]) -> list[Line]:
    chosen = charset("auto", environ, streams.encoding)
    depth = colours(environ)
    return [
        Line("terminal", "lab", *_lab(streams, environ)),
        Line("terminal", "size", *_size(machine.wide, streams.size)),
        Line("terminal", "TERM", visible(environ.get("TERM") or "not set")),
        Line("terminal", "COLORTERM", visible(environ.get("COLORTERM") or "not set")),
        Line(
            "terminal",
            "colours",
            f"{depth.depth} ({depth.why})",
            _colour_advice(depth.depth, environ),
        ),
        Line("terminal", "encoding", visible(streams.encoding)),
        Line(
            "terminal",
            "charset",
            f"{chosen.name} ({chosen.why}): {_SAMPLES[chosen.name]}",
            _charset_advice(environ, streams.encoding),
        ),
        Line("terminal", "inside", ", ".join(inside(environ)) or "nothing in between"),
    ]


def _lab(streams: Streams, environ: Mapping[str, str]) -> tuple[str, str | None]:
    try:
        check(streams, environ)
    except ConfigError as error:
        return "cannot be opened here", f"{str(error)[0].upper()}{str(error)[1:]}."
    return "can be opened here", None


def _size(wide: tuple[int, int], size: tuple[int, int] | None) -> tuple[str, str | None]:
    if size is None:
        return "no terminal", None
    columns, rows = size
    sentence = too_small(columns, rows)
    if sentence is not None:
        return f"{columns}×{rows}, too small", sentence
    if columns < wide[0] or rows < wide[1]:
        return (
            f"{columns}×{rows}, one chart at a time",
            f"Enlarge the terminal to {wide[0]}×{wide[1]} to see four charts at once.",
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
    # what the font lacks, no setting brings
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


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))  # what a container or a scheduler leaves us
    return os.cpu_count() or 1


def _gpus() -> tuple[Gpu, ...]:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [
        Gpu(f"cuda:{i}", visible(properties.name), properties.total_memory)
        for i, properties in enumerate(map(torch.cuda.get_device_properties, range(count)))
    ]
    if torch.backends.mps.is_available():
        found.append(Gpu("mps", "Apple GPU", None))
    return tuple(found)


def _first_line(error: object) -> str:
    return visible((str(error).splitlines() or [type(error).__name__])[0])
