"""One run of a gateway: session, driver and sockets put together on one loop.

It keeps nothing beyond the account's lock file: killed at any instant it starts again, asks the
venue and reports what it finds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways import wire
from quarterdeck.gateways.conflation import Conflator
from quarterdeck.gateways.contract import Driver
from quarterdeck.gateways.execution import Execution
from quarterdeck.gateways.front import Front
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.gateways.settings import GatewaySettings
from quarterdeck.gateways.venue_link import VenueLink

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
        self.front = Front(
            settings,
            self.session,
            driver.capabilities,
            on_command=self._on_command,
            newest_views=self._conflator.latest,
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
        )

    @property
    def counts(self) -> Counter[str]:
        """What happened so far, by name."""
        return self.front.counts + self.execution.counts + self.venue.counts

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
        if instruments is not None:
            self.front.instruments = instruments
            self.front.welcome()
        # At once: the desk should not wait for the next beat to learn it.
        self._heartbeat()

    def _on_view(self, view: MarketView) -> None:
        ready = self._conflator.offer(view, self._clock_ns())
        if ready is not None:
            self.front.publish(ready)
        elif self._view_timer is None:
            self._time_views()

    def _publish_due(self) -> None:
        self._view_timer = None
        for view in self._conflator.due(self._clock_ns()):
            self.front.publish(view)
        self._time_views()

    def _time_views(self) -> None:
        next_ns = self._conflator.next_ns()
        if next_ns is not None:
            wait_s = max(next_ns - self._clock_ns(), 0) / 1e9
            self._view_timer = self._loop.call_later(wait_s, self._publish_due)


async def _raise(error: Exception) -> None:
    raise error
