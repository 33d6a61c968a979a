"""How this system connects to PostgreSQL: one driver, one set of session settings.

Prepared statements are kept as long as the connection, so that none is prepared again. Keepalives
make a server on another machine notice within seconds that we are gone, which is when it gives up
our advisory lock; on a unix socket they have no effect.
"""

from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    type Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    type Connection = asyncpg.Connection

SESSION: Final = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "jit": "off",
    # Plans are kept, and often made while the tables are still empty, when reading all of a table
    # looks cheapest; an hour later that plan reads a million rows for one id.
    "enable_seqscan": "off",
    "timezone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


async def connect(dsn: str, *, application: str, timeout_s: float = 30.0) -> Connection:
    """Open a connection.

    Args:
        dsn: a PostgreSQL URL.
        application: what the server calls this connection in `pg_stat_activity`.
        timeout_s: for the connection, not for what is run on it.

    Raises:
        asyncpg.PostgresError: if the server refuses us.
        OSError: if it cannot be reached.
    """
    return await asyncpg.connect(
        dsn,
        timeout=timeout_s,
        max_cached_statement_lifetime=0,
        server_settings={**SESSION, "application_name": application},
    )
