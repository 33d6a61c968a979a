"""A made-up market: a seeded random walk with depth and trades, the same from the same seed.

Time is cut into minutes. A minute's first and last mid are functions of (seed, symbol, minute), and
the walk between them is drawn from a stream keyed the same way, so any moment of any day can be
computed without computing the days before. Each minute opens with a whole book, then tells changes.

Prices live on a grid of `gap_ticks`; level i of a side is i gaps behind the best. A mid that moves
up trades the asks it passes, one that moves down the bids, so waiting orders are reached the way a
market reaches them: by trades first, then by the book.
"""

import heapq
from collections.abc import Iterator
from typing import Final

from drydock.chance import Chance
from drydock.config import SyntheticFeed, SyntheticMarket
from drydock.core.inputs import BookUpdate, Level, PublicTrade
from drydock.core.instrument import Instrument
from drydock.core.orders import Side
from drydock.feed.contract import MarketInput, TimedInput
from drydock.feed.enter import enter_at

_MINUTE_NS: Final = 60_000_000_000
_HOUR_MINUTES: Final = 60
_CHANGED_LEVELS: Final = 3
_TRADE_PERCENT: Final = 40


class Synthetic:
    """The synthetic feed over all instruments of a venue.

    Raises:
        ValueError: on construction, if a market's price or size does not fit its instrument.
    """

    def __init__(self, config: SyntheticFeed, instruments: dict[str, Instrument]) -> None:
        self.name = f"synthetic {config.seed} {config.speed}"
        self._markets = [
            _Market(config, config.markets[symbol], instrument)
            for symbol, instrument in instruments.items()
        ]

    def play(self, epoch_ns: int, from_ns: int) -> Iterator[TimedInput]:
        """Yield the market without end, beginning with whole books at `from_ns`."""
        streams = [enter_at(market.play(epoch_ns, from_ns), from_ns) for market in self._markets]
        return heapq.merge(*streams, key=lambda timed: timed[0])


