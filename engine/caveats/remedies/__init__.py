"""Remedies: the changes of a run's own settings that may cure what a verdict found.

They alone know configs; where there is none, a caveat's own advice stands in their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.remedies.ranking import RANKED

if TYPE_CHECKING:
    from caveats.verdicts.evidence import Evidence
    from caveats.verdicts.verdict import Finding, Remedy

__all__ = ["Remedies"]


@dataclass(frozen=True)
class Remedies:
    """Proposes changes of one config: what `caveats.facts.RunFacts.remedies` holds."""

    config: RunConfig

    def __call__(self, caveat: str, evidence: Evidence, finding: Finding) -> tuple[Remedy, ...]:
        """The changes worth trying for a finding, the likeliest first, at most five."""
        return RANKED[caveat](finding, self.config)
