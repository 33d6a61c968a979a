"""Fixtures for every test: the session's PostgreSQL, an empty database, and hypothesis without
a clock, since a busy machine must not fail a property.
"""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import SessionPostgres, start_session_postgres

from quarterdeck.store.connection import Connection, connect

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("ci"), max_examples=5_000)
settings.load_profile(os.environ.get("QUARTERDECK_HYPOTHESIS", "ci"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionPostgres]:
    session = start_session_postgres(tmp_path_factory)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def database(postgres: SessionPostgres) -> Iterator[str]:
    made = postgres.new_database()
    yield made
    postgres.drop_database(made)


@pytest.fixture
def dsn(postgres: SessionPostgres, database: str) -> str:
    postgres.empty_database(database)
    return database


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[Connection]:
    opened = await connect(dsn, application="tests")
    yield opened
    opened.terminate()
