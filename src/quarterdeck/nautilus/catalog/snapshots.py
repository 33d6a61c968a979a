"""Recorded five-level snapshots as deltas, for days without an incremental book.

Each row is the whole of what is known, and is turned into what changed since the row before it. To
empty and refill the book instead would be simpler and wrong: a level that is emptied for an instant
looks traded away, and moves every simulated resting order to the head of its queue.

A side with fewer than five levels has nulls in the rest, price and amount alike.
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
from quarterdeck.nautilus.catalog.raw import Ints, Marks, RawBatch, RawDay
from quarterdeck.nautilus.catalog.refusal import Code, Refused, RefusedError

LEVELS: Final = 5
_BOOK: Final = (("bids", BUY), ("asks", SELL))
COLUMNS: Final = (
    "timestamp",
    "local_timestamp",
    *(
        f"{side}[{level}].{what}"
        for side, _ in _BOOK
        for level in range(LEVELS)
        for what in ("price", "amount")
    ),
)
_HOLE: Final = -1


class SnapshotBook:
    """Turns one file's batches, in order, into deltas; what the next batch must know is here."""

    def __init__(self, day: RawDay, px_places: int, size_places: int) -> None:
        self._day = day
        self._px_places = px_places
        self._size_places = size_places
        self._last_ns = 0
        self._last: dict[str, tuple[Ints, Ints]] = {}
        self._opened = False
        self.dust = 0
        """Sizes that were above zero and rounded to it."""
        self.unanchored = 0
        """None: each row is the whole book."""

    def deltas(self, batch: RawBatch) -> Deltas:
        """Return the batch as deltas, ends of updates not yet marked.

        Raises:
            RefusedError: if a row is bad.
        """
        ts_init = batch.arrivals_ns(self._day, self._last_ns)
        ts_event = batch.times_ns("timestamp")
        self._last_ns = int(ts_init[-1])
        changes = [self._changes(batch, name) for name, _ in _BOOK]
        wanted = np.hstack([found for _, _, found in changes])
        rows = np.nonzero(wanted)[0]
        # For each row: bids gone, bids set, asks gone, asks set.
        kinds = np.repeat(np.array([DELETE, UPDATE] * len(_BOOK), dtype=np.int8), LEVELS)
        sides = np.repeat(np.array([code for _, code in _BOOK], dtype=np.int8), 2 * LEVELS)
        made = Deltas(
            action=np.broadcast_to(kinds, wanted.shape)[wanted],
            side=np.broadcast_to(sides, wanted.shape)[wanted],
            px=np.hstack([px for px, _, _ in changes])[wanted],
            size=np.hstack([size for _, size, _ in changes])[wanted],
            flags=np.zeros(len(rows), dtype=np.uint8),
            ts_event=ts_event[rows],
            ts_init=ts_init[rows],
        )
        if self._opened or not len(rows):
            return made
        self._opened = True
        opening = rows == rows[0]
        made.action[opening] = ADD
        made.flags[opening] = F_SNAPSHOT
        return made.clear_before(np.array([0]))

    def finish(self, path: Path) -> None:
        """Say that the file is over.

        Raises:
            RefusedError: if it never had a level.
        """
        if not self._opened:
            text = "has no row with a level, so there is no book"
            raise RefusedError(Refused(code=Code.NO_SNAPSHOT, text=text, path=path))

    def _changes(self, batch: RawBatch, name: str) -> tuple[Ints, Ints, Marks]:
        px, size = self._levels(batch, name)
        hole = np.full((1, LEVELS), _HOLE, dtype=np.int64)
        last_px, last_size = self._last.get(name, (hole, hole))
        before_px, before_size = np.vstack([last_px, px[:-1]]), np.vstack([last_size, size[:-1]])
        self._last[name] = px[-1:], size[-1:]
        same = px[:, :, None] == before_px[:, None, :]
        gone = (before_px != _HOLE) & ~same.any(axis=1)
        unchanged = (same & (size[:, :, None] == before_size[:, None, :])).any(axis=2)
        changed = (px != _HOLE) & ~unchanged
        nothing = np.zeros_like(before_size)
        return (
            np.hstack([before_px, px]),
            np.hstack([nothing, size]),
            np.hstack([gone, changed]),
        )

    def _levels(self, batch: RawBatch, name: str) -> tuple[Ints, Ints]:
        all_px, all_size = [], []
        for level in range(LEVELS):
            of_px, of_size = f"{name}[{level}].price", f"{name}[{level}].amount"
            px = batch.prices(of_px, self._px_places, holes=True)
            amounts = batch.floats(of_size, holes=True)
            size = batch.scaled(of_size, self._size_places, amounts)
            half = (px == _HOLE) != (size == _HOLE)
            if half.any():
                row = int(np.argmax(half))
                batch.refuse(of_size, row, "a level has a price and an amount, or neither")
            self.dust += int(np.count_nonzero((size == 0) & (amounts > 0)))
            px[size == 0] = _HOLE
            size[size == 0] = _HOLE
            all_px.append(px)
            all_size.append(size)
        return np.column_stack(all_px), np.column_stack(all_size)
