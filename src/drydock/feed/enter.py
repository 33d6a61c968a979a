"""Enter a stream of market inputs in the middle: fold what came before into one book."""

from collections.abc import Iterator

from drydock.core.inputs import BookUpdate, Level
from drydock.feed.contract import TimedInput


class _Shown:
    """The displayed levels of one instrument, folded without matching."""

    __slots__ = ("asks", "bids", "last")

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.last: BookUpdate | None = None

    def fold(self, update: BookUpdate) -> None:
        if update.snapshot:
            self.bids, self.asks = dict(update.bids), dict(update.asks)
        else:
            _change(self.bids, update.bids)
            _change(self.asks, update.asks)
        if update.snapshot or self.last is None:
            self.last = update

    def whole(self, symbol: str, ts_ns: int) -> BookUpdate:
        windowed = self.last is not None and self.last.windowed
        return BookUpdate(
            symbol=symbol,
            ts_ns=ts_ns,
            bids=list(self.bids.items()),
            asks=list(self.asks.items()),
            snapshot=True,
            windowed=windowed,
        )


def enter_at(events: Iterator[TimedInput], from_ns: int) -> Iterator[TimedInput]:
    """Skip to `from_ns`: yield each book as it stands there, then everything later as it is.

    Trades before that moment are gone: nobody was at the venue to meet them.
    """
    shown: dict[str, _Shown] = {}
    times: dict[str, int] = {}
    for at_ns, what in events:
        if at_ns >= from_ns:
            for symbol, book in shown.items():
                yield from_ns, book.whole(symbol, times[symbol])
            yield at_ns, what
            break
        if isinstance(what, BookUpdate):
            shown.setdefault(what.symbol, _Shown()).fold(what)
            times[what.symbol] = what.ts_ns
    else:
        for symbol, book in shown.items():
            yield from_ns, book.whole(symbol, times[symbol])
    yield from events


def _change(levels: dict[int, int], changes: list[Level]) -> None:
    for price_ticks, lots in changes:
        if lots > 0:
            levels[price_ticks] = lots
        else:
            levels.pop(price_ticks, None)
