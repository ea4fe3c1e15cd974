"""What a list of kept runs says of one: its name, its state, its worst verdict."""

from __future__ import annotations

from datetime import datetime

from caveats.runs.manifest import SILENT_AFTER, Manifest
from caveats.runs.shelf import Entry
from caveats.status import LIVE
from caveats_tui.text.times import age

__all__ = ["alive", "name", "silent", "standing", "worst"]


def name(entry: Entry) -> str:
    """What a person calls the run: their own name for it, else its folder's."""
    return entry.label.name or entry.folder.name


def silent(manifest: Manifest, now: datetime) -> bool:
    """Whether a run that is not over has given no sign of life lately."""
    quiet = (now - manifest.standing.time).total_seconds()
    return manifest.standing.state in LIVE and quiet > SILENT_AFTER


def alive(manifest: Manifest, now: datetime) -> bool:
    """Whether some process trains the run, or may: it gave a sign of life lately."""
    return manifest.standing.state in LIVE and not silent(manifest, now)


def standing(manifest: Manifest, now: datetime) -> str:
    """The state in a word, or for how long a run that is not over has said nothing."""
    if silent(manifest, now):
        return f"silent {age((now - manifest.standing.time).total_seconds())}"
    return manifest.standing.state


def worst(manifest: Manifest) -> tuple[str, str]:
    """The first verdict in words, and its severity; what a run that goes on shows is not known."""
    from caveats.verdicts import CAVEATS  # loads numpy, which `caveats-tui --help` need not

    found = manifest.standing.verdicts
    if found is None:
        return "?", ""
    if not found:
        return "none", ""
    caveat, severity = found[0]
    title = CAVEATS[caveat].title if caveat in CAVEATS else caveat
    return title + (f" +{len(found) - 1}" if found[1:] else ""), severity
