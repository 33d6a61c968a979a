"""From settings to the programs that carry them out, in the order in which they need each other.

Stage 0 is what everything stands on (the embedded database, simulated venues), then the gateways,
then the desk.
"""

import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from quarterdeck.app.child import Program
from quarterdeck.app.places import Places, write_private
from quarterdeck.app.readiness import answers, file_exists, holds_lock
from quarterdeck.app.settings import AccountSection, DrydockSection, Settings
from quarterdeck.app.toml_text import to_toml

GROUND, GATEWAYS, DESK = range(3)
POSTGRES_STOP_S: Final = 70.0
"""Longer than its server's own clean and immediate shutdown together."""
DRYDOCK_PORT: Final = 7301
"""drydock's own default."""


class PlanError(Exception):
    """The settings cannot be carried out on this machine; the text says which and why."""


def plan(settings: Settings, places: Places) -> list[Program]:
    """Return every program to run, and write the files that they read.

    Raises:
        PlanError: if a simulated venue's own file cannot be read.
    """
    programs = []
    if settings.database.url is None:
        programs.append(_postgres(places))
    programs += [_drydock(section, places) for section in settings.drydock]
    socket_dir = places.socket_dir(section.account for section in settings.accounts)
    programs += [_gateway(section, places, socket_dir) for section in settings.accounts]
    programs.append(_desk(settings, places))
    return programs


def drydock_address(section: DrydockSection) -> tuple[str, int]:
    """Return where a simulated venue listens."""
    table = drydock_table(section)
    return str(table.get("host", "127.0.0.1")), int(table.get("port", DRYDOCK_PORT))


def drydock_table(section: DrydockSection) -> dict[str, Any]:
    """Return a simulated venue's own configuration, as far as it is readable.

    Raises:
        PlanError: if its file cannot be read.
    """
    if section.inline is not None:
        return section.inline
    assert section.config is not None
    try:
        text = section.config.read_text(encoding="utf-8")
        return tomllib.loads(text, parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"drydock {section.name}: {section.config}: {error}") from error


def _ours(*arguments: str, places: Places) -> tuple[str, ...]:
    config = ("--config", str(places.settings_file))
    return (sys.executable, "-m", "quarterdeck.app.cli", *arguments, *config)


def _postgres(places: Places) -> Program:
    return Program(
        name="postgres",
        command=_ours("postgres", places=places),
        ready=file_exists(places.dsn_file),
        stage=GROUND,
        removed_first=(places.dsn_file,),
        stop_s=POSTGRES_STOP_S,
    )


def _drydock(section: DrydockSection, places: Places) -> Program:
    config = section.config
    if section.inline is not None:
        config = places.run / f"drydock-{section.name}.toml"
        journal = str(places.drydock / f"{section.name}.journal")
        write_private(config, to_toml({"journal": journal, **section.inline}))
    host, port = drydock_address(section)
    return Program(
        name=f"drydock-{section.name}",
        command=(sys.executable, "-m", "drydock", "serve", str(config)),
        ready=answers(host, port, "/health"),
        stage=GROUND,
    )


def _gateway(section: AccountSection, places: Places, socket_dir: Path) -> Program:
    return Program(
        name=f"gateway-{section.account}",
        command=_ours("gateway", "--account", section.account, places=places),
        ready=holds_lock(
            socket_dir / f"gateway-{section.account}.lock",
            socket_dir / f"{section.account}.commands",
        ),
        stage=GATEWAYS,
    )


def _desk(settings: Settings, places: Places) -> Program:
    desk = settings.desk
    return Program(
        name="desk",
        command=_ours("desk", places=places),
        ready=answers(desk.host, desk.port, "/healthz", tls=desk.tls_cert is not None),
        stage=DESK,
    )
