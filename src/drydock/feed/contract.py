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


class Tape(Protocol):
    """One instrument's part of a recording, in microseconds of the recorder's clock."""

    first_us: int
    last_us: int

    def play(self, start_us: int, number: int) -> Iterator[TimedInput]:
        """Yield one pass in time order, in nanoseconds since `start_us`.

        Args:
            start_us: The recorder's time that counts as zero.
            number: How often the recording was played before; trade ids differ by it.
        """
