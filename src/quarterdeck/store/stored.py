"""Everything that the tables keep, value by value, for a comparison with the journal."""

from collections.abc import AsyncGenerator

import msgspec

from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.store import documents
from quarterdeck.store.connection import Connection
from quarterdeck.store.memory import Switches, stored_orders
from quarterdeck.store.records import rows, select
from quarterdeck.store.recovery import load_orders
from quarterdeck.store.rows import HoldingRow, PositionRow, SingletonRow

PAGE = 1_000
ORDER_IDS = """
SELECT operation_id FROM parents WHERE desk_id = $1 AND operation_id > $2
ORDER BY operation_id LIMIT $3
"""
KINDS = {"account": AccountState, "instrument": Instrument, "switches": Switches}


async def stored_values(connection: Connection, desk_id: str) -> AsyncGenerator[tuple[str, object]]:
    """Yield (name, value) of every order, child, position, holding and singleton of a desk.

    The names are those of `desk.verify.named_values`.
    """
    last = ""
    while ids := [r[0] for r in await connection.fetch(ORDER_IDS, desk_id, last, PAGE)]:
        for parent, children in stored_orders(await load_orders(connection, ids)):
            yield f"parent {parent.id}", parent
            for child in children:
                yield f"child {child.client_order_id}", child
        last = ids[-1]
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
