"""Our own orders waiting in one instrument's book, in price-time order, with the queue ahead.

`ahead_lots` is the displayed size that stood at the price before the order came. It only shrinks:
by trades at the price, and when the level shows less than that. It is None while the feed does not
show the price (before the first book after a restart, or behind a windowed feed's last level);
such an order is not reached by trades at its price, only by trades through it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from drydock.core.book import BookSide
from drydock.core.orders import Order, Side


class Resting:
    """One waiting order and its place in the queue."""

    __slots__ = ("ahead_lots", "order")

    def __init__(self, order: Order, ahead_lots: int | None) -> None:
        self.order = order
        self.ahead_lots = ahead_lots


class RestingSide:
    """The waiting orders of one side. A rank is the price, negated for BUY: lower is better."""

    __slots__ = ("_queues", "_ranks", "_sign")

    def __init__(self, side: Side) -> None:
        self._sign = -side.sign
        self._ranks: list[int] = []
        self._queues: dict[int, list[Resting]] = {}

    def __bool__(self) -> bool:
        return bool(self._ranks)

    def add(self, order: Order, price_ticks: int, ahead_lots: int | None) -> None:
        """Put an order at the end of the queue at its price."""
        queue = self._queues.get(price_ticks)
        if queue is None:
            queue = self._queues[price_ticks] = []
            insort(self._ranks, self._sign * price_ticks)
        queue.append(Resting(order, ahead_lots))

    def remove(self, order: Order, price_ticks: int) -> None:
        """Take an order out, if it is there."""
        queue = self._queues.get(price_ticks, [])
        left = [resting for resting in queue if resting.order is not order]
        if left:
            self._queues[price_ticks] = left
        elif queue:
            del self._queues[price_ticks]
            del self._ranks[bisect_left(self._ranks, self._sign * price_ticks)]

    def best(self) -> int | None:
        """Return the best price an order waits at."""
        return self._sign * self._ranks[0] if self._ranks else None

    def at(self, price_ticks: int) -> list[Resting]:
        """Return the queue at a price, oldest first."""
        return self._queues.get(price_ticks, [])

    def prices(self) -> list[int]:
        """Return every price with an order, best first."""
        return [self._sign * rank for rank in self._ranks]

    def reached_by(self, price_ticks: int, *, through: bool) -> Iterator[Resting]:
        """Yield orders in priority that trade when the market trades at a price.

        Args:
            price_ticks: Where the market trades.
            through: Only orders with a strictly better price than that.
        """
        last = self._sign * price_ticks - (1 if through else 0)
        for rank in list(self._ranks):
            if rank > last:
                return
            yield from list(self._queues.get(self._sign * rank, []))

    def see(self, shown: BookSide, prices: Iterable[int]) -> None:
        """Shorten the queues at some prices to what the book shows there now."""
        for price_ticks in prices:
            queue = self._queues.get(price_ticks)
            if queue is None or not shown.shows(price_ticks):
                continue
            lots = shown.displayed.get(price_ticks, 0)
            for resting in queue:
                ahead = resting.ahead_lots
                resting.ahead_lots = lots if ahead is None else min(ahead, lots)

    def advance(self, price_ticks: int, lots: int) -> None:
        """Shorten the queue at one price by lots that traded in front of every order there."""
        for resting in self._queues.get(price_ticks, []):
            if resting.ahead_lots is not None:
                resting.ahead_lots = max(resting.ahead_lots - lots, 0)
