"""One side of a book as an array with a place for every price, so that changes land in bulk.

The desk looks at a book rarely, while levels change by the million. Between two looks only the last
change of each level counts, and writing many values into an array keeps just that, in a few
nanoseconds each. Read is only what lies at the top.

The array covers prices around the top. What lies outside is written into a log, and looked at when
the top comes near the array's edge, or has too few levels in it.

Prices and sizes are whole numbers of the instrument's decimal places.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quarterdeck.nautilus.catalog.raw import Ints

SLOTS: Final = 1 << 17
"""Prices that the array covers: a megabyte."""

LOOK_SLOTS: Final = 256
"""How many are read at first to find the top levels."""

LOG_ROWS_MAX: Final = 1 << 16
"""Changes outside the array before only the last of each level is kept."""


class Ladder:
    """The levels of one side."""

    def __init__(self, sign: int, *, slots: int = SLOTS) -> None:
        """Begin empty.

        Args:
            sign: 1 when the highest price is best, as of bids; -1 when the lowest is.
            slots: prices that are covered.
        """
        self._sign = sign
        self._sizes = np.zeros(slots, dtype=np.int64)
        self._marks = np.zeros(slots, dtype=np.int32)
        self._base = 0
        """The key of the first slot; a key is the price times the sign, so the highest is best."""
        self._top = -1
        """No slot above it has a size; -1 when none has."""
        self._levels = 0
        """Slots with a size."""
        self._outside: list[tuple[Ints, Ints]] = []
        self._outside_rows = 0

    def clear(self) -> None:
        """Forget all levels."""
        if self._levels:
            self._sizes[:] = 0
        self._top = -1
        self._levels = 0
        self._outside.clear()
        self._outside_rows = 0

    def apply(self, px: Ints, size: Ints) -> None:
        """Set levels to sizes, in order; a size of 0 takes the level away."""
        if not len(px):
            return
        keys = px if self._sign > 0 else -px
        if self._top < 0 and not self._outside_rows:
            self._base = int(keys.max()) - len(self._sizes) // 2
        self._set(keys, size)

    def best(self, levels: int) -> list[tuple[int, int]]:
        """Return price and size of the best levels, best first."""
        if self._outside_rows and (self._levels < levels or self._is_near_edge()):
            self._center()
        if not self._levels:
            return []
        found = self._found(min(levels, self._levels))
        self._top = int(found[0]) if len(found) else -1
        px = (found + self._base) * self._sign
        shown = list(zip(px.tolist(), self._sizes[found].tolist(), strict=True))
        if len(shown) == levels or not self._outside_rows:
            return shown
        keys, sizes = self._all()
        return _shown(keys[:levels] * self._sign, sizes[:levels])
