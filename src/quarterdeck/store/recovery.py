"""What a desk loads: everything live at a start, and older things when an input names them.

All of one load is read in one transaction, so its parts belong to the same journal row.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from quarterdeck.store import journal
from quarterdeck.store.connection import Connection
from quarterdeck.store.records import rows, select
from quarterdeck.store.rows import (
    ChildRow,
    HoldingRow,
    ParentRow,
    PositionRow,
    SingletonRow,
    ViewRow,
)

# A child can be live under a parent that is not: a venue may still fill what we gave up on.
LIVE_IDS: Final = """
SELECT operation_id FROM parents WHERE live AND desk_id = $1
UNION
SELECT c.operation_id FROM children c JOIN parents p USING (operation_id)
WHERE c.live AND p.desk_id = $1
"""
PARENTS: Final = select(ParentRow, "FROM parents WHERE operation_id = ANY($1) ORDER BY seq")
CHILDREN: Final = select(
    ChildRow, "FROM children WHERE operation_id = ANY($1) ORDER BY operation_id, child_no"
)
POSITIONS: Final = select(PositionRow, "FROM positions WHERE desk_id = $1")
HOLDINGS: Final = select(HoldingRow, "FROM holdings WHERE desk_id = $1")
SINGLETONS: Final = select(SingletonRow, "FROM singletons WHERE desk_id = $1")
VIEWS: Final = select(ViewRow, "FROM market_views WHERE hash = ANY($1)")
TRADES: Final = """
SELECT f.account, f.instrument, f.trade_id, f.operation_id, f.client_order_id
FROM fills f WHERE f.operation_id = ANY($1) ORDER BY f.seq
"""
KNOWN_TRADES: Final = """
SELECT trade_id FROM fills WHERE account = $1 AND instrument = $2 AND trade_id = ANY($3)
"""
PARENTS_OF_CHILDREN: Final = """
SELECT DISTINCT operation_id FROM children WHERE client_order_id = ANY($1)
"""


class Trade(Struct, frozen=True, kw_only=True):
    """A fill that is already booked, by its name."""

    account: str
    instrument: str
    trade_id: str
    operation_id: str
    client_order_id: str | None


class Orders(Struct, frozen=True, kw_only=True):
    """Parent orders with all that belongs to them."""

    parents: list[ParentRow]
    children: list[ChildRow]
    """Every child of these parents, finished ones too."""
    trades: list[Trade]
    """Every booked fill of these parents."""


class LiveState(Struct, frozen=True, kw_only=True):
    """What a desk starts from."""

    seq: int
    """The last journal row; 0 for a new desk."""
    head_hash: bytes
    orders: Orders
    """The live parents, and the parents of live children."""
    positions: list[PositionRow]
    holdings: list[HoldingRow]
    singletons: list[SingletonRow]


async def load_live(connection: Connection, desk_id: str) -> LiveState:
    """Return what is live at the end of the journal."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        seq, head_hash = await journal.head(connection, desk_id)
        ids = [record[0] for record in await connection.fetch(LIVE_IDS, desk_id)]
        return LiveState(
            seq=seq,
            head_hash=head_hash,
            orders=await _orders(connection, ids),
            positions=rows(PositionRow, await connection.fetch(POSITIONS, desk_id)),
            holdings=rows(HoldingRow, await connection.fetch(HOLDINGS, desk_id)),
            singletons=rows(SingletonRow, await connection.fetch(SINGLETONS, desk_id)),
        )


async def load_orders(connection: Connection, operation_ids: Sequence[str]) -> Orders:
    """Return the orders of these ids that exist, live or not."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await _orders(connection, list(operation_ids))


async def load_by_client_order_ids(connection: Connection, ids: Sequence[str]) -> Orders:
    """Return the parents of these children that exist, with all their children."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await connection.fetch(PARENTS_OF_CHILDREN, list(ids))
        return await _orders(connection, [record[0] for record in found])


async def known_trades(
    connection: Connection, account: str, instrument: str, trade_ids: Sequence[str]
) -> frozenset[str]:
    """Return those of the trade ids that are booked, under whatever order."""
    found = await connection.fetch(KNOWN_TRADES, account, instrument, list(trade_ids))
    return frozenset(record[0] for record in found)


async def load_views(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, ViewRow]:
    """Return the market views that are still kept, by hash."""
    found = await connection.fetch(VIEWS, list(hashes))
    return {row.hash: row for row in rows(ViewRow, found)}


async def _orders(connection: Connection, ids: list[str]) -> Orders:
    if not ids:
        return Orders(parents=[], children=[], trades=[])
    return Orders(
        parents=rows(ParentRow, await connection.fetch(PARENTS, ids)),
        children=rows(ChildRow, await connection.fetch(CHILDREN, ids)),
        trades=rows(Trade, await connection.fetch(TRADES, ids)),
    )
