"""Another venue for a recorded product, made from the recording and a seed.

It shows the recorded market late, with its own depth, at prices that wander around the recorded
ones, and with its own trades. Everything is a function of (seed, symbol, pass, time or price or
trade id), so the same seed gives the same inputs however often and wherever it is entered.

Three promises hold for whatever the recording contains. The book is never crossed: while the
recorded one is, the last good book stays and a whole one follows. Sizes are whole lots, at least
one. A trade takes displayed size of the side it hits, at a price shown there at that moment.

When the skew moves, every price does, so the book is sent again as a whole.
"""

from collections.abc import Iterator

import msgspec

from drydock.chance import Chance
from drydock.config import DerivedFeed, RecordedSteps
from drydock.core.inputs import BookUpdate, Level, PublicTrade
from drydock.core.instrument import Instrument
from drydock.core.orders import Side
from drydock.feed.contract import MarketInput, Tape, TimedInput
from drydock.feed.depth import DerivedSide, Grid
from drydock.feed.skew import STEPS_PER_REVERSION, Skew


class DerivedTape:
    """One instrument's recording, distorted."""

    def __init__(
        self, source: Tape, config: DerivedFeed, steps: RecordedSteps, instrument: Instrument
    ) -> None:
        self.first_us, self.last_us = source.first_us, source.last_us
        self._source = source
        self._config = config
        self._symbol = instrument.symbol
        self._grid = Grid(config, steps, instrument)
        self._step_ns = config.skew_reversion_ms * 1_000_000 // STEPS_PER_REVERSION

    def play(self, start_us: int, number: int) -> Iterator[TimedInput]:
        """Yield one pass, in nanoseconds since `start_us`; the latency is added by the feed."""
        skew: Skew | None = None
        market = _Market(self._config, self._symbol, self._grid)
        step = shown_ns = 0
        for at_ns, what in self._source.play(start_us, number):
            if skew is None:
                step = at_ns // self._step_ns
                skew = Skew(
                    self._config.skew_ticks_max,
                    step,
                    self._config.seed,
                    self._symbol,
                    "skew",
                    number,
                )
                market.skew_ticks = skew.ticks
            while (step + 1) * self._step_ns <= at_ns:
                step += 1
                if skew.advance():
                    market.skew_ticks = skew.ticks
                    moved_ns = step * self._step_ns
                    if market.shows:
                        yield moved_ns, market.whole(market.ts_ns + moved_ns - shown_ns)
            shown = market.take(what)
            if isinstance(what, BookUpdate):
                shown_ns = at_ns
            if shown is not None:
                yield at_ns, shown


class _Market:
    """The derived market as it stands."""

    def __init__(self, config: DerivedFeed, symbol: str, grid: Grid) -> None:
        self.skew_ticks = 0
        self.ts_ns = 0
        """The venue's time of the last book."""
        self._seed = config.seed
        self._thin_percent = config.thin_trades_percent
        self._lag_ns = config.latency_ms * 1_000_000
        self._symbol = symbol
        self._grid = grid
        self._bids = DerivedSide(Side.BUY, grid)
        self._asks = DerivedSide(Side.SELL, grid)
        self._windowed = False
        self._seen = False
        self._crossed = False

    @property
    def shows(self) -> bool:
        """Whether there is a book, and one to be shown."""
        return self._seen and not self._crossed

    def take(self, what: MarketInput) -> MarketInput | None:
        """Fold in a recorded input and return what this venue makes of it, if anything."""
        if isinstance(what, PublicTrade):
            return self._trade(what) if self.shows else None
        return self._book(what)

    def whole(self, ts_ns: int) -> BookUpdate:
        """Return the whole book."""
        return BookUpdate(
            symbol=self._symbol,
            ts_ns=ts_ns,
            bids=self._skewed(list(self._bids.own.displayed.items())),
            asks=self._skewed(list(self._asks.own.displayed.items())),
            snapshot=True,
            windowed=self._windowed,
        )

    def _book(self, update: BookUpdate) -> BookUpdate | None:
        self.ts_ns = update.ts_ns + self._lag_ns
        was_crossed = self._crossed
        bids: list[Level] = []
        asks: list[Level] = []
        if update.snapshot:
            self._bids.replace(update.bids)
            self._asks.replace(update.asks)
            self._seen, self._windowed = True, update.windowed
        else:
            bids, asks = self._bids.change(update.bids), self._asks.change(update.asks)
        bid_ranks, ask_ranks = self._bids.own.ranks, self._asks.own.ranks
        self._crossed = bool(bid_ranks and ask_ranks) and -bid_ranks[0] >= ask_ranks[0]
        if not self.shows:
            return None
        if update.snapshot or was_crossed:
            return self.whole(self.ts_ns)
        bids, asks = self._skewed(bids), self._skewed(asks)
        if not bids and not asks:
            return None
        return BookUpdate(symbol=self._symbol, ts_ns=self.ts_ns, bids=bids, asks=asks)

    def _trade(self, trade: PublicTrade) -> PublicTrade | None:
        chance = Chance(self._seed, self._symbol, "trade", trade.trade_id)
        number = chance.next()
        if chance.below(100) < self._thin_percent:
            return None
        lots = self._grid.lots(trade.lots * self._grid.noisy(chance))
        side = self._asks if trade.aggressor is Side.BUY else self._bids
        price_ticks = self._grid.price(trade.price_ticks, trade.aggressor.opposite)
        taken = side.trade(price_ticks, lots)
        if taken is None or taken[0] + self.skew_ticks < 1:
            return None
        return msgspec.structs.replace(
            trade,
            ts_ns=trade.ts_ns + self._lag_ns,
            trade_id=f"synthetic-{self._seed}-{number:016x}",
            price_ticks=taken[0] + self.skew_ticks,
            lots=taken[1],
        )

    def _skewed(self, levels: list[Level]) -> list[Level]:
        skew = self.skew_ticks
        return [(price + skew, lots) for price, lots in levels if price + skew >= 1]
