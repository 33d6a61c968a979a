"""One side of a derived venue's book: recorded levels, moved to its ticks and given its sizes.

Prices of the recording that fall between two ticks move away from the other side (bids down, asks
up), so a book that was not crossed cannot become so. Several recorded levels may share one tick;
their sizes add up. How much of a recorded level is quoted here is a function of seed and price, so
a level keeps its character for as long as it lives and whenever it returns.

Prices here are without skew; the skew is added on the way out.
"""

from bisect import bisect_right
from decimal import Decimal
from fractions import Fraction
from typing import Final

from drydock.chance import Chance
from drydock.config import DerivedFeed, RecordedSteps
from drydock.core.book import BookSide
from drydock.core.inputs import Level
from drydock.core.instrument import Instrument
from drydock.core.orders import Side

_SHARES_MAX: Final = 65_536
"""Prices whose share is remembered, so that a long day does not fill the memory."""


class Grid:
    """From the steps of a recording to those of a venue, and how much of a size is taken over."""

    def __init__(self, config: DerivedFeed, steps: RecordedSteps, instrument: Instrument) -> None:
        self._key = (config.seed, instrument.symbol)
        self._noise = config.size_noise_percent
        self._thin = config.thin_levels_percent
        ticks = _ratio(steps.tick_px, instrument.spec.tick_px)
        self._ticks, self._per_tick = ticks.numerator, ticks.denominator
        lots = _ratio(steps.lot_qty, instrument.spec.lot_qty) * Fraction(config.size_factor)
        self._lots, self._per_lot = lots.numerator, lots.denominator * 100
        self._shares: dict[int, int] = {}

    def price(self, recorded_ticks: int, side: Side) -> int:
        """Return a price in the venue's ticks, rounded away from the other side."""
        if side is Side.BUY:
            return recorded_ticks * self._ticks // self._per_tick
        return -(-recorded_ticks * self._ticks // self._per_tick)

    def share(self, recorded_ticks: int) -> int:
        """Return the weight of a recorded level; 0 where nobody quotes."""
        share = self._shares.get(recorded_ticks)
        if share is None:
            chance = Chance(*self._key, "level", recorded_ticks)
            quoted = chance.below(100) >= self._thin
            share = self.noisy(chance) if quoted else 0
            if len(self._shares) >= _SHARES_MAX:
                self._shares.clear()
            self._shares[recorded_ticks] = share
        return share

    def noisy(self, chance: Chance) -> int:
        """Return the weight of one recorded lot."""
        return self._lots * (100 + chance.between(-self._noise, self._noise))

    def lots(self, weighted: int) -> int:
        """Return the lots of a weighted size: whole, and at least one where there is any."""
        return max(weighted // self._per_lot, 1) if weighted else 0


class DerivedSide:
    """The recorded levels of one side and what the derived venue makes of them."""

    def __init__(self, side: Side, grid: Grid) -> None:
        self.own = BookSide(side)
        """What the venue displays; what is `used` there are its own public trades."""
        self._side = side
        self._grid = grid
        self._recorded: dict[int, int] = {}
        self._weighted: dict[int, int] = {}

    def change(self, levels: list[Level]) -> list[Level]:
        """Take over recorded changes and return the venue's own."""
        changed: list[Level] = []
        for price_ticks, weighted in self._take(levels).items():
            lots = self._grid.lots(weighted)
            if lots != self.own.displayed.get(price_ticks, 0):
                changed.append((price_ticks, lots))
                self.own.used.pop(price_ticks, None)
        self.own.change(changed)
        return changed

    def replace(self, levels: list[Level]) -> None:
        """Take over a whole recorded side."""
        self._recorded.clear()
        self._weighted.clear()
        self._take(levels)
        own = [(price, self._grid.lots(weighted)) for price, weighted in self._weighted.items()]
        self.own.used.clear()
        self.own.replace(own, windowed=False)

    def trade(self, price_ticks: int, lots: int) -> Level | None:
        """Trade against this side as far as it goes; None when nothing is left there.

        A trade reaches the last level not beyond its price, and the best one at least. Between two
        changes of a level no more is traded there than it displays.
        """
        ranks = self.own.ranks
        if not ranks:
            return None
        place = max(bisect_right(ranks, self.own.sign * price_ticks) - 1, 0)
        own_ticks = self.own.sign * ranks[place]
        lots = min(lots, self.own.available(own_ticks))
        if lots <= 0:
            return None
        self.own.consume(own_ticks, lots)
        return own_ticks, lots

    def _take(self, levels: list[Level]) -> dict[int, int]:
        """Fold recorded levels in and return the weights of the venue's prices they touch."""
        touched: dict[int, int] = {}
        for recorded_ticks, lots in levels:
            share = self._grid.share(recorded_ticks)
            if not share:
                continue
            price_ticks = self._grid.price(recorded_ticks, self._side)
            grown = (lots - self._recorded.get(recorded_ticks, 0)) * share
            if lots > 0:
                self._recorded[recorded_ticks] = lots
            else:
                self._recorded.pop(recorded_ticks, None)
            weighted = self._weighted.get(price_ticks, 0) + grown
            if weighted:
                self._weighted[price_ticks] = weighted
            else:
                self._weighted.pop(price_ticks, None)
            touched[price_ticks] = weighted
        return touched


def _ratio(recorded: Decimal, own: Decimal) -> Fraction:
    return Fraction(recorded) / Fraction(own)
