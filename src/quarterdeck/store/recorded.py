"""A journal together with the market views that its rows name, for those who decide it again.

Rows are streamed, the views of each stretch of them are fetched beside the stream: memory stays the
same however long the journal is.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.core.model.account import AccountState
from quarterdeck.store.connection import Connection
from quarterdeck.store.journal import PREFETCH_ROWS, stream
from quarterdeck.store.recovery import load_views
from quarterdeck.store.rows import JournalRow

ACCOUNTS: Final = "SELECT doc FROM singletons WHERE desk_id = $1 AND starts_with(name, 'account:')"

type Views = tuple[tuple[str, bytes | None], ...]
"""Hash in hexadecimal and canonical bytes of each view; None for one that is no longer kept."""


class _Named(Struct):
    """The one part of a row's body that has to be understood here."""

    views: tuple[str, ...] = ()


_named: Final = msgspec.json.Decoder(_Named)
_account: Final = msgspec.json.Decoder(AccountState)


async def recorded_rows(
    connection: Connection, desk_id: str
) -> AsyncGenerator[tuple[JournalRow, Views]]:
    """Yield every row of a journal in order, with the views it names.

    The connection must be in a transaction for rows and views to belong together; it is busy
    until the iterator is exhausted or closed.

    Raises:
        msgspec.MsgspecError: if a row's body is no JSON.
    """
    waiting: list[tuple[JournalRow, tuple[str, ...]]] = []
    async with aclosing(stream(connection, desk_id)) as rows:
        async for row in rows:
            waiting.append((row, _named.decode(row.body).views))
            if len(waiting) == PREFETCH_ROWS:
                for ready in await _with_views(connection, waiting):
                    yield ready
                waiting.clear()
    for ready in await _with_views(connection, waiting):
        yield ready


async def only_simulated(connection: Connection, desk_id: str) -> bool:
    """Tell whether no account that the desk ever knew could move real money."""
    found = await connection.fetch(ACCOUNTS, desk_id)
    return all(_account.decode(record[0]).capabilities.simulated for record in found)


async def _with_views(
    connection: Connection, waiting: list[tuple[JournalRow, tuple[str, ...]]]
) -> list[tuple[JournalRow, Views]]:
    named = sorted({bytes.fromhex(name) for _, names in waiting for name in names})
    kept = await load_views(connection, named) if named else {}
    bodies = {name.hex(): row.body.encode() for name, row in kept.items()}
    return [(row, tuple((name, bodies.get(name)) for name in names)) for row, names in waiting]
