"""Play a feed along the wall clock, or as fast as the venue takes it."""

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from drydock.feed.contract import Feed, MarketInput

_TURN_NS: Final = 5_000_000
"""How long inputs may keep the event loop from other work."""


async def play(
    feed: Feed,
    pace: Fraction | None,
    epoch_ns: int,
    clock: Callable[[], int],
    sink: Callable[[MarketInput], object],
) -> None:
    """Give the feed's inputs to `sink`, each when it is due.

    Args:
        feed: Where inputs come from.
        pace: Data time over wall time; None gives inputs as fast as they are taken, from the
            beginning, because without a pace wall time says nothing about the place.
        epoch_ns: Wall time at which the feed first started.
        clock: Wall time now.
        sink: Takes one input.
    """
    from_ns = 0 if pace is None else int((clock() - epoch_ns) * pace)
    turn_ends_ns = clock() + _TURN_NS
    for at_ns, what in feed.play(epoch_ns, max(from_ns, 0)):
        now_ns = clock()
        wait_ns = 0 if pace is None else epoch_ns + int(at_ns / pace) - now_ns
        if wait_ns > 0 or now_ns >= turn_ends_ns:
            await asyncio.sleep(max(wait_ns, 0) / 1e9)
            turn_ends_ns = clock() + _TURN_NS
        sink(what)
