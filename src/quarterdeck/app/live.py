"""The desk process: lease, journal, core, gateways and API, put together on one event loop.

Whatever this process does is worth nothing once another one is the desk, so a lost fence ends it at
that instant, without cleaning up. So does an exception that is no refusal: it means that memory may
be wrong, and the next life folds the journal, which is right. Everything else, a database that is
away or gateways that die, is waited for.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

import structlog
import uvloop

from quarterdeck.api.bind import Bind
from quarterdeck.api.endpoint import Services
from quarterdeck.api.keys import KeyFileError, KeyRing
from quarterdeck.api.live import create_app
from quarterdeck.api.reads import StoredReads
from quarterdeck.api.serve import BindRefusedError, serve
from quarterdeck.app.desk_session import EXIT_FENCE_LOST, SessionOpener
from quarterdeck.app.places import Places
from quarterdeck.app.settings import Settings
from quarterdeck.core.model.commands import SetLimits
from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.desk.desk import Desk, Session
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.gateways.client import GatewayLinks
from quarterdeck.gateways.endpoint import local_endpoint
from quarterdeck.store.schema import UnknownRevisionError
from quarterdeck.telemetry import logging
from quarterdeck.telemetry.metrics import Metrics
from quarterdeck.telemetry.watcher import TelemetryWatcher

EXIT_SETTINGS: Final = 2
EXIT_BUG: Final = 70
READ_WITHIN_S: Final = 2.0
GC_THRESHOLDS: Final = (20_000, 20, 50)
BY: Final = "settings"

__all__ = ["EXIT_BUG", "EXIT_FENCE_LOST", "EXIT_SETTINGS", "serve_desk"]

log = structlog.get_logger("quarterdeck.desk")


def serve_desk(settings: Settings) -> int:
    """Run the desk until SIGTERM or SIGINT; return the exit code."""
    logging.configure(settings.log.level)
    places = Places(data_dir=settings.desk.data_dir)
    places.make()
    try:
        uvloop.run(_Process(settings, places).run())
    except (BindRefusedError, KeyFileError, UnknownRevisionError) as error:
        sys.stderr.write(f"desk: {error}\n")
        return EXIT_SETTINGS
    except OSError as error:
        sys.stderr.write(f"desk: {error}\n")
        return 1
    return 0


class WallClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """See `ports.Clock`."""
        return time.time_ns()


class _Ear:
    """Passes on what gateways say; made before the desk, which needs the links that need it."""

    def __init__(self) -> None:
        self.desk: Desk | None = None

    def on_fact(self, fact: Fact) -> None:
        if self.desk is not None:
            self.desk.on_fact(fact)

    def on_view(self, account: str, view: MarketView) -> None:
        if self.desk is not None:
            self.desk.on_view(account, view)


class _Process:
    """One run of the desk."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._clock = WallClock()
        self._metrics = Metrics(version("quarterdeck"))
        self._opener = SessionOpener(
            settings, places, self._clock, holder=f"{socket.gethostname()}:{os.getpid()}"
        )

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_on_loop_exception)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        living = asyncio.create_task(self._live(), name="desk")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living

    async def _live(self) -> None:
        keys_file = self._settings.desk.keys_file or self._places.keys_file
        keys = KeyRing(keys_file, self._clock, _on_key_fault)
        ear = _Ear()
        links = self._links(ear)
        desk = Desk(
            open_session=self._open_session,
            links=links,
            clock=self._clock,
            watcher=TelemetryWatcher(self._metrics),
            emergency=EmergencyFile(self._places.emergency),
        )
        await desk.start()
        try:
            ear.desk = desk
            links.start(desk.epoch)
            await self._apply_limits(desk)
            log.info("started", epoch=desk.epoch, accounts=len(self._settings.accounts))
            # What lives as long as the process is not looked at again by the collector.
            gc.collect()
            gc.freeze()
            # Values of the core hold no cycles; the collector's rounds only add to the tail.
            gc.set_threshold(*GC_THRESHOLDS)
            await self._serve(desk, links, keys)
        finally:
            links.close()
            await desk.stop()

    async def _open_session(self, failed: Callable[[str], None]) -> Session:
        # The protocol's attributes are mutable to a type checker; the desk only reads them.
        return cast("Session", await self._opener.open(failed))

    async def _serve(self, desk: Desk, links: GatewayLinks, keys: KeyRing) -> None:
        services = Services(
            desk=desk,
            reads=StoredReads(
                self._opener.pool, desk_id=self._settings.desk.id, within_s=READ_WITHIN_S
            ),
            keys=keys,
            metrics=self._metrics,
            clock=self._clock,
            links=links.status,
            version=version("quarterdeck"),
            on_bug=_die,
        )
        section = self._settings.desk
        bind = Bind(
            host=section.host,
            port=section.port,
            certificate=section.tls_cert,
            private_key=section.tls_key,
            trusted_proxies=section.trusted_proxies,
        )
        await serve(create_app(services), bind, has_keys=keys.has_valid_key())

    def _links(self, ear: _Ear) -> GatewayLinks:
        accounts = [section.account for section in self._settings.accounts]
        folder: Path = self._places.socket_dir(accounts)
        endpoints = {account: local_endpoint(folder, account) for account in accounts}
        return GatewayLinks(self._settings.desk.id, endpoints, ear, self._clock)

    async def _apply_limits(self, desk: Desk) -> None:
        """Make the limits those of the settings, journaled like any other command."""
        wanted = {
            section.instrument: InstrumentLimits(
                max_order_qty=section.max_order_qty,
                max_order_notional=section.max_order_notional,
                collar_bps=section.collar_bps,
                reference_age_ms_max=section.reference_age_ms_max,
            )
            for section in self._settings.limits
        }
        while desk.engine.state.limits != wanted:
            refused = await desk.execute(SetLimits(limits=wanted, by=BY))
            if refused is None:
                return
            log.warning("limits_not_set", why=refused.text)
            await asyncio.sleep(1.0)


def _on_key_fault(text: str) -> None:
    log.error("keys", text=text)


def _on_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """End the process on an exception that nobody caught: a callback of ours has a bug."""
    error = context.get("exception")
    # A connection that broke is none of our bugs, a task of ours that died of it is.
    passing = isinstance(error, OSError) and not {"task", "future"} & context.keys()
    if isinstance(error, Exception) and not passing:
        _die(error)
    loop.default_exception_handler(context)


def _die(error: Exception) -> None:
    log.critical("bug", error=repr(error), exc_info=error)
    sys.stderr.flush()
    os._exit(EXIT_BUG)
