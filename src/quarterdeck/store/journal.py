"""Reads the journal: all of it in order, or the rows that are about one order.

A whole journal is streamed through a server-side cursor, so memory stays the same however long it
is; the rows of one order come a page at a time.
"""

from collections.abc import AsyncGenerator
from typing import Final

import asyncpg

from quarterdeck.store.chain import GENESIS
from quarterdeck.store.connection import Connection
from quarterdeck.store.rows import JournalRow

PREFETCH_ROWS: Final = 500
STREAM: Final = """
SELECT seq, epoch, at_ns, kind, body, prev_hash, hash
FROM journal WHERE desk_id = $1 AND seq > $2 ORDER BY seq
"""
OF_ORDER: Final = """
SELECT j.seq, j.epoch, j.at_ns, j.kind, j.body, j.prev_hash, j.hash
FROM journal_refs r JOIN journal j ON j.desk_id = r.desk_id AND j.seq = r.seq
WHERE r.operation_id = $2 AND r.desk_id = $1 AND r.seq > $3 ORDER BY r.seq LIMIT $4
"""
HEAD: Final = "SELECT seq, hash FROM journal WHERE desk_id = $1 ORDER BY seq DESC LIMIT 1"


async def head(connection: Connection, desk_id: str) -> tuple[int, bytes]:
    """Return the last row's seq and hash: (0, GENESIS) when the journal is empty."""
    row = await connection.fetchrow(HEAD, desk_id)
    return (row["seq"], row["hash"]) if row is not None else (0, GENESIS)


async def stream(
    connection: Connection, desk_id: str, *, after_seq: int = 0
) -> AsyncGenerator[JournalRow]:
    """Yield the rows after `after_seq` in order, as they stand when the stream begins.

    `refs` is left empty. The connection is busy until the iterator is exhausted or closed.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = connection.cursor(STREAM, desk_id, after_seq, prefetch=PREFETCH_ROWS)
        async for record in cursor:
            yield _row(record)


async def journal_of(
    connection: Connection, desk_id: str, operation_id: str, *, after_seq: int = 0, limit: int = 500
) -> list[JournalRow]:
    """Return up to `limit` rows about one order after `after_seq`, oldest first."""
    records = await connection.fetch(OF_ORDER, desk_id, operation_id, after_seq, limit)
    return [_row(record) for record in records]


def _row(record: asyncpg.Record) -> JournalRow:
    seq, epoch, at_ns, kind, body, prev_hash, hash_ = record
    return JournalRow(
        seq=seq,
        epoch=epoch,
        at_ns=at_ns,
        kind=kind,
        body=body,
        prev_hash=prev_hash,
        hash=hash_,
    )
