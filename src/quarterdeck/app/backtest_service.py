"""The backtest service's process: keys, queue and API on one event loop, runs in processes.

It shares the data folder's keys with the desk and nothing else: neither database nor gateways, so
that a heavy study and a trading day on one machine know nothing of each other.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import structlog
from msgspec import Struct

from quarterdeck.api.backtest.endpoint import BacktestServices, Roots
from quarterdeck.api.backtest.service import create_backtest_app
from quarterdeck.api.bind import Bind
from quarterdeck.api.keys import KeyFileError, KeyRing
from quarterdeck.api.serve import BindRefusedError, serve
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE
from quarterdeck.app.places import Places, default_data_dir
from quarterdeck.app.settings import DeskSection, Settings
from quarterdeck.app.start import ensure_cli_key
from quarterdeck.app.wall_clock import WallClock
from quarterdeck.backtest.queue import RunQueue, close_left_behind
from quarterdeck.telemetry import logging

log = structlog.get_logger("quarterdeck.backtest")


class BacktestService(Struct, frozen=True, kw_only=True):
    """What the service is started with."""

    places: Places
    """Whose keys open it."""
    bind: Bind
    roots: Roots
    at_once: int
    """Runs at a time; each takes a core and some hundreds of megabytes."""
    waiting_max: int


def backtest_service(
    *, data_dir: Path | None, bind: Bind, roots: Roots, at_once: int, waiting_max: int
) -> BacktestService:
    """Return the service over folders as they were named, which may be relative.

    Args:
        data_dir: the data folder whose keys open it; None is the usual one of this user.
        bind: where to listen.
        roots: where runs may read and write.
        at_once: runs at a time.
        waiting_max: runs that may wait.
    """
    return BacktestService(
        places=Places(data_dir=(data_dir or default_data_dir(os.environ)).absolute()),
        bind=bind,
        roots=Roots(
            data=roots.data.resolve(),
            catalog=roots.catalog.resolve(),
            results=roots.results.resolve(),
            inputs=roots.inputs.resolve(),
        ),
        at_once=at_once,
        waiting_max=waiting_max,
    )


def serve_backtests(service: BacktestService, on_ready: Callable[[int], None]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    Args:
        service: where, and with what.
        on_ready: called with the port once connections are accepted.
    """
    logging.configure("info")
    try:
        service.places.make()
        ensure_cli_key(Settings(desk=DeskSection(data_dir=service.places.data_dir)), service.places)
        asyncio.run(_run(service, on_ready))
    except (BindRefusedError, KeyFileError) as error:
        sys.stderr.write(f"backtest: {error}\n")
        return EXIT_USAGE
    except OSError as error:
        sys.stderr.write(f"backtest: {error}\n")
        return EXIT_REFUSED
    return 0


async def _run(service: BacktestService, on_ready: Callable[[int], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = WallClock()
    keys = KeyRing(service.places.keys_file, clock, _on_key_fault)
    for folder in (service.roots.catalog, service.roots.results):
        folder.mkdir(parents=True, exist_ok=True)
    close_left_behind(service.roots.results)
    queue = RunQueue(at_once=service.at_once, waiting_max=service.waiting_max)
    services = BacktestServices(
        queue=queue,
        roots=service.roots,
        keys=keys,
        clock=clock,
        version=version("quarterdeck"),
    )
    has_keys = keys.has_valid_key()
    serving = asyncio.create_task(
        serve(create_backtest_app(services), service.bind, has_keys=has_keys, on_ready=on_ready)
    )
    working = asyncio.create_task(queue.work())
    stopping = asyncio.create_task(stop.wait())
    parts = (serving, working)
    await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*parts, stopping):
        task.cancel()
    for task in parts:  # Whichever ended first by itself has an error to tell.
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _on_key_fault(text: str) -> None:
    log.error("keys", text=text)
