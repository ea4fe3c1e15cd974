"""One row of the literature's table: a paper's number beside ours; it knows no paper."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """``relation`` "=": ``ours`` is no further than ``tolerance`` from ``paper``; "<=" and ">=":
    it is beyond ``paper`` by no more than that."""

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
