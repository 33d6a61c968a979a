"""One run of a gateway: session, driver and sockets put together on one loop.

It keeps nothing beyond the account's lock file: killed at any instant it starts again, asks the
venue and reports what it finds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways import wire
from quarterdeck.gateways.conflation import Conflator
from quarterdeck.gateways.contract import Driver, PublicTrade
from quarterdeck.gateways.execution import Execution
from quarterdeck.gateways.front import Front
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.gateways.settings import GatewaySettings
from quarterdeck.gateways.venue_link import VenueLink

if TYPE_CHECKING:
    from quarterdeck.gateways.capture.recorder import Recorder

log = structlog.get_logger("quarterdeck.gateway")

FINISH_S = 1.0
"""How long requests that are under way may take when the gateway is told to stop."""


class GatewayHost:
    """Serves one account until told to stop. Construct it inside a running loop.

    Args:
        gateway_epoch: number of this run, from the account's lock.
        clock_ns: the wall clock.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        driver: Driver,
        *,
        gateway_epoch: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.session = GatewaySession(settings.account, settings.venue, gateway_epoch)
        self._settings = settings
        self._driver = driver
        self._clock_ns = clock_ns
        self._loop = asyncio.get_running_loop()
        self._tasks = asyncio.TaskGroup()
        self._conflator = Conflator(settings.view_interval_ms * 1_000_000)
        self._view_timer: asyncio.TimerHandle | None = None
        self._recorder = _recorder(settings, gateway_epoch, clock_ns)
        self.front = Front(
            settings,
            self.session,
            driver.capabilities,
            on_command=self._on_command,
            newest_views=self._newest_views,
        )
        self.execution = Execution(
            settings,
            self.session,
            driver,
            emit=self.front.emit,
            clock_ns=clock_ns,
            spawn=self._tasks.create_task,
        )
        self.venue = VenueLink(
            settings,
            self.session,
            driver,
            emit=self.front.emit,
            on_view=self._on_view,
            on_change=self._on_venue_change,
            on_public_trade=None if self._recorder is None else self._on_public_trade,
        )

    @property
    def counts(self) -> Counter[str]:
        """What happened so far, by name."""
        counts = self.front.counts + self.execution.counts + self.venue.counts
        return counts if self._recorder is None else counts + self._recorder.counts

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then end cleanly: finish requests, say that we are gone.

        Raises:
            ExceptionGroup: if the gateway itself has a bug; a new run starts from what is true.
        """
        log.info(
            "gateway_up",
            account=self.session.account,
            venue=self.session.venue,
            gateway_epoch=self.session.gateway_epoch,
        )
        if self._recorder is not None:
            self._recorder.start()
        try:
            async with self._tasks:
                living = [
                    self._tasks.create_task(self.venue.run()),
                    self._tasks.create_task(self._beat()),
                ]
                await stop.wait()
                self.front.stop_commands()
                await self.execution.finish(FINISH_S)
                for task in living:
                    task.cancel()
            self.session.venue_connected = False
            self.venue.reason = "the gateway was stopped"
            self._heartbeat()
        finally:
            if self._view_timer is not None:
                self._view_timer.cancel()
            await self.venue.close()
            self.front.close()
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)
            log.info("gateway_down", counts=dict(self.counts))

    async def _beat(self) -> None:
        while True:
            self._heartbeat()
            await asyncio.sleep(self._settings.heartbeat_ms / 1000)

    def _heartbeat(self) -> None:
        self.front.heartbeat(
            self._clock_ns(),
            reason=self.venue.reason,
            clock_offset_ns=self._driver.clock_offset_ns,
        )

    def _on_command(self, command: wire.Command) -> None:
        try:
            self.execution.take(self.session.command(command, self._clock_ns()))
        except Exception as error:  # noqa: BLE001 - raised again where it ends the process
            self._tasks.create_task(_raise(error))

    def _on_venue_change(self, instruments: tuple[Instrument, ...] | None) -> None:
        if self._recorder is not None and self.session.venue_connected:
            self._recorder.cut()
            if instruments is not None:
                self._recorder.symbols = {item.id: item.symbol for item in instruments}
        if instruments is not None:
            self.front.instruments = instruments
            self.front.welcome()
        # At once: the desk should not wait for the next beat to learn it.
        self._heartbeat()

    def _on_view(self, view: MarketView) -> None:
        now_ns = self._clock_ns()
        ready = self._conflator.offer(view, now_ns)
        if ready is not None:
            self._publish(ready, now_ns)
        elif self._view_timer is None:
            self._time_views()

    def _publish_due(self) -> None:
        self._view_timer = None
        now_ns = self._clock_ns()
        for view in self._conflator.due(now_ns):
            self._publish(view, now_ns)
        self._time_views()

    def _publish(self, view: MarketView, now_ns: int) -> None:
        self.front.publish(view)
        if self._recorder is not None:
            self._recorder.view(view, now_ns)

    def _newest_views(self) -> list[MarketView]:
        """Return what a desk that has just arrived is shown, which is published by that."""
        views = self._conflator.latest()
        if self._recorder is not None:
            now_ns = self._clock_ns()
            for view in views:
                self._recorder.view(view, now_ns)
        return views

    def _on_public_trade(self, trade: PublicTrade) -> None:
        if self._recorder is not None:
            self._recorder.trade(trade, self._clock_ns())

    def _time_views(self) -> None:
        next_ns = self._conflator.next_ns()
        if next_ns is not None:
            wait_s = max(next_ns - self._clock_ns(), 0) / 1e9
            self._view_timer = self._loop.call_later(wait_s, self._publish_due)


def _recorder(
    settings: GatewaySettings, gateway_epoch: int, clock_ns: Callable[[], int]
) -> "Recorder | None":
    if settings.capture is None:
        return None
    # Here: what writes files takes longer to load than the rest of a gateway.
    from quarterdeck.gateways.capture.recorder import Recorder
    from quarterdeck.gateways.capture.recording_thread import Run

    run = Run(
        account=settings.account,
        venue=settings.venue,
        gateway_epoch=gateway_epoch,
        book_depth=settings.book_depth,
    )
    return Recorder(settings.capture, run, clock_ns=clock_ns)


async def _raise(error: Exception) -> None:
    raise error
