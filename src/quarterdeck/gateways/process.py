"""The process of one account's gateway: `python -m quarterdeck.gateways.process SETTINGS.json`.

It takes the account's lock before it binds a socket and holds it until it ends. SIGTERM and SIGINT
end it cleanly; so may SIGKILL, since nothing is kept.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Final

import uvloop

from quarterdeck.gateways.contract import Driver
from quarterdeck.gateways.endpoint import private_folder
from quarterdeck.gateways.host import GatewayHost
from quarterdeck.gateways.lock import AccountLock, LockHeldError
from quarterdeck.gateways.registry import build_driver
from quarterdeck.gateways.settings import GatewaySettings, read_settings

EXIT_SETTINGS: Final = 2
EXIT_LOCKED: Final = 3


def run_gateway(settings: GatewaySettings) -> None:
    """Run one account's gateway until it is told to stop.

    Raises:
        ValueError: if the driver does not exist or refuses its settings.
        LockHeldError: if a gateway of this account runs already.
        PermissionError: if the run folder is somebody else's.
    """
    driver = build_driver(
        settings.driver, settings.account, settings.venue, settings.driver_settings
    )
    run_dir = private_folder(Path(settings.run_dir))
    with AccountLock(run_dir, settings.account) as lock:
        uvloop.run(_serve(settings, driver, lock.next_epoch(time.time_ns())))


def main(arguments: list[str]) -> int:
    """Run from a settings file; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m quarterdeck.gateways.process SETTINGS.json\n")
        return EXIT_SETTINGS
    try:
        run_gateway(read_settings(Path(arguments[0]).read_bytes()))
    except LockHeldError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_LOCKED
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    return 0


async def _serve(settings: GatewaySettings, driver: Driver, gateway_epoch: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host = GatewayHost(settings, driver, gateway_epoch=gateway_epoch, clock_ns=time.time_ns)
    await host.run(stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
