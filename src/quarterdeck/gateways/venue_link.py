"""Keeps a driver connected to its venue, and passes on what the venue says unasked.

Connects with a backoff that doubles, and is jittered so that many gateways do not knock together.
While the venue is away the session refuses new orders. A book that cannot be watched is tried
again later; it does not keep the account from trading.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial

import structlog

from quarterdeck.core.model.facts import (
    Fact,
    OrderAccepted,
    OrderClosed,
    OrderRejected,
    Trade,
    VenueStatus,
)
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.contract import ConnectError, Driver, PublicTrade, QueryError
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.gateways.settings import GatewaySettings

log = structlog.get_logger("quarterdeck.gateway")


class VenueLink:
    """The `DriverListener` of one gateway.

    Args:
        emit: reports a fact to the desk.
        on_view: takes the newest cut of a book.
        on_public_trade: takes trades of the market, which are only asked for when given.
        on_change: called after `session.venue_connected` changed; with the instruments when they
            were loaded anew, else with None.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        session: GatewaySession,
        driver: Driver,
        *,
        emit: Callable[[Fact], None],
        on_view: Callable[[MarketView], None],
        on_change: Callable[[tuple[Instrument, ...] | None], None],
        on_public_trade: Callable[[PublicTrade], None] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.reason = "connecting"
        """Why the venue is not connected; empty when it is."""
        self._settings = settings
        self._session = session
        self._driver = driver
        self._emit = emit
        self._on_view = on_view
        self._on_change = on_change
        self._on_public_trade = on_public_trade
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Connect, and again whenever the connection ended; until cancelled."""
        delay_ms = self._settings.reconnect_ms
        while True:
            self._ended.clear()
            instruments = await self._connect()
            if instruments is not None:
                self.counts["connects"] += 1
                delay_ms = self._settings.reconnect_ms
                self._set(connected=True, reason="", instruments=tuple(instruments))
                watching = asyncio.create_task(self._watch_market(instruments))
                try:
                    await self._ended.wait()
                finally:
                    watching.cancel()
            await self.close()
            # Not a secret: only to spread the knocking.
            await asyncio.sleep(delay_ms * random.uniform(0.8, 1.2) / 1000)  # noqa: S311
            delay_ms = min(delay_ms * 2, self._settings.reconnect_ms_max)

    async def close(self) -> None:
        """Disconnect the driver."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
                await self._driver.disconnect()
        except Exception:
            log.exception("driver_raised", call="disconnect")

    def accepted(self, client_order_id: str, venue_order_id: str, at_ns: int) -> None:
        """See `DriverListener`."""
        self._emit(
            OrderAccepted(
                account=self._session.account,
                client_order_id=client_order_id,
                venue_order_id=venue_order_id,
                at_ns=at_ns,
            )
        )

    def rejected(self, client_order_id: str, code: str, text: str, at_ns: int) -> None:
        """See `DriverListener`."""
        self._emit(
            OrderRejected(
                account=self._session.account,
                client_order_id=client_order_id,
                code=code,
                text=text,
                at_ns=at_ns,
            )
        )

    def trade(self, trade: Trade) -> None:
        """See `DriverListener`."""
        self._emit(trade)

    def closed(
        self,
        client_order_id: str,
        venue_order_id: str | None,
        status: VenueStatus,
        filled: Decimal | None,
        at_ns: int,
    ) -> None:
        """See `DriverListener`."""
        self._emit(
            OrderClosed(
                account=self._session.account,
                client_order_id=client_order_id,
                venue_order_id=venue_order_id,
                status=status,
                filled=filled,
                at_ns=at_ns,
            )
        )

    def view(self, view: MarketView) -> None:
        """See `DriverListener`."""
        self._on_view(view)

    def public_trade(self, trade: PublicTrade) -> None:
        """See `DriverListener`."""
        if self._on_public_trade is not None:
            self._on_public_trade(trade)

    def connection(self, *, connected: bool, reason: str) -> None:
        """See `DriverListener`."""
        self._set(connected=connected, reason="" if connected else reason)

    def ended(self, reason: str) -> None:
        """See `DriverListener`."""
        self._set(connected=False, reason=reason)
        self._ended.set()

    def _set(
        self, *, connected: bool, reason: str, instruments: tuple[Instrument, ...] | None = None
    ) -> None:
        changed = connected != self._session.venue_connected
        self._session.venue_connected = connected
        self.reason = reason
        if changed:
            log.info("venue", connected=connected, reason=reason)
        if changed or instruments is not None:
            self._on_change(instruments)

    async def _connect(self) -> Sequence[Instrument] | None:
        try:
            async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
                instruments = await self._driver.connect(self)
        except (ConnectError, TimeoutError) as error:
            self.reason = str(error) or "the venue did not answer in time"
        except Exception as error:
            self.reason = f"the driver raised {error!r}"
            log.exception("driver_raised", call="connect")
        else:
            foreign = [item.id for item in instruments if item.venue != self._session.venue]
            if not foreign:
                return instruments
            self.reason = f"not instruments of {self._session.venue}: {', '.join(foreign)}"
        self.counts["connects_failed"] += 1
        log.warning("connect_failed", reason=self.reason)
        return None

    async def _watch_market(self, instruments: Sequence[Instrument]) -> None:
        listed = [item.id for item in instruments]
        wanted = self._settings.instruments or tuple(listed)
        missing = [name for name in wanted if name not in listed]
        if missing:
            log.error("instruments_not_listed", missing=missing, listed=listed)
        subscribe_book = partial(
            self._driver.subscribe_book,
            depth=self._settings.book_depth,
            interval_ms=self._settings.view_interval_ms,
        )
        known = [name for name in wanted if name in listed]
        waiting: list[tuple[str, str, Callable[[str], Awaitable[None]]]]
        waiting = [("books", name, subscribe_book) for name in known]
        if self._on_public_trade is not None:
            waiting += [("trades", name, self._driver.subscribe_trades) for name in known]
        while waiting:
            waiting = [each for each in waiting if not await self._watch(*each)]
            if waiting:
                await asyncio.sleep(self._settings.reconnect_ms_max / 1000)

    async def _watch(
        self, what: str, instrument: str, subscribe: Callable[[str], Awaitable[None]]
    ) -> bool:
        try:
            async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
                await subscribe(instrument)
        except (QueryError, TimeoutError) as error:
            log.warning("not_watched", what=what, instrument=instrument, error=repr(error))
        except Exception:
            log.exception("driver_raised", call=f"subscription of {what}")
        else:
            return True
        self.counts[f"{what}_not_watched"] += 1
        return False
