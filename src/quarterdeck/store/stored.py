"""Everything that the tables keep, value by value, for a comparison with the journal.

A row says things twice: in the columns that queries search and in the document that a restart
reads. Where the two disagree, the value is given as `Altered`, which equals nothing.
"""

from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.ports import Fill, Switches
from quarterdeck.store import documents
from quarterdeck.store.connection import Connection
from quarterdeck.store.memory import stored_orders
from quarterdeck.store.records import rows, select
from quarterdeck.store.recovery import load_orders
from quarterdeck.store.rows import FillRow, HoldingRow, PositionRow, SingletonRow

PAGE = 1_000
ORDER_IDS = """
SELECT operation_id FROM parents WHERE desk_id = $1 AND operation_id > $2
ORDER BY operation_id LIMIT $3
"""
FILLS = select(
    FillRow,
    """FROM fills WHERE desk_id = $1 AND (seq, account, instrument, trade_id) > ($2, $3, $4, $5)
    ORDER BY seq, account, instrument, trade_id LIMIT $6""",
)
KINDS = {"account": AccountState, "instrument": Instrument, "switches": Switches}


class Altered(Struct, frozen=True):
    """A row whose columns are not what its document says."""

    name: str


async def stored_values(connection: Connection, desk_id: str) -> AsyncGenerator[tuple[str, object]]:
    """Yield (name, value) of every order, child, fill, position, holding and singleton of a desk.

    The names are those of `desk.verify.named_values`. The connection must be in a transaction
    for the values to belong together.
    """
    last = ""
    while ids := [r[0] for r in await connection.fetch(ORDER_IDS, desk_id, last, PAGE)]:
        async for named in _orders(connection, ids):
            yield named
        last = ids[-1]
    async for named in _fills(connection, desk_id):
        yield named
    of_desk = "WHERE desk_id = $1"
    query = select(PositionRow, f"FROM positions {of_desk}")
    for row in rows(PositionRow, await connection.fetch(query, desk_id)):
        yield f"position {row.account} {row.instrument}", documents.position_of(row)[1]
    query = select(HoldingRow, f"FROM holdings {of_desk}")
    for holding in rows(HoldingRow, await connection.fetch(query, desk_id)):
        yield f"holding {holding.account} {holding.asset}", documents.holding_of(holding)[1]
    query = select(SingletonRow, f"FROM singletons {of_desk}")
    for single in rows(SingletonRow, await connection.fetch(query, desk_id)):
        kind = KINDS[single.name.partition(":")[0]]
        yield f"singleton {single.name}", msgspec.json.decode(single.doc, type=kind)


async def _orders(connection: Connection, ids: list[str]) -> AsyncGenerator[tuple[str, object]]:
    orders = await load_orders(connection, ids)
    parents = {row.operation_id: row for row in orders.parents}
    children = {row.client_order_id: row for row in orders.children}
    for parent, its_children in stored_orders(orders):
        row = parents[parent.id]
        same = row == documents.parent_row(parent, row.seq)
        yield f"parent {parent.id}", parent if same else Altered(parent.id)
        for child in its_children:
            name = child.client_order_id
            same = children[name] == documents.child_row(child, children[name].seq)
            yield f"child {name}", child if same else Altered(name)


async def _fills(connection: Connection, desk_id: str) -> AsyncGenerator[tuple[str, object]]:
    last: tuple[int, str, str, str] = (0, "", "", "")
    while page := rows(FillRow, await connection.fetch(FILLS, desk_id, *last, PAGE)):
        for row in page:
            trade = documents.trade_of(row)
            same = row == documents.fill_row(
                Fill(trade=trade, operation_id=row.operation_id), row.seq
            )
            name = f"fill {row.account} {row.instrument} {row.trade_id}"
            yield name, trade if same else Altered(name)
        last = (page[-1].seq, page[-1].account, page[-1].instrument, page[-1].trade_id)
