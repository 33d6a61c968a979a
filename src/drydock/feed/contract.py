"""What a feed is: market inputs in time order, from any moment since it started."""

from collections.abc import Iterator
from typing import Protocol

from drydock.core.inputs import BookUpdate, PublicTrade

type MarketInput = BookUpdate | PublicTrade
type TimedInput = tuple[int, MarketInput]
"""(nanoseconds of data time since the feed started, input)."""


class Feed(Protocol):
    """A source of market data that can be entered anywhere."""

    @property
    def name(self) -> str:
        """What identifies the feed: a restart with the same name continues it."""

    def play(self, epoch_ns: int, from_ns: int) -> Iterator[TimedInput]:
        """Yield inputs in time order, beginning with whole books as they stand at `from_ns`.

        Args:
            epoch_ns: Wall time at which the feed started, for feeds whose data has no time.
            from_ns: Data time since then.
        """
