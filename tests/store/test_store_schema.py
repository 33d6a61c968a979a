"""The schema: upgrades are idempotent, guarded, and keep the journal append-only."""

import asyncio

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.postgres import SessionPostgres
from tests.store.entries import DESK, Chain

from quarterdeck.store import lease, schema
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.rows import merge
from quarterdeck.store.writer import write_batch

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty_dsn(postgres: SessionPostgres):
    postgres._run("CREATE DATABASE without_schema")
    yield postgres.dsn_of("without_schema")
    postgres._run("DROP DATABASE without_schema WITH (FORCE)")


def test_the_expected_revision_is_the_newest_one():
    config = Config()
    config.set_main_option("script_location", "quarterdeck.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.EXPECTED_REVISION


async def test_upgrades_at_once_make_one_schema_and_another_changes_nothing(empty_dsn: str):
    connection = await connect(empty_dsn, application="tests")
    before = await schema.check(connection)
    assert (before.current, before.matches) == (None, False)
    states = await asyncio.gather(*(schema.upgrade(empty_dsn) for _ in range(3)))
    assert all(state.matches for state in states)
    assert (await schema.check(connection)).matches
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()


async def test_a_database_of_a_newer_version_is_left_alone(empty_dsn: str):
    await schema.upgrade(empty_dsn)
    connection = await connect(empty_dsn, application="tests")
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert not (await schema.check(connection)).matches
    with pytest.raises(schema.UnknownRevisionError, match=r"'9999'.*newer version"):
        await schema.upgrade(empty_dsn)
    assert (await schema.check(connection)).current == "9999"
    await connection.close()


@pytest.mark.parametrize("table", ["journal", "fills"])
@pytest.mark.parametrize("change", ["UPDATE {} SET seq = 7", "DELETE FROM {}", "TRUNCATE {}"])
async def test_facts_cannot_be_changed(connection: Connection, table: str, change: str):
    epoch = await lease.take(connection, DESK, "test", 1)
    assert isinstance(epoch, int)
    await write_batch(connection, DESK, epoch, merge([Chain(epoch=epoch).order()]))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"{table} is append-only"):
        await connection.execute(change.format(table))
    assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE seq = 1") == 1
