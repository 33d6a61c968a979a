"""Brings a database to the schema this version of the code expects, and says whether it is there.

Alembic writes the SQL from the revision the database is at; asyncpg runs it in one transaction
under an advisory lock, so that a crash leaves the old schema whole and two starts do not collide.
"""

import asyncio
import io
from importlib.resources import as_file, files
from typing import Final

from msgspec import Struct

from quarterdeck.store.connection import Connection, connect

EXPECTED_REVISION: Final = "0001"
"""The newest revision in `migrations/versions`; a constant, so that a start needs no Alembic."""
UPGRADE_LOCK: Final = 0x71645F736368656D  # "qd_schem"


class SchemaState(Struct, frozen=True, kw_only=True):
    """Which revision the database is at, and which one this code needs."""

    current: str | None
    """None for an empty database."""
    expected: str

    @property
    def matches(self) -> bool:
        """Whether this code may run on the database."""
        return self.current == self.expected


class UnknownRevisionError(Exception):
    """The database is at a revision this code does not have: it was upgraded by a newer one."""


async def check(connection: Connection) -> SchemaState:
    """Return the database's revision beside the expected one."""
    return SchemaState(current=await _current(connection), expected=EXPECTED_REVISION)


async def upgrade(dsn: str) -> SchemaState:
    """Bring the database to the expected revision and return where it is then.

    Raises:
        UnknownRevisionError: if the database is newer than this code. It is left as it is.
    """
    connection = await connect(dsn, application="quarterdeck-schema")
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", UPGRADE_LOCK)
            current = await _current(connection)
            if current != EXPECTED_REVISION:
                await connection.execute(await asyncio.to_thread(_script, current))
        return await check(connection)
    finally:
        await connection.close()


async def _current(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def _script(current: str | None) -> str:
    """Return the SQL that leads from a revision to the expected one."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    with as_file(files("quarterdeck.store") / "migrations") as folder:
        output = io.StringIO()
        config = Config(output_buffer=output)
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        span = EXPECTED_REVISION if current is None else f"{current}:{EXPECTED_REVISION}"
        try:
            command.upgrade(config, span, sql=True)
        except CommandError as error:
            raise UnknownRevisionError(
                f"the database is at revision {current!r}, which this version does not know "
                f"(it needs {EXPECTED_REVISION!r}): run the newer version, or restore a backup"
            ) from error
    return output.getvalue()
