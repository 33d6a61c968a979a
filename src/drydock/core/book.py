"""What one instrument's market displays, and how much of it our own orders have used.

The feed knows nothing of us: after an order took a level, the next update shows it again. So every
level remembers what was used, and only what it grows by is new:

    used = min(used, displayed)        available = displayed - used

A level that shrinks takes used size away first; a level that vanishes and returns is new.
With a windowed feed (best N levels) a level behind the window is unknown, not gone: what was used
there stays used until the level is seen again.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from drydock.core.inputs import BookUpdate, Level
from drydock.core.orders import Side

TRADE_IDS_MAX: Final = 20_000
"""Public trade ids remembered per instrument, to apply each trade once."""


class BookSide:
    """One side, best level first. A rank is the price, negated for bids, so lower is better."""

    __slots__ = ("displayed", "ranks", "sign", "used", "worst_rank")

    def __init__(self, side: Side) -> None:
        self.sign = -side.sign
        self.ranks: list[int] = []
        self.displayed: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.worst_rank: int | None = None
        """The last rank a windowed feed shows; None when everything is shown."""

    def available(self, price_ticks: int) -> int:
        """Return the displayed lots of a level that are not used yet."""
        return self.displayed.get(price_ticks, 0) - self.used.get(price_ticks, 0)

    def shows(self, price_ticks: int) -> bool:
        """Whether the feed tells what lies at a price, be it nothing."""
        return self.worst_rank is None or self.sign * price_ticks <= self.worst_rank

    def walk(self, limit_ticks: int | None) -> Iterator[Level]:
        """Yield (price, available lots), best first, up to a limit. Consuming meanwhile is safe."""
        limit = None if limit_ticks is None else self.sign * limit_ticks
        for rank in self.ranks:
            if limit is not None and rank > limit:
                return
            price_ticks = self.sign * rank
            lots = self.available(price_ticks)
            if lots > 0:
                yield price_ticks, lots

    def best(self) -> int | None:
        """Return the best price with something available."""
        for price_ticks, _ in self.walk(None):
            return price_ticks
        return None

    def consume(self, price_ticks: int, lots: int) -> None:
        """Remember that `lots` of a level are used. A level not displayed remembers nothing."""
        displayed = self.displayed.get(price_ticks, 0)
        if displayed:
            self.used[price_ticks] = min(self.used.get(price_ticks, 0) + lots, displayed)

    def change(self, levels: list[Level]) -> None:
        """Set the levels named; size 0 removes."""
        for price_ticks, lots in levels:
            rank = self.sign * price_ticks
            known = price_ticks in self.displayed
            if lots > 0:
                if not known:
                    insort(self.ranks, rank)
                self.displayed[price_ticks] = lots
                if price_ticks in self.used and self.used[price_ticks] > lots:
                    self.used[price_ticks] = lots
            else:
                if known:
                    del self.displayed[price_ticks]
                    del self.ranks[bisect_left(self.ranks, rank)]
                self.used.pop(price_ticks, None)

    def replace(self, levels: list[Level], *, windowed: bool) -> None:
        """Take the levels named as all that is shown."""
        self.displayed = {price: lots for price, lots in levels if lots > 0}
        sign = self.sign
        self.ranks = sorted(sign * price for price in self.displayed)
        self.worst_rank = self.ranks[-1] if windowed and self.ranks else None
        if self.used:
            self.used = {
                price: min(lots, self.displayed.get(price, 0)) if self.shows(price) else lots
                for price, lots in self.used.items()
                if price in self.displayed or not self.shows(price)
            }


class Book:
    """Both sides of one instrument's displayed market."""

    __slots__ = ("_trade_ids", "asks", "bids", "seen", "ts_ns")

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.seen = False
        """Whether the feed has shown the market at all."""
        self.ts_ns = 0
        self._trade_ids: dict[str, None] = {}

    def side(self, side: Side) -> BookSide:
        """Return the side where orders of `side` wait."""
        return self.bids if side is Side.BUY else self.asks

    def update(self, update: BookUpdate) -> None:
        """Take over what the feed shows."""
        self.ts_ns = update.ts_ns
        if update.snapshot:
            self.bids.replace(update.bids, windowed=update.windowed)
            self.asks.replace(update.asks, windowed=update.windowed)
            self.seen = True
        else:
            self.bids.change(update.bids)
            self.asks.change(update.asks)

    def has_printed(self, trade_id: str) -> bool:
        """Whether a public trade was applied already."""
        return trade_id in self._trade_ids

    def remember_print(self, trade_id: str) -> None:
        """Note that a public trade was applied; the oldest are forgotten."""
        self._trade_ids[trade_id] = None
        if len(self._trade_ids) > TRADE_IDS_MAX:
            del self._trade_ids[next(iter(self._trade_ids))]
