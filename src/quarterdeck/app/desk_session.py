"""Opens the desk's hold of the database, again and again over its life.

Before the first session the schema is brought to this version's. A lease that another process holds
is waited for, with that process named in the log; one that was lost to another process ends this
one at once.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog

from quarterdeck.app.places import Places
from quarterdeck.app.settings import Settings
from quarterdeck.ports import Clock
from quarterdeck.store import schema, session
from quarterdeck.store.connection import connect
from quarterdeck.store.session import UNAVAILABLE, StoreSession, StoreUnavailable

EXIT_FENCE_LOST: Final = 76
"""Another process is the desk."""
RETRY_S: Final = 0.1
NOTED_EVERY_NS: Final = 5_000_000_000

log = structlog.get_logger("quarterdeck.desk")


class SessionOpener:
    """Opens sessions for one desk process.

    Args:
        settings: where the database is, and which desk this is.
        places: where the embedded database says how to reach it.
        clock: the wall clock.
        holder: how others will name this process.
    """

    def __init__(self, settings: Settings, places: Places, clock: Clock, holder: str) -> None:
        self._settings = settings
        self._places = places
        self._clock = clock
        self._holder = holder
        self._session: StoreSession | None = None
        self._upgraded = False
        self._noted_ns = 0
        self._noted = ""

    async def open(self, failed: Callable[[str], None]) -> StoreSession:
        """Open a session, however long that takes.

        Args:
            failed: told once when the session's journal cannot be written any more.

        Raises:
            UnknownRevisionError: if the database belongs to a newer version.
        """
        dsn = await self._usable_dsn()
        settings = session.Settings(dsn=dsn, desk_id=self._settings.desk.id, holder=self._holder)
        events = session.Events(failed=failed, fence_lost=_end, waiting=self._waiting)
        self._session = await session.open_session(settings, self._clock, events)
        return self._session

    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Return the present session's connections for reading.

        Raises:
            StoreUnavailable: before the first session.
        """
        if self._session is None:
            raise StoreUnavailable("the desk has no session yet")
        return self._session.pool

    async def _usable_dsn(self) -> str:
        """Wait for the database, and upgrade its schema once."""
        while True:
            dsn = self._dsn()
            if dsn is None:
                self._waiting("the embedded database does not run")
            else:
                try:
                    await self._upgrade(dsn)
                except UNAVAILABLE as error:
                    self._waiting(f"the database is not available: {error!r}")
                else:
                    return dsn
            await asyncio.sleep(RETRY_S)

    async def _upgrade(self, dsn: str) -> None:
        if self._upgraded:
            return
        connection = await connect(dsn, application="quarterdeck-schema")
        try:
            state = await schema.check(connection)
        finally:
            await connection.close()
        if not state.matches:
            log.info("schema_upgrade", current=state.current, expected=state.expected)
            await schema.upgrade(dsn)
        self._upgraded = True

    def _dsn(self) -> str | None:
        url = self._settings.database.url
        if url is not None:
            return url.get_secret_value()
        try:
            return self._places.dsn_file.read_text(encoding="utf-8").strip()
        except OSError:
            return None

    def _waiting(self, why: str) -> None:
        """Say what is waited for: at once when it is new, then now and again."""
        now_ns = self._clock.now_ns()
        if why != self._noted or now_ns - self._noted_ns >= NOTED_EVERY_NS:
            self._noted, self._noted_ns = why, now_ns
            log.warning("waiting", why=why)


def _end(why: str) -> None:
    """End without another word to anybody: this process may not act any more."""
    sys.stderr.write(f"desk: the lease is lost, this process ends: {why}\n")
    sys.stderr.flush()
    os._exit(EXIT_FENCE_LOST)
