"""Remedies: changes of a run's settings that may cure what a verdict found.

They need a config; without one, a caveat's advice is shown instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveats.config import RunConfig
from caveats.remedies.ranking import remedies_for

if TYPE_CHECKING:
    from caveats.verdicts.evidence import Evidence
    from caveats.verdicts.verdict import Finding, Remedy

__all__ = ["Remedies"]


@dataclass(frozen=True)
class Remedies:
    """Proposes changes of one config; this is the function in `caveats.facts.RunFacts.remedies`."""

    config: RunConfig

    def __call__(self, caveat: str, evidence: Evidence, finding: Finding) -> tuple[Remedy, ...]:
        """The changes worth trying for a finding, the likeliest first, at most five."""
        return remedies_for(caveat, evidence, finding, self.config)
