"""The words of a list of kept runs: a run's name, its state, its worst verdict."""

from __future__ import annotations

from datetime import datetime

from caveats.runs.manifest import SILENT_AFTER, Manifest
from caveats.runs.shelf import Entry
from caveats.status import LIVE
from caveats_tui.text.times import age

__all__ = ["alive", "name", "silent", "standing", "worst"]


def name(entry: Entry) -> str:
    """The name that the user gave the run, else the name of its folder."""
    return entry.label.name or entry.folder.name


def silent(manifest: Manifest, now: datetime) -> bool:
    """Whether a run that is not over has lately given no sign of life."""
    quiet = (now - manifest.standing.time).total_seconds()
    return manifest.standing.state in LIVE and quiet > SILENT_AFTER


def alive(manifest: Manifest, now: datetime) -> bool:
    """Whether a process seems to train the run: it has lately given a sign of life."""
    return manifest.standing.state in LIVE and not silent(manifest, now)


def standing(manifest: Manifest, now: datetime) -> str:
    """The state in one word, or how long a run that is not over has been silent."""
    if silent(manifest, now):
        return f"silent {age((now - manifest.standing.time).total_seconds())}"
    return manifest.standing.state


def worst(manifest: Manifest) -> tuple[str, str]:
    """The first verdict in words, and its severity. For a run that is going on, the verdicts are
    not known."""
    from caveats.verdicts import CAVEATS  # loads numpy, which `caveats-tui --help` need not

    found = manifest.standing.verdicts
    if found is None:
        return "?", ""
    if not found:
        return "none", ""
    caveat, severity = found[0]
    title = CAVEATS[caveat].title if caveat in CAVEATS else caveat
    return title + (f" +{len(found) - 1}" if found[1:] else ""), severity
