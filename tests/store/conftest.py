"""Fixtures of the store: the session's server, a database per test, a connection, a data folder."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.postgres import SessionPostgres, make_data_dir, start_session_postgres

from quarterdeck.store.connection import Connection, connect


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


@pytest.fixture
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_data_dir(tmp_path_factory)
    yield folder / "pg"
    shutil.rmtree(folder)
