"""Short steps in which nothing is measured go by in stretches: of each only the loss is kept, and
the last step of a stretch looks at all of them."""

from __future__ import annotations

from caveats.watching.losses import Loss

__all__ = ["LONGEST", "Stretch"]

LONGEST = 63  # steps: with the one after them, eight times as far as a stale second moment leads


class Stretch:
    """Of one optimizer: ``left`` steps to come of which only the loss is kept, and the ``losses``
    of those that have been. ``quiet`` says whether the step that is being made is one of them;
    ``over`` is the time when none was left."""

    __slots__ = ("left", "losses", "over", "quiet")

    def __init__(self) -> None:
        self.left = 0
        self.quiet = False
        self.over = 0.0
        self.losses: list[Loss | None] = []

    def begin(self, steps: int) -> None:
        self.left, self.quiet = steps, steps > 0

    def end(self) -> list[Loss | None]:
        """The losses of the steps since `begin`; the next step is looked at as a whole."""
        losses, self.losses = self.losses, []
        self.left, self.quiet = 0, False
        return losses
