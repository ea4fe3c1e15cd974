"""One row of the literature's table: a paper's number and ours."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """The row passes if ``ours`` is within ``tolerance`` of ``paper`` (``relation`` "="), or if it
    violates the inequality by at most ``tolerance`` ("<=" and ">=")."""

    source: str
    what: str
    paper: float
    ours: float
    tolerance: float
    relation: str = "="

    @property
    def passed(self) -> bool:
        above = self.ours - self.paper
        if self.relation == "<=":
            return above <= self.tolerance
        if self.relation == ">=":
            return above >= -self.tolerance
        return abs(above) <= self.tolerance
