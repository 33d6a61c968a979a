"""One real PostgreSQL for a whole test session, and an empty database for each test.

The schema is built once; each database is a copy of it. Emptying one costs a tenth of making one,
so a test module has one database and empties it between its tests. As root the server runs under
another account, which cannot pass pytest's own folders: the data gets a folder of its own then.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from quarterdeck.store import schema
from quarterdeck.store.connection import connect
from quarterdeck.store.embedded import EmbeddedPostgres

TEMPLATE = "quarterdeck_template"
EMPTY = """
SET session_replication_role = replica;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
TRUNCATE lease, journal, journal_refs, market_views, parents, children, fills, positions,
    holdings, singletons
"""


def make_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new empty folder that the server's account can reach; the caller removes it."""
    if os.geteuid() != 0:
        return tmp_path_factory.mktemp("postgres")
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-test-"))
    folder.chmod(0o755)
    return folder


class SessionPostgres:
    """A running server; `stop` ends it and removes its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = (f"test_{number}" for number in itertools.count(1))
        # Without fsync a killed server still loses nothing, only a killed machine would.
        self.server = EmbeddedPostgres(folder / "pg", settings={"fsync": "off"})
        self.dsn = self.server.start()
        self._run(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(schema.upgrade(self.dsn_of(TEMPLATE)))

    def dsn_of(self, database: str) -> str:
        head, _, query = self.dsn.partition("?")
        return f"{head.rpartition('/')[0]}/{database}?{query}"

    def new_database(self) -> str:
        """Return the DSN of a database with the newest schema and no rows."""
        name = next(self._names)
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.dsn_of(name)

    def empty_database(self, dsn: str) -> None:
        """End every session of a database and remove all rows, the append-only ones too."""
        self._run(EMPTY, dsn)

    def drop_database(self, dsn: str) -> None:
        name = dsn.partition("?")[0].rpartition("/")[2]
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self.server.stop()
        shutil.rmtree(self._folder)

    def _run(self, sql: str, dsn: str | None = None) -> None:
        async def run() -> None:
            connection = await connect(dsn or self.dsn, application="tests")
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        asyncio.run(run())


def start_session_postgres(tmp_path_factory: pytest.TempPathFactory) -> SessionPostgres:
    """Start a server for this test session."""
    return SessionPostgres(make_data_dir(tmp_path_factory))
