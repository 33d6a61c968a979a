"""A gateway's host in the test's own loop, with a driver that has moods."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.gateways.commands import a_child, ref
from tests.gateways.desk_end import DeskEnd

from quarterdeck.core.model.facts import OrderReport
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.intents import QueryChild, SendCancel, SendChild
from quarterdeck.gateways.contract import (
    CancelOutcome,
    DriverListener,
    OrderRef,
    SubmitOutcome,
    VenueOrder,
)
from quarterdeck.gateways.drivers.null import NullDriver, NullSettings
from quarterdeck.gateways.host import GatewayHost
from quarterdeck.gateways.outbox import Rate
from quarterdeck.gateways.settings import GatewaySettings

ACCOUNT, VENUE, EPOCH = "acc", "NULL", 1_000
FAST = Rate(per_s=10_000, burst=10_000, cancel_reserve=10)


class Moody(NullDriver):
    """The null driver with moods, by name of the call."""

    def __init__(self) -> None:
        super().__init__(ACCOUNT, VENUE, NullSettings(publish_ms=20))
        self.moods: dict[str, list[Exception | float]] = {}
        self.submitted: list[str] = []
        self.listener: DriverListener | None = None
        self.disconnects = 0

    async def _mood(self, call: str) -> None:
        moods = self.moods.get(call)
        mood = moods.pop(0) if moods else None
        if isinstance(mood, Exception):
            raise mood
        if mood is not None:
            await asyncio.sleep(mood)

    async def connect(self, listener: DriverListener) -> Sequence[Instrument]:
        await self._mood("connect")
        self.listener = listener
        return await super().connect(listener)

    async def disconnect(self) -> None:
        self.disconnects += 1
        await super().disconnect()

    async def submit(self, order: VenueOrder) -> SubmitOutcome:
        self.submitted.append(order.client_order_id)
        await self._mood("submit")
        return await super().submit(order)

    async def cancel(self, order: OrderRef) -> CancelOutcome:
        await self._mood("cancel")
        return await super().cancel(order)

    async def order(self, order: OrderRef) -> OrderReport | None:
        await self._mood("order")
        return await super().order(order)


@asynccontextmanager
async def hosted(
    folder: Path, driver: Moody, *, epoch: int = EPOCH, **changes: Any
) -> AsyncIterator[GatewayHost]:
    terms: dict[str, Any] = {
        "account": ACCOUNT,
        "venue": VENUE,
        "driver": "null",
        "run_dir": str(folder),
        "rate": FAST,
        "heartbeat_ms": 50,
        "reconnect_ms": 10,
    }
    settings = GatewaySettings(**(terms | changes))
    host = GatewayHost(settings, driver, gateway_epoch=epoch, clock_ns=time.time_ns)
    stop = asyncio.Event()
    running = asyncio.create_task(host.run(stop))
    try:
        yield host
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


def send(desk: DeskEnd, name: str, **changes: Any) -> None:
    assert desk.links.send(SendChild(child=a_child(name, gateway_epoch=EPOCH, **changes))) is None


def a_cancel(name: str) -> SendCancel:
    return SendCancel(
        account=ACCOUNT, instrument=ref(name).instrument, client_order_id=name, venue_order_id=None
    )


def a_query(name: str, epoch: int = EPOCH) -> QueryChild:
    return QueryChild(
        account=ACCOUNT,
        instrument=ref(name).instrument,
        client_order_id=name,
        venue_order_id=None,
        gateway_epoch=epoch,
    )