class _Market:
    """One instrument's random walk."""

    def __init__(
        self, config: SyntheticFeed, market: SyntheticMarket, instrument: Instrument
    ) -> None:
        self._symbol = instrument.symbol
        self._seed = config.seed
        self._step_ns = config.interval_ms * 1_000_000
        self._levels = config.levels
        self._gap = market.gap_ticks
        self._spread = market.spread_gaps
        mid_ticks = instrument.ticks_of(market.mid_px)
        lots = instrument.lots_of(market.level_qty)
        if mid_ticks is None or lots is None or lots <= 0:
            raise ValueError(f"feed {self._symbol}: mid_px or level_qty does not fit tick or lot")
        self._mid = mid_ticks // self._gap
        self._typical_lots = lots
        self._swing = max(self._mid * market.swing_bps // 10_000, 1)
        if self._mid - 6 * self._swing <= self._levels + self._spread:
            raise ValueError(f"feed {self._symbol}: {self._levels} levels would reach price zero")

    def play(self, epoch_ns: int, from_ns: int) -> Iterator[TimedInput]:
        minute = from_ns // _MINUTE_NS
        while True:
            yield from self._minute(minute, epoch_ns)
            minute += 1

    def _mid_at(self, minute: int) -> int:
        hour, within = divmod(minute, _HOUR_MINUTES)
        wide = 4 * self._swing
        before, after = (
            Chance(self._seed, self._symbol, "hour", each).between(-wide, wide)
            for each in (hour, hour + 1)
        )
        slow = before + (after - before) * within // _HOUR_MINUTES
        swing = self._swing
        quick = Chance(self._seed, self._symbol, "minute", minute).between(-swing, swing)
        return self._mid + slow + quick

    def _minute(self, minute: int, epoch_ns: int) -> Iterator[TimedInput]:
        chance = Chance(self._seed, self._symbol, "walk", minute)
        first, last = self._mid_at(minute), self._mid_at(minute + 1)
        steps = max(_MINUTE_NS // self._step_ns, 1)
        walk = _Walk(self, chance, first)
        noise = 0
        for step in range(steps):
            at_ns = minute * _MINUTE_NS + step * self._step_ns
            ts_ns = epoch_ns + at_ns
            if step == 0:
                yield at_ns, walk.whole(ts_ns)
                continue
            noise += chance.between(-1, 1)
            room = steps - step
            noise = max(-room, min(noise, room))
            target = first + (last - first) * step // steps + noise
            for what in walk.move(target, ts_ns, f"{self._symbol}-{minute}-{step}"):
                yield at_ns, what

    @property
    def shape(self) -> tuple[str, int, int, int, int]:
        """(symbol, gap in ticks, spread in gaps, levels, typical lots)."""
        return self._symbol, self._gap, self._spread, self._levels, self._typical_lots


class _Walk:
    """The book of one minute as it changes step by step."""

    def __init__(self, market: _Market, chance: Chance, best_bid: int) -> None:
        self._symbol, self._gap, self._spread, self._levels, self._lots = market.shape
        self._chance = chance
        self._best_bid = best_bid
        self._shown: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        for side in Side:
            self._fill(side)

    def whole(self, ts_ns: int) -> BookUpdate:
        """Return the whole book."""
        bids, asks = (self._levels_of(self._shown[side]) for side in (Side.BUY, Side.SELL))
        return BookUpdate(symbol=self._symbol, ts_ns=ts_ns, bids=bids, asks=asks, snapshot=True)

    def move(self, best_bid: int, ts_ns: int, trade_id: str) -> Iterator[MarketInput]:
        """Move the best bid to a grid price and yield the trades and changes of that."""
        before = {side: dict(levels) for side, levels in self._shown.items()}
        aggressor = Side.BUY if best_bid > self._best_bid else Side.SELL
        passed = self._passed(aggressor, best_bid)
        self._best_bid = best_bid
        number = 0
        for price, lots in passed:
            yield self._print(f"{trade_id}-{number}", ts_ns, aggressor, price, lots)
            number += 1
        if not passed and self._chance.below(100) < _TRADE_PERCENT:
            yield self._trade_at_best(f"{trade_id}-{number}", ts_ns)
        for side in Side:
            self._drop_outside(side)
            self._stir(side)
            self._fill(side)
        bids, asks = (
            self._levels_of(_difference(before[side], self._shown[side]))
            for side in (Side.BUY, Side.SELL)
        )
        yield BookUpdate(symbol=self._symbol, ts_ns=ts_ns, bids=bids, asks=asks)

    def _passed(self, aggressor: Side, best_bid: int) -> list[tuple[int, int]]:
        """Return the levels a move trades away, best first."""
        levels = self._shown[aggressor.opposite]
        if aggressor is Side.BUY:
            limit = best_bid + self._spread
            return sorted((price, lots) for price, lots in levels.items() if price < limit)
        gone = ((price, lots) for price, lots in levels.items() if price > best_bid)
        return sorted(gone, reverse=True)

    def _trade_at_best(self, trade_id: str, ts_ns: int) -> PublicTrade:
        aggressor = Side.BUY if self._chance.below(2) else Side.SELL
        levels = self._shown[aggressor.opposite]
        price = min(levels) if aggressor is Side.BUY else max(levels)
        lots = min(self._chance.between(1, self._lots), levels[price])
        levels[price] -= lots
        if levels[price] == 0:
            levels[price] = self._chance.between(1, self._lots)
        return self._print(trade_id, ts_ns, aggressor, price, lots)

    def _print(
        self, trade_id: str, ts_ns: int, aggressor: Side, price: int, lots: int
    ) -> PublicTrade:
        return PublicTrade(
            symbol=self._symbol,
            ts_ns=ts_ns,
            trade_id=trade_id,
            aggressor=aggressor,
            price_ticks=price * self._gap,
            lots=lots,
        )

    def _prices(self, side: Side) -> range:
        if side is Side.BUY:
            return range(self._best_bid, self._best_bid - self._levels, -1)
        best = self._best_bid + self._spread
        return range(best, best + self._levels)

    def _drop_outside(self, side: Side) -> None:
        inside = self._prices(side)
        shown = self._shown[side]
        for price in [price for price in shown if price not in inside]:
            del shown[price]

    def _stir(self, side: Side) -> None:
        """Give a few levels a new size, mostly near the old one."""
        shown = self._shown[side]
        for _ in range(_CHANGED_LEVELS):
            prices = self._prices(side)
            price = prices[self._chance.below(len(prices))]
            if price in shown:
                change = self._chance.between(-self._lots // 4, self._lots // 4)
                shown[price] = max(shown[price] + change, 1)

    def _fill(self, side: Side) -> None:
        shown = self._shown[side]
        for price in self._prices(side):
            if price not in shown:
                shown[price] = self._chance.between(max(self._lots // 4, 1), 2 * self._lots)

    def _levels_of(self, levels: dict[int, int]) -> list[Level]:
        return [(price * self._gap, lots) for price, lots in levels.items()]


def _difference(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    gone = {price: 0 for price in before if price not in after}
    changed = {price: lots for price, lots in after.items() if before.get(price) != lots}
    return gone | changed
