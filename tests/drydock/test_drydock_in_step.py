"""Venues that are given one epoch show one market at one time, whenever each of them started."""

import time
from contextlib import AsyncExitStack

from msgspec.structs import replace
from tests.drydock.served_venue import SYNTHETIC, TOKEN_A, eventually, in_process

from drydock.config import parse_config


def prices(pushes):
    """Return each book that was seen, by its best prices, in order and without repeats."""
    seen = [(p["bids"][0][0], p["asks"][0][0]) for p in pushes if p["stream"] == "book"]
    return [price for number, price in enumerate(seen) if not number or price != seen[number - 1]]


async def test_a_venue_that_starts_later_is_where_the_other_is(tmp_path):
    for name in ("early", "late"):
        (tmp_path / name).mkdir()
    feed = replace(parse_config(SYNTHETIC).feed, epoch_ns=time.time_ns() - 90_000_000_000)
    watch = {"symbol": "BTC-USDT", "depth": 1, "interval_ms": 0}
    async with AsyncExitStack() as open_:
        early = await open_.enter_async_context(
            in_process(tmp_path / "early", SYNTHETIC, feed=feed)
        )
        first = await open_.enter_async_context(early.client("a", TOKEN_A))
        await first.ok("subscribe", **watch)

        async def has_moved() -> bool:
            await first.ok("time")  # Pushes are read while an answer is waited for.
            return len(prices(first.pushes)) > 3

        await eventually(has_moved)
        before = len(prices(first.pushes))
        late = await open_.enter_async_context(in_process(tmp_path / "late", SYNTHETIC, feed=feed))
        second = await open_.enter_async_context(late.client("a", TOKEN_A))
        await second.ok("subscribe", **watch)

        async def both_moved() -> bool:
            await second.ok("time")
            return len(prices(second.pushes)) > 5

        await eventually(both_moved)
        # What the late one shows after its first moment the early one shows as well, in that order.
        shown = prices(second.pushes)[1:4]

        async def is_shown_by_both() -> bool:
            await first.ok("time")
            there = prices(first.pushes)[before - 1 :]
            return any(there[at : at + len(shown)] == shown for at in range(len(there)))

        await eventually(is_shown_by_both)
