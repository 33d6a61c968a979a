"""Changes of a book as NautilusTrader's deltas, column by column.

Owns the numbers that NautilusTrader gives actions, sides and flags, and the end of an update: the
last change of one time of arrival carries `F_LAST`. Matching engines act between updates, so this
mark is what keeps an order from meeting a book that is half changed.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quarterdeck.nautilus.catalog.raw import Codes, Ints

ACTIONS: Final = ("ADD", "UPDATE", "DELETE", "CLEAR")
"""In the order of their numbers here; the catalog stores the texts."""
ADD, UPDATE, DELETE, CLEAR = range(len(ACTIONS))

SIDES: Final = ("NO_ORDER_SIDE", "BUY", "SELL")
NO_SIDE, BUY, SELL = range(len(SIDES))

F_SNAPSHOT: Final = 32
F_LAST: Final = 128


class Deltas(NamedTuple):
    """Consecutive changes; prices and sizes in units of the instrument's decimal places."""

    action: Codes
    side: Codes
    px: Ints
    size: Ints
    flags: NDArray[np.uint8]
    ts_event: Ints
    ts_init: Ints

    @property
    def rows(self) -> int:
        """How many changes there are."""
        return len(self.action)

    def keep(self, wanted: NDArray[np.bool_]) -> "Deltas":
        """Return those changes that are marked."""
        return Deltas(
            action=self.action[wanted],
            side=self.side[wanted],
            px=self.px[wanted],
            size=self.size[wanted],
            flags=self.flags[wanted],
            ts_event=self.ts_event[wanted],
            ts_init=self.ts_init[wanted],
        )

    def clear_before(self, rows: NDArray[np.intp]) -> "Deltas":
        """Return the changes with an emptying of the book before each of these rows."""
        return Deltas(
            action=np.insert(self.action, rows, CLEAR),
            side=np.insert(self.side, rows, NO_SIDE),
            px=np.insert(self.px, rows, 0),
            size=np.insert(self.size, rows, 0),
            flags=np.insert(self.flags, rows, F_SNAPSHOT),
            ts_event=np.insert(self.ts_event, rows, self.ts_event[rows]),
            ts_init=np.insert(self.ts_init, rows, self.ts_init[rows]),
        )


def with_ends(pieces: Iterator[Deltas]) -> Iterator[Deltas]:
    """Yield the same changes with `F_LAST` on the last one of each time of arrival.

    One piece is held back, for only the next one's first row tells whether an update goes on.
    """
    held: Deltas | None = None
    for piece in pieces:
        if not piece.rows:
            continue
        piece.flags[:-1][piece.ts_init[1:] != piece.ts_init[:-1]] |= F_LAST
        if held is not None:
            if held.ts_init[-1] != piece.ts_init[0]:
                held.flags[-1] |= F_LAST
            yield held
        held = piece
    if held is not None:
        held.flags[-1] |= F_LAST
        yield held
