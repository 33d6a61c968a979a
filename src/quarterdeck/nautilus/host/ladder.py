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
        # A key is the price times the sign, so that the best level has the highest one.
        self._sign = sign
        self._slots = slots
        self._sizes = np.zeros(slots, dtype=np.int64)
        self._last = np.zeros(slots, dtype=np.int64)
        self._base = 0
        """The key of the first slot."""
        self._top = -1
        """No slot above it has a size; -1 when none has."""
        self._levels = 0
        """Slots with a size."""
        self._look_slots = LOOK_SLOTS
        self._log: list[tuple[Ints, Ints]] = []
        self._log_rows = 0
        self._log_rows_max = LOG_ROWS_MAX
        self._above = False
        """Whether something above the last slot changed."""

    def clear(self) -> None:
        """Forget all levels."""
        if self._levels:
            self._sizes[:] = 0
        self._top = -1
        self._levels = 0
        self._log.clear()
        self._log_rows = 0
        self._above = False

    def apply(self, px: Ints, size: Ints) -> None:
        """Set levels to sizes, in order; a size of 0 takes the level away."""
        if not len(px):
            return
        keys = px if self._sign > 0 else -px
        if not self._levels and not self._log_rows:
            self._base = int(keys.max()) - self._slots // 2
        self._set(keys, size)

    def best(self, levels: int) -> tuple[list[int], list[int]]:
        """Return prices and sizes of the best levels, best first."""
        if self._log_rows and (self._above or self._top < self._slots // 4):
            self._center()
        if levels == 1 and self._top >= 0 and (size := int(self._sizes[self._top])):
            return [(self._top + self._base) * self._sign], [size]
        slots = self._best_slots(min(levels, self._levels))
        if len(slots) < levels and self._log_rows:
            keys, sizes = self._everything()
            keys, sizes = keys[:levels], sizes[:levels]
        else:
            keys, sizes = slots + self._base, self._sizes[slots]
        return (keys * self._sign).tolist(), sizes.tolist()

    def worst_px(self) -> int | None:
        """Return the price of the level that is traded last; None when there is none."""
        keys, _ = self._everything()
        return int(keys[-1]) * self._sign if len(keys) else None

    def _set(self, keys: Ints, size: Ints) -> None:
        slots = keys - self._base
        if int(slots.view(np.uint64).max()) >= self._slots:  # A negative one is huge, seen so.
            self._above |= int(slots.max()) >= self._slots
            outside = (slots < 0) | (slots >= self._slots)
            self._write_down(keys[outside], size[outside])
            slots, size = slots[~outside], size[~outside]
        number = np.arange(len(slots))
        self._last[slots] = number
        newest = self._last[slots] == number
        slots, size = slots[newest], size[newest]
        before = self._sizes[slots]
        self._sizes[slots] = size
        self._levels += int(np.count_nonzero(size)) - int(np.count_nonzero(before))
        if len(filled := slots[size > 0]):
            self._top = max(self._top, int(filled.max()))

    def _best_slots(self, wanted: int) -> NDArray[np.intp]:
        """Return the slots of the best levels; there must be as many."""
        above = self._top + 1
        while True:
            low = max(above - self._look_slots, 0)
            found = np.flatnonzero(self._sizes[low:above])
            if len(found) >= wanted or not low:
                break
            self._look_slots *= 4
        if len(found) > 4 * wanted and self._look_slots > LOOK_SLOTS:
            self._look_slots //= 4
        found = found[len(found) - wanted :][::-1] + low
        self._top = int(found[0]) if len(found) else self._top
        return found

    def _write_down(self, keys: Ints, size: Ints) -> None:
        self._log.append((keys, size))
        self._log_rows += len(keys)
        if self._log_rows > self._log_rows_max:
            keys, _ = self._written()
            self._log_rows_max = LOG_ROWS_MAX + 2 * len(keys)

    def _written(self) -> tuple[Ints, Ints]:
        """Return the levels outside the array, which is also what is left of the log."""
        if not self._log:
            none = np.zeros(0, dtype=np.int64)
            return none, none
        keys, sizes = (np.concatenate(column)[::-1] for column in zip(*self._log, strict=True))
        keys, first = np.unique(keys, return_index=True)
        sizes = sizes[first]
        keys, sizes = keys[sizes > 0], sizes[sizes > 0]
        self._log = [(keys, sizes)]
        self._log_rows = len(keys)
        return keys, sizes

    def _everything(self) -> tuple[Ints, Ints]:
        """Return keys and sizes of all levels, best first."""
        slots = np.flatnonzero(self._sizes)
        keys, sizes = self._written()
        keys = np.concatenate([slots + self._base, keys])
        sizes = np.concatenate([self._sizes[slots], sizes])
        order = np.argsort(keys)[::-1]
        return keys[order], sizes[order]

    def _center(self) -> None:
        keys, sizes = self._everything()
        self.clear()
        if len(keys):
            self._base = int(keys[0]) - self._slots // 2
            self._set(keys, sizes)
        self._above = False
