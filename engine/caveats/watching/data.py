"""What a watched training shows of its data: the size of what enters the first layer, and of the
targets, over its newest minibatches, and how its loss fits them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from caveats.facts import DataFacts, RunFacts
from caveats.measuring.sites import Site, by_unit
from caveats.watching.fitting import Fits
from caveats.watching.losses import Losses
from caveats.watching.models import Model
from caveats.watching.numbers import WINDOW, median, middle, quartiles
from caveats.watching.shown import FEWEST, Scale
from caveats.watching.untrained import leaves

__all__ = ["Data", "Inputs", "Targets"]

MOST_COLUMNS = 2**16
FEW = 3  # steps whose constants are compared


class Data:
    """Everything that the data and the loss of one training show."""

    def __init__(self, model: Model) -> None:
        self._inputs, self._targets, self._fits = Inputs(), Targets(), Fits()
        # A tensor of no module may be an input that is made harder on purpose.
        self._own = {id(p) for _, p in model.parameters} if model.root is not None else set()

    def add(
        self, first: tuple[nn.Module, Any] | None, sites: Sequence[Site], losses: Losses,
        optimizer: Any, ends_here: bool = True,
    ) -> None:  # fmt: skip
        """Take in one step: what `Inputs.add` asks for, and its losses. They ``end here`` if the
        outputs that meet the targets are this network's, not those of another behind it."""
        self._inputs.add(first, sites)
        self._targets.add(losses.constant, losses.targets if ends_here else None)
        if self._own and ends_here:
            groups = getattr(optimizer, "param_groups", ())
            self._fits.add(losses.fits, self._own, any(g.get("maximize") for g in groups))

    def beside(self, facts: RunFacts) -> RunFacts:
        """``facts`` with what is known by now."""
        return replace(
            facts,
            data=self._targets.beside(self._inputs.facts),
            baseline=self._targets.constant,
            losses=self._fits.facts,
        )


class Inputs:
    """What enters the first layer with weights, over the newest sampled minibatches. Columns are
    the channels of a convolution."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._rows: deque[int] = deque(maxlen=WINDOW)
        self._from_network = False

    def add(self, first: tuple[nn.Module, Any] | None, sites: Sequence[Site]) -> None:
        """Take in one pass: the ``first`` module with weights that was called, with its input, and
        the layers in the order of their calls. Nothing is known of indices (an embedding), of rows
        of zeros and ones, which have no scale, or of what another network gives."""
        entering = None if first is None else first[1]
        if isinstance(entering, Tensor) and entering.ndim == 2 and entering.is_floating_point():
            self._rows.append(len(entering))
        self._from_network = isinstance(entering, Tensor) and made_by_network(entering)
        if self._from_network:
            return
        x, axis = entered(first, sites)
        if x is None or not x.is_floating_point() or x.numel() == 0 or x.ndim < -axis:
            return
        rows = by_unit(x.detach(), axis)
        if rows.shape[1] > MOST_COLUMNS or bool(((rows == 0) | (rows == 1)).all()):
            return
        size = float(rows.float().square().mean().sqrt())
        if math.isfinite(size):
            self._seen.append((size, spread(rows.float())))

    @property
    def facts(self) -> DataFacts:
        """NaN where nothing was seen."""
        rows = int(median(self._rows)) if self._rows else 0
        found = DataFacts(rows=rows, from_network=self._from_network)
        if not self._seen:
            return found
        sizes, spreads = zip(*self._seen, strict=True)
        return replace(found, input_size=middle(sizes), input_spread=middle(spreads))


def made_by_network(x: Tensor) -> bool:
    """Whether parameters took part in it. (Coordinates of an equation have a gradient as well.)"""
    return x.grad_fn is not None and any(isinstance(p, nn.Parameter) for p in leaves(x))


def entered(
    first: tuple[nn.Module, Any] | None, sites: Sequence[Site]
) -> tuple[Tensor | None, int]:
    """What entered the first layer, and the dimension (from the end) of its columns."""
    if first is not None and isinstance(first[0], nn.RNNBase | nn.RNNCellBase):
        x = first[1].data if isinstance(first[1], PackedSequence) else first[1]
        return (x if isinstance(x, Tensor) else None), -1
    if not sites or sites[0].kind == "embedding":
        return None, -1
    site = sites[0]
    own = () if first is None else [id(p) for p in first[0].parameters(recurse=False)]
    if own and id(site.weights[0]) not in own:
        return None, -1  # the first layer was not observed
    return site.x, site.axis


def spread(rows: Tensor) -> float:
    """The deviation of the column that varies most over the median of all that vary; NaN for few
    rows."""
    if len(rows) < FEWEST:
        return math.nan
    deviations = np.sort(rows.std(0).cpu().numpy())
    vary = deviations[deviations > 0]
    if not len(vary):
        return math.nan
    last = len(vary) - 1
    return float(2 * vary[last] / (vary[last // 2] + vary[last - last // 2]))


class Targets:
    """The loss of a constant output, and the targets of losses on numbers, over the newest sampled
    steps."""

    def __init__(self) -> None:
        self._constants: deque[float] = deque(maxlen=WINDOW)
        self._seen: deque[Scale] = deque(maxlen=WINDOW)
        self._first = math.nan  # the first constant that several steps agree on
        self._steady = True

    def add(self, constant: float, scale: Scale | None) -> None:
        """Take in those of one step."""
        self._constants.append(constant)
        if scale is not None:
            self._seen.append(scale)
        known = [c for c in self._constants if math.isfinite(c)]
        if len(known) < FEW:
            return
        low, half, high = quartiles(known)
        if math.isnan(self._first):
            self._first = half
        drifted = not self._first / 2 <= half <= 2 * self._first
        self._steady = self._steady and not (high - low > half or drifted)

    @property
    def constant(self) -> float:
        """NaN where the graph of the loss does not show it, and for good where it once changed so
        much that it is no yardstick: a policy's rewards, targets that a network makes itself."""
        return middle(self._constants) if self._steady else math.nan

    def beside(self, facts: DataFacts) -> DataFacts:
        """``facts`` with what is known of the targets."""
        if not self._seen:
            return facts
        mean, deviation, low, high = (middle(each) for each in zip(*self._seen, strict=True))
        return replace(
            facts, target_mean=mean, target_deviation=deviation, target_low=low, target_high=high
        )
