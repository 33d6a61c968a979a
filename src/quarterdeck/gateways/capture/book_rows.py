"""Books as rows: what changed since the last view, and the views again from those rows.

Pure. A stretch is a run of views without a gap. Its first view is written as snapshot rows, each
later one as the levels that differ; a level that left the view has amount 0. Where a snapshot row
follows one that is not, the book before is void. So two snapshots in a row would read as one:
every snapshot is therefore followed by one row that repeats its last level as a change.

What has no row cannot be told: a view equal to the one before, and an empty one that begins a
stretch. Rows of one view, and of no other, share their `local_timestamp`.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.market import Level, MarketView

BID: Final = "bid"
ASK: Final = "ask"

type Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]
"""Amount by price, of bids and of asks."""
type Change = tuple[bool, str, Decimal, Decimal]
"""Snapshot or not, side, price, amount."""
type Row = tuple[int, int, bool, str, float, float]
"""`timestamp`, `local_timestamp`, `is_snapshot`, `side`, `price`, `amount`."""


def sides_of(view: MarketView, depth: int) -> Sides:
    """Return the best levels of a view; a level that shows nothing is none."""
    return _by_price(view.bids[:depth]), _by_price(view.asks[:depth])


def beginning(new: Sides) -> list[Change]:
    """Return the rows of the first view of a stretch."""
    rows = [
        (True, name, price, amount)
        for name, levels in zip((BID, ASK), new, strict=True)
        for price, amount in levels.items()
    ]
    if rows:
        rows.append((False, *rows[-1][1:]))
    return rows


def difference(old: Sides, new: Sides) -> list[Change]:
    """Return the rows that lead from one view to the next of the same stretch."""
    rows: list[Change] = []
    for name, before, after in zip((BID, ASK), old, new, strict=True):
        rows += [(False, name, price, Decimal(0)) for price in before if price not in after]
        rows += [
            (False, name, price, amount)
            for price, amount in after.items()
            if before.get(price) != amount
        ]
    return rows


class CapturedView(Struct, frozen=True, kw_only=True):
    """A published view as its rows tell it."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at_us: int
    """When the gateway received what it shows."""
    published_us: int
    begins: bool
    """Whether a stretch begins here: what happened right before was not recorded."""


def fold(rows: Iterable[Row]) -> Iterator[CapturedView]:
    """Yield every view that the rows tell of, in file order."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    was_snapshot = False
    for local_us, group in groupby(rows, key=lambda row: row[1]):
        begins = False
        at_us = local_us
        for received_us, _, snapshot, side, price, amount in group:
            at_us = received_us
            if snapshot and not was_snapshot:
                begins = True
                bids, asks = {}, {}
            was_snapshot = snapshot
            levels = bids if side == BID else asks
            # The shortest decimal that is this double: the one that was written.
            if amount == 0:
                levels.pop(Decimal(repr(price)), None)
            else:
                levels[Decimal(repr(price))] = Decimal(repr(amount))
        yield CapturedView(
            bids=tuple(sorted(bids.items(), reverse=True)),
            asks=tuple(sorted(asks.items())),
            at_us=at_us,
            published_us=local_us,
            begins=begins,
        )


def _by_price(levels: Iterable[Level]) -> dict[Decimal, Decimal]:
    return {price: amount for price, amount in levels if amount > 0}
