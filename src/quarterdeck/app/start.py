"""Everything between `quarterdeck up` and a running system: settings, checks, keys, supervisor."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.api.keys import Scope, create_key, list_keys
from quarterdeck.app.config_file import ConfigError, read_settings, save_resolved, understand
from quarterdeck.app.defaults import Ports, default_configuration
from quarterdeck.app.driver_check import driver_faults
from quarterdeck.app.places import Places, default_data_dir, write_private
from quarterdeck.app.plan import PlanError, drydock_address, drydock_table, plan
from quarterdeck.app.settings import SIMULATED_DRIVERS, Settings
from quarterdeck.app.state_file import SupervisorLock, SupervisorState
from quarterdeck.app.supervisor import Supervisor, busy_ports

CLI_KEY: Final = "cli"
USUAL_PORTS: Final = Ports()


class CannotStartError(Exception):
    """The settings cannot be started on this machine; the text says why."""


class Start(Struct, frozen=True, kw_only=True):
    """What is about to run."""

    settings: Settings
    places: Places

    @property
    def url(self) -> str:
        """Where the API will be, as seen from this machine."""
        desk = self.settings.desk
        scheme = "https" if desk.tls_cert is not None else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(desk.host, desk.host)  # noqa: S104 - read, not bound
        return f"{scheme}://{host}:{desk.port}"


def from_file(path: Path) -> Start:
    """Return what a configuration file asks for.

    Raises:
        ConfigError: with every fault of the file.
    """
    settings = read_settings(path)
    faults = driver_faults(settings)
    if faults:
        raise ConfigError(str(path), faults)
    return Start(settings=settings, places=Places(data_dir=settings.desk.data_dir))


def from_defaults(
    data_dir: Path | None,
    *,
    ports: Ports = USUAL_PORTS,
    speed: str = "1",
    environment: Mapping[str, str] = os.environ,
) -> Start:
    """Return the built-in configuration on a data folder; makes the folder and its tokens."""
    places = Places(data_dir=(data_dir or default_data_dir(environment)).absolute())
    places.make()
    made = default_configuration(places, environment, ports, speed=speed)
    settings = understand(
        made.table, environment, source="the built-in configuration", folder=places.data_dir
    )
    return Start(settings=settings, places=places)


def run(start: Start, on_ready: Callable[[SupervisorState], None]) -> None:
    """Run the system until a signal ends it.

    Raises:
        AlreadyRunningError: if a supervisor works on the data folder.
        CannotStartError: if an address is taken or a file is missing.
        StartError: if a program does not come up.
    """
    places, settings = start.places, start.settings
    places.make()
    with SupervisorLock(places.lock_file):
        try:
            programs = plan(settings, places)
            addresses = [drydock_address(section) for section in settings.drydock]
        except PlanError as error:
            raise CannotStartError(str(error)) from error
        addresses.append((settings.desk.host, settings.desk.port))
        if busy := busy_ports(addresses):
            raise CannotStartError(f"taken by another program: {', '.join(busy)}")
        save_resolved(settings, places.settings_file)
        ensure_cli_key(settings, places)
        asyncio.run(Supervisor(programs, places, _describe(start)).run(on_ready))


def ensure_cli_key(settings: Settings, places: Places) -> None:
    """Make the key of commands on this machine, once; one that was revoked is not made again."""
    file = settings.desk.keys_file or places.keys_file
    if any(key.id == CLI_KEY for key in list_keys(file)):
        return
    token = create_key(file, key_id=CLI_KEY, scopes=tuple(Scope), now_ns=time.time_ns())
    write_private(places.cli_token, token.text + "\n")


def _describe(start: Start) -> SupervisorState:
    settings = start.settings
    return SupervisorState(
        pid=os.getpid(),
        started_ns=time.time_ns(),
        data_dir=str(start.places.data_dir),
        url=start.url,
        database="embedded" if settings.database.url is None else "external",
        market={
            section.name: str(drydock_table(section).get("feed", {}).get("kind", "unknown"))
            for section in settings.drydock
        },
        accounts={
            section.account: f"{section.venue} ({section.driver}, "
            f"{'simulated' if section.driver in SIMULATED_DRIVERS else 'LIVE'})"
            for section in settings.accounts
        },
        processes={},
    )
