"""A recorded incremental book as deltas.

A run of snapshot rows replaces the whole book: it is emptied once, then each row adds a level. Any
other row sets its level's size, or removes the level when the size is 0. What comes before the
first snapshot changes a book that nobody knows, so it is left out and counted.

Sizes that round to nothing at the instrument's decimal places are no liquidity that an order could
take: such a level is removed, or not added.
"""

from pathlib import Path
from typing import Final

import numpy as np

from quarterdeck.nautilus.catalog.deltas import (
    ADD,
    BUY,
    DELETE,
    F_SNAPSHOT,
    SELL,
    UPDATE,
    Deltas,
)
from quarterdeck.nautilus.catalog.raw import Marks, RawBatch, RawDay
from quarterdeck.nautilus.catalog.refusal import Code, Refused, RefusedError

COLUMNS: Final = (
    "timestamp",
    "local_timestamp",
    "is_snapshot",
    "side",
    "price",
    "amount",
)
_SIDES: Final = {"bid": BUY, "ask": SELL}


class IncrementalBook:
    """Turns one file's batches, in order, into deltas; what the next batch must know is here."""

    def __init__(self, day: RawDay, px_places: int, size_places: int) -> None:
        self._day = day
        self._px_places = px_places
        self._size_places = size_places
        self._last_ns = 0
        self._in_snapshot = False
        self._anchored = False
        self.unanchored = 0
        """Rows before the first snapshot, left out."""
        self.dust = 0
        """Sizes that were above zero and rounded to it."""

    def deltas(self, batch: RawBatch) -> Deltas:
        """Return the batch as deltas, ends of updates not yet marked.

        Raises:
            RefusedError: if a row is bad.
        """
        ts_init = batch.arrivals_ns(self._day, self._last_ns)
        self._last_ns = int(ts_init[-1])
        snapshot = batch.marks("is_snapshot")
        before = np.concatenate(([self._in_snapshot], snapshot[:-1]))
        self._in_snapshot = bool(snapshot[-1])
        starts = snapshot & ~before
        amounts = batch.floats("amount")
        size = batch.scaled("amount", self._size_places, amounts)
        nothing = size == 0
        self.dust += int(np.count_nonzero(nothing & (amounts > 0)))
        action = np.where(snapshot, ADD, np.where(nothing, DELETE, UPDATE)).astype(np.int8)
        made = Deltas(
            action=action,
            side=batch.codes("side", _SIDES),
            px=batch.prices("price", self._px_places),
            size=size,
            flags=np.where(snapshot, F_SNAPSHOT, 0).astype(np.uint8),
            ts_event=batch.times_ns("timestamp"),
            ts_init=ts_init,
        )
        wanted = ~(snapshot & nothing)
        wanted[: self._skipped(starts)] = False
        if not starts.any():
            return made if wanted.all() else made.keep(wanted)
        # A snapshot's first row may itself be left out; its emptying of the book may not.
        cleared = made.clear_before(np.flatnonzero(starts))
        return cleared.keep(np.insert(wanted, np.flatnonzero(starts), True))

    def finish(self, path: Path) -> None:
        """Say that the file is over.

        Raises:
            RefusedError: if it never had a snapshot.
        """
        if not self._anchored:
            text = "has no row with is_snapshot; the book that its rows change is unknown"
            raise RefusedError(Refused(code=Code.NO_SNAPSHOT, text=text, path=path))

    def _skipped(self, starts: Marks) -> int:
        if self._anchored:
            return 0
        self._anchored = bool(starts.any())
        skipped = int(np.argmax(starts)) if self._anchored else len(starts)
        self.unanchored += skipped
        return skipped
