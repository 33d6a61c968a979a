"""Market views are kept for a time of their own; nothing else here is ever deleted."""

from typing import Final

from quarterdeck.store.connection import Connection

PURGE: Final = """
DELETE FROM market_views WHERE hash IN (
    SELECT hash FROM market_views WHERE stored_ns < $1 LIMIT $2
)
"""


async def purge_views(connection: Connection, *, before_ns: int, limit: int = 10_000) -> int:
    """Delete up to `limit` views stored before a time and return how many went.

    Call it again while it returns `limit`: small steps keep the writer from waiting.
    """
    done = await connection.execute(PURGE, before_ns, limit)
    return int(done.removeprefix("DELETE "))
