"""The whole proof of a journal, read in one snapshot of the database.

First the chain: no row is missing or changed. Then the story: folding every row from empty leads to
exactly what the tables hold. It runs beside a working desk and disturbs nothing.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from quarterdeck.desk.verify import FoldVerdict, compare, fold
from quarterdeck.store import verify as chain
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.journal import stream
from quarterdeck.store.stored import stored_values


class JournalReport(Struct, frozen=True, kw_only=True):
    """What was found."""

    desk_id: str
    chain: chain.Verdict
    tables: FoldVerdict | None
    """None when the chain is broken: what its rows lead to means nothing then."""

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.chain.ok and self.tables is not None and self.tables.ok


async def check_journal(dsn: str, desk_id: str) -> JournalReport:
    """Check a desk's journal.

    Raises:
        OSError: if the database cannot be reached.
        asyncpg.PostgresError: if it refuses us.
    """
    connection = await connect(dsn, application="quarterdeck-verify")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            verdict = await chain.verify(connection, desk_id)
            tables = await _tables(connection, desk_id) if verdict.ok else None
    finally:
        await connection.close()
    return JournalReport(desk_id=desk_id, chain=verdict, tables=tables)


async def _tables(connection: Connection, desk_id: str) -> FoldVerdict:
    async with aclosing(_rows(connection, desk_id)) as rows:
        folded = await fold(rows)
    async with aclosing(stored_values(connection, desk_id)) as stored:
        return await compare(folded, stored)


async def _rows(connection: Connection, desk_id: str) -> AsyncGenerator[tuple[int, str]]:
    async with aclosing(stream(connection, desk_id)) as rows:
        async for row in rows:
            yield row.at_ns, row.body
