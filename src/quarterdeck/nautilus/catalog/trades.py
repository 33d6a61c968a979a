"""Recorded trades as NautilusTrader's trade ticks, column by column.

Trades whose size rounds to nothing at the instrument's decimal places are left out and counted:
NautilusTrader has no trade of size 0. Ids that it cannot hold (none, too long, not ASCII) become
`R` and the number of the row, so that the same file always gives the same ids.
"""

from itertools import count
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quarterdeck.nautilus.catalog.raw import Codes, Ints, RawBatch, RawDay

AGGRESSORS: Final = ("NO_AGGRESSOR", "BUY", "SELL")
"""In the order of their numbers here; the catalog stores the texts."""
TRADE_ID_LENGTH_MAX: Final = 36

COLUMNS: Final = ("timestamp", "local_timestamp", "id", "side", "price", "amount")
_SIDES: Final = {"unknown": 0, "buy": 1, "sell": 2}


class Trades(NamedTuple):
    """Consecutive trades; prices and sizes in units of the instrument's decimal places."""

    px: Ints
    size: Ints
    aggressor: Codes
    trade_id: pa.StringArray
    ts_event: Ints
    ts_init: Ints

    @property
    def rows(self) -> int:
        """How many trades there are."""
        return len(self.px)


class TradeTape:
    """Turns one file's batches, in order, into trades; what the next batch must know is here."""

    def __init__(self, day: RawDay, px_places: int, size_places: int) -> None:
        self._day = day
        self._px_places = px_places
        self._size_places = size_places
        self._last_ns = 0
        self.dust = 0
        """Trades left out because their size rounds to zero, or is zero."""
        self.renamed = 0
        """Trades whose id had to be replaced."""

    def trades(self, batch: RawBatch) -> Trades:
        """Return the batch as trades.

        Raises:
            RefusedError: if a row is bad.
        """
        ts_init = batch.arrivals_ns(self._day, self._last_ns)
        self._last_ns = int(ts_init[-1])
        px = batch.prices("price", self._px_places)
        size = batch.scaled("amount", self._size_places, batch.floats("amount"))
        aggressor = batch.codes("side", _SIDES)
        ts_event = batch.times_ns("timestamp")
        ids = self._ids(batch)
        wanted = size > 0
        left_out = len(batch) - int(np.count_nonzero(wanted))
        if not left_out:
            return Trades(px, size, aggressor, ids, ts_event, ts_init)
        self.dust += left_out
        return Trades(
            px[wanted],
            size[wanted],
            aggressor[wanted],
            ids.filter(pa.array(wanted)),
            ts_event[wanted],
            ts_init[wanted],
        )

    def _ids(self, batch: RawBatch) -> pa.StringArray:
        given = batch.texts("id")
        length = np.asarray(pc.binary_length(given))
        ascii_ = np.asarray(pc.string_is_ascii(given))
        fits = ascii_ & (length > 0) & (length <= TRADE_ID_LENGTH_MAX)
        if fits.all():
            return given
        self.renamed += int(np.count_nonzero(~fits))
        ids = zip(given.to_pylist(), fits, count(batch.first_row), strict=False)
        return pa.array([text if fit else f"R{row}" for text, fit, row in ids], pa.string())
