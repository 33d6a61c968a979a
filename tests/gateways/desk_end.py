"""A desk's end of its gateways: the real links, and an ear for what they tell."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from quarterdeck.core.model.facts import Fact, GatewayConnected
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.client import GatewayLinks
from quarterdeck.gateways.endpoint import Endpoint

WAIT_S = 15.0


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


class DeskEnd:
    """Used as `async with`; closes its links at the end."""

    def __init__(self, endpoints: dict[str, Endpoint], *, desk_id: str = "desk", epoch: int = 1):
        self.facts: list[Fact] = []
        self.views: list[tuple[str, MarketView]] = []
        self._news = asyncio.Event()
        self._epoch = epoch
        self.links = GatewayLinks(desk_id, endpoints, self, WallClock(), silence_ns=1_500_000_000)

    async def __aenter__(self) -> Self:
        self.links.start(self._epoch)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.links.close()

    def on_fact(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._news.set()

    def on_view(self, account: str, view: MarketView) -> None:
        self.views.append((account, view))
        self._news.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for something that only news of a gateway can make true.

        Raises:
            TimeoutError: if it does not come true in time.
        """
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def next_of[T: Fact](self, kind: type[T], **fields: Any) -> T:
        """Wait for a fact of this kind with these fields, and forget all facts up to it."""
        found: list[T] = []

        def look() -> bool:
            for place, fact in enumerate(self.facts):
                if isinstance(fact, kind) and all(
                    getattr(fact, name) == value for name, value in fields.items()
                ):
                    found.append(fact)
                    del self.facts[: place + 1]
                    return True
            return False

        try:
            await self.until(look)
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} {fields} among {self.facts}") from None
        return found[0]

    async def connected(self) -> int:
        """Wait for the gateway and return its epoch."""
        return (await self.next_of(GatewayConnected)).gateway_epoch


async def eventually(condition: Any, wait_s: float = 10.0) -> None:
    """Poll a condition of the host, which has no news of its own."""
    deadline_s = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        await asyncio.sleep(0.005)
