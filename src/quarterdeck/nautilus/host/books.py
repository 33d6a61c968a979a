"""Books rebuilt from the very updates that the simulated venues match on.

Owns one order book an instrument. The non-obvious: nothing is read from a book until somebody
looks its view up. Updates come by the million and the desk decides rarely, so an update costs one
call into NautilusTrader, and a view is cut once and kept until the book changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from nautilus_trader.model import BookType, InstrumentId, OrderBook, OrderBookDeltas

from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.terms import Side


class BookFeed:
    """The book of one instrument."""

    def __init__(self, instrument: str, nautilus_id: InstrumentId, levels: int) -> None:
        """Begin without a book."""
        self.instrument = instrument
        self.updates = 0
        self._levels = levels
        self._book = OrderBook(nautilus_id, BookType.L2_MBP)
        self._at_ns = 0
        self._view: MarketView | None = None

    def apply(self, deltas: OrderBookDeltas) -> None:
        """Take one update, whole."""
        self._book.apply_deltas(deltas)
        self._at_ns = deltas.ts_init
        self.updates += 1
        self._view = None

    def view(self) -> MarketView:
        """Return the best levels as they are now."""
        if self._view is None:
            self._view = MarketView(
                instrument=self.instrument,
                bids=tuple(self._book.bids_to_dict(self._levels).items()),
                asks=tuple(self._book.asks_to_dict(self._levels).items()),
                seq=self.updates,
                at_ns=self._at_ns,
            )
        return self._view

    def deepest_px(self, side: Side) -> Decimal | None:
        """Return the worst price that an order of this side could meet; None when there is none."""
        levels = self._book.asks_to_dict() if side is Side.BUY else self._book.bids_to_dict()
        return next(reversed(levels), None)


class LazyViews(Mapping[str, MarketView]):
    """Views by canonical id, of the instruments that have had a book."""

    def __init__(self, feeds: Iterable[BookFeed]) -> None:
        """Look at these feeds."""
        self._feeds = {feed.instrument: feed for feed in feeds}

    def __getitem__(self, instrument: str) -> MarketView:
        feed = self._feeds[instrument]
        if not feed.updates:
            raise KeyError(instrument)
        return feed.view()

    def __iter__(self) -> Iterator[str]:
        return (id_ for id_, feed in self._feeds.items() if feed.updates)

    def __len__(self) -> int:
        return sum(1 for _ in self)
