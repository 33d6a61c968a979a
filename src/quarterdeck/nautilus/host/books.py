"""Books rebuilt from the very updates that the simulated venues match on, when somebody looks.

Owns one book an instrument. The non-obvious: nothing is done while the market plays. The recorded
updates are a function of time alone, as our own orders are not among them; so a book is brought up
to the present only when its view is looked up, in bulk, from the same files that NautilusTrader
plays. An update costs nanoseconds so, where a callback for each would cost more than the whole
simulation around it.

A view at a time shows all updates that arrived until then, those of that very instant included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Context, Decimal, Inexact
from itertools import repeat
from typing import Final, NamedTuple

from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.terms import Side
from quarterdeck.nautilus.catalog.book_pieces import Piece, SideChanges
from quarterdeck.nautilus.host.ladder import Ladder
from quarterdeck.ports import Clock

_EXACT: Final = Context(prec=40, traps=[Inexact])


class Places(NamedTuple):
    """Decimal places of an instrument's numbers."""

    px: int
    size: int


class BookFeed:
    """The book of one instrument."""

    def __init__(
        self, instrument: str, pieces: Iterator[Piece], places: Places, levels: int
    ) -> None:
        """Begin before the first update.

        Args:
            instrument: canonical id.
            pieces: its recorded updates; the first is taken when the book is looked at.
            places: in which they count.
            levels: a side of the views.
        """
        self.instrument = instrument
        self.updates = 0
        """How many have arrived until the last look."""
        self._pieces = pieces
        self._px, self._size = _Decimals(places.px), _Decimals(places.size)
        self._levels = levels
        self._bids, self._asks = _BookSide(1), _BookSide(-1)
        self._piece: Piece | None = None
        self._taken = 0
        """Updates of the piece that are in the book."""
        self._row = 0
        self._due_ns: int | None = 0
        """When the next update arrives; None when there is none."""
        self._at_ns = 0
        self._view: MarketView | None = None
        self._top: MarketView | None = None

    def view(self, now_ns: int) -> MarketView | None:
        """Return the best levels at a time; None before the first update."""
        self.advance(now_ns)
        if self._view is None and self.updates:
            self._view = self._cut(self._levels)
        return self._view

    def top(self, now_ns: int) -> MarketView | None:
        """Return the best level of each side at a time, in a tenth of the time of a view."""
        self.advance(now_ns)
        if self._top is None and self.updates:
            self._top = self._cut(1)
        return self._top

    def deepest_px(self, side: Side, now_ns: int) -> Decimal | None:
        """Return the worst price that an order of this side could meet; None when there is none."""
        self.advance(now_ns)
        met = self._asks if side is Side.BUY else self._bids
        px = met.ladder.worst_px()
        return None if px is None else self._px(px)

    def advance(self, now_ns: int) -> None:
        """Take the updates that arrived until a time; time never goes back."""
        while self._due_ns is not None and self._due_ns <= now_ns:
            if self._piece is None or self._taken == len(self._piece.ends):
                self._turn_over()
            else:
                self._take(self._piece, now_ns)

    def _turn_over(self) -> None:
        self._piece = next(self._pieces, None)
        self._taken = self._row = 0
        self._bids.begin(self._piece.bids if self._piece is not None else None)
        self._asks.begin(self._piece.asks if self._piece is not None else None)
        self._due_ns = int(self._piece.end_ns[0]) if self._piece is not None else None

    def _take(self, piece: Piece, now_ns: int) -> None:
        taken = int(piece.end_ns.searchsorted(now_ns, side="right"))
        until = int(piece.ends[taken - 1])
        start, self._row = self._row, until
        if len(piece.clears):
            cleared = piece.clears[
                piece.clears.searchsorted(start) : piece.clears.searchsorted(until)
            ]
            if len(cleared):
                start = int(cleared[-1])
                self._bids.clear(start)
                self._asks.clear(start)
        self._bids.take(until)
        self._asks.take(until)
        self.updates += taken - self._taken
        self._taken = taken
        self._at_ns = int(piece.end_ns[taken - 1])
        self._view = self._top = None
        if taken < len(piece.ends):
            self._due_ns = int(piece.end_ns[taken])

    def _cut(self, levels: int) -> MarketView:
        px, size = self._px, self._size
        bids, asks = self._bids.ladder.best(levels), self._asks.ladder.best(levels)
        return MarketView(
            instrument=self.instrument,
            bids=tuple(zip(px.each(bids[0]), size.each(bids[1]), strict=True)),
            asks=tuple(zip(px.each(asks[0]), size.each(asks[1]), strict=True)),
            seq=self.updates,
            at_ns=self._at_ns,
        )


class _BookSide:
    """One side's levels and how far its changes of the piece were taken."""

    def __init__(self, sign: int) -> None:
        self.ladder = Ladder(sign)
        self._changes: SideChanges | None = None
        self._next = 0

    def begin(self, changes: SideChanges | None) -> None:
        self._changes = changes
        self._next = 0

    def clear(self, row: int) -> None:
        """Empty it as of a row: what came before needs not be taken any more."""
        assert self._changes is not None
        self.ladder.clear()
        self._next = int(self._changes.row.searchsorted(row))

    def take(self, until: int) -> None:
        assert self._changes is not None
        start, self._next = self._next, int(self._changes.row.searchsorted(until))
        self.ladder.apply(
            self._changes.px[start : self._next], self._changes.size[start : self._next]
        )


class _Decimals:
    """Whole numbers of so many decimal places, as decimals that show all of them."""

    def __init__(self, places: int) -> None:
        self._unit = Decimal(1).scaleb(-places)

    def __call__(self, units: int) -> Decimal:
        return _EXACT.multiply(units, self._unit)

    def each(self, units: Iterable[int]) -> Iterator[Decimal]:
        return map(_EXACT.multiply, units, repeat(self._unit))


type Look = Callable[[BookFeed, int], MarketView | None]


class LazyViews(Mapping[str, MarketView]):
    """Views of this instant by canonical id, of the instruments that have had a book."""

    def __init__(self, feeds: Iterable[BookFeed], clock: Clock, look: Look = BookFeed.view) -> None:
        """Look at these feeds at the clock's time, at their views or at their tops."""
        self._feeds = {feed.instrument: feed for feed in feeds}
        self._clock = clock
        self._look = look

    def __getitem__(self, instrument: str) -> MarketView:
        view = self._look(self._feeds[instrument], self._clock.now_ns())
        if view is None:
            raise KeyError(instrument)
        return view

    def __iter__(self) -> Iterator[str]:
        now_ns = self._clock.now_ns()
        return (id_ for id_, feed in self._feeds.items() if self._look(feed, now_ns) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
