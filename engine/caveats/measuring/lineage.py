"""Where the tensors of a pass come from: each tensor is a node, and its parents are the tensors it
was computed from.

`caveats.measuring.tracing` builds the nodes. They show which layers still wait for their activation
and which are in a residual branch.
"""

from __future__ import annotations

import heapq
import weakref
from collections.abc import Iterable, Sequence

from torch import Tensor

from caveats.facts import Normalization
from caveats.measuring.sites import Site

__all__ = ["Lineage", "Node"]

# How many operations are searched backwards from a sum. Without a limit, a network that adds at
# every step of a long sequence would be searched as often as it has steps.
FAR = 400


class Node:
    """One tensor of the pass.

    ``waiting`` are the layers whose outputs reach it without an activation, each with the
    normalization on the way; ``acted`` are those whose activation's outputs reach it. ``site`` is
    the layer that computed it, if one did; ``bends`` says whether an activation computed it.
    """

    __slots__ = ("acted", "bends", "index", "parents", "site", "waiting")

    def __init__(
        self,
        index: int,
        parents: Sequence[Node],
        waiting: dict[Site, Normalization],
        acted: Iterable[Site] = (),
        site: Site | None = None,
        bends: bool = False,
    ) -> None:
        self.index, self.parents = index, parents
        self.waiting, self.acted = waiting, frozenset(acted)
        self.site, self.bends = site, bends


class Lineage:
    """The nodes of one pass. Tensors are not kept alive: a node is found by the tensor's id, and
    then checked to belong to that tensor."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[weakref.ref[Tensor], Node]] = {}
        self._count = 0

    def of(self, tensor: object) -> Node | None:
        found = self._nodes.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def add(
        self,
        tensors: Iterable[Tensor],
        parents: Sequence[Node],
        waiting: dict[Site, Normalization] | None = None,
        acted: Iterable[Site] = (),
        site: Site | None = None,
        bends: bool = False,
    ) -> Node:
        self._count += 1
        node = Node(self._count, parents, waiting or {}, acted, site, bends)
        for tensor in tensors:
            self._nodes[id(tensor)] = weakref.ref(tensor), node
        return node

    def mark_residual(self, a: Node, b: Node) -> None:
        """For a sum a + b: mark the layers of a branch that starts at the other summand. If the
        shortcut has a projection, both summands start at one node; then the branch is the summand
        with an activation in it."""
        start, walked = meeting(a, b)
        if start is None:
            return
        branches = [between(start, end, walked) for end in (a, b)]
        branches.sort(key=lambda branch: (bool(branch), any(node.bends for node in branch)))
        shortcut, branch = branches
        layers = [node.site for node in branch if node.site is not None]
        if shortcut:
            projections = sum(node.site is not None for node in shortcut)
            bends = [any(node.bends for node in one) for one in branches]
            if projections > 1 or bends != [False, True]:
                return
        for site in layers:
            site.residual = True


def meeting(a: Node, b: Node) -> tuple[Node | None, dict[int, Node]]:
    """The latest node that both were computed from (None if there is none within `FAR`), and all
    nodes that were searched."""
    sides: dict[int, int] = {a.index: 1}
    sides[b.index] = sides.get(b.index, 0) | 2
    ahead = {a.index: a, b.index: b}
    heap = [-index for index in ahead]
    heapq.heapify(heap)
    walked: dict[int, Node] = {}
    while heap and len(walked) < FAR:
        index = -heapq.heappop(heap)
        node = ahead[index]
        if sides[index] == 3:
            return node, walked
        walked[index] = node
        for parent in node.parents:
            if parent.index not in ahead:
                ahead[parent.index] = parent
                heapq.heappush(heap, -parent.index)
            sides[parent.index] = sides.get(parent.index, 0) | sides[index]
    return None, walked


def between(start: Node, end: Node, walked: dict[int, Node]) -> list[Node]:
    """The nodes on all paths from ``start`` (not included) to ``end``: those that were computed
    from ``start`` and from which ``end`` was computed."""
    wanted, found = {end.index}, []
    for index in sorted(walked, reverse=True):
        if index in wanted:
            found.append(walked[index])
            wanted.update(parent.index for parent in walked[index].parents)
    reached, branch = {start.index}, []
    for node in reversed(found):
        if any(parent.index in reached for parent in node.parents):
            reached.add(node.index)
            branch.append(node)
    return branch
