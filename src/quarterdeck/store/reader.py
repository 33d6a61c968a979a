"""The queries behind the API: pages of orders, and what belongs to one of them.

Pages go backwards in time from a mark, never by counting rows from the start, so that a page costs
the same however deep it is and new orders do not shift it.
"""

from typing import Final

from quarterdeck.store.connection import Connection
from quarterdeck.store.records import rows, select
from quarterdeck.store.rows import ChildRow, FillRow, ParentRow

LIMIT_MAX: Final = 1_000


async def list_parents(
    connection: Connection,
    desk_id: str,
    *,
    live: bool | None = None,
    state: str | None = None,
    strategy_id: str | None = None,
    instrument: str | None = None,
    before_ns: int | None = None,
    before_id: str | None = None,
    limit: int = 100,
) -> list[ParentRow]:
    """Return a page of parent orders, newest first; a filter left out matches all.

    Args:
        connection: any.
        desk_id: whose orders.
        live: only orders that may still change, or only those that may not.
        state: only orders in this state.
        strategy_id: only orders of this strategy.
        instrument: only orders in this instrument.
        before_ns: only orders created before this time.
        before_id: with `before_ns`, the operation id the last page ended with: orders of the
            same nanosecond are then neither skipped nor repeated.
        limit: how many at most; between 1 and LIMIT_MAX.
    """
    values: list[object] = [desk_id]

    def parameter(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    conditions = ["desk_id = $1"]
    if live is not None:
        conditions.append("live" if live else "NOT live")
    equal = {"state": state, "strategy_id": strategy_id, "instrument": instrument}
    conditions += [
        f"{column} = {parameter(value)}" for column, value in equal.items() if value is not None
    ]
    if before_ns is not None:
        mark = f"({parameter(before_ns)}, {parameter(before_id or '')})"
        conditions.append(f"(created_ns, operation_id) < {mark}")
    size = parameter(max(1, min(limit, LIMIT_MAX)))
    matching = " AND ".join(conditions)
    newest = f"ORDER BY created_ns DESC, operation_id DESC LIMIT {size}"
    query = select(ParentRow, f"FROM parents WHERE {matching} {newest}")
    return rows(ParentRow, await connection.fetch(query, *values))


async def parent_of(connection: Connection, operation_id: str) -> ParentRow | None:
    """Return one parent order, or None when the id was never used."""
    query = select(ParentRow, "FROM parents WHERE operation_id = $1")
    found = rows(ParentRow, await connection.fetch(query, operation_id))
    return found[0] if found else None


async def children_of(connection: Connection, operation_id: str) -> list[ChildRow]:
    """Return the children of an order by their number."""
    query = select(ChildRow, "FROM children WHERE operation_id = $1 ORDER BY child_no")
    return rows(ChildRow, await connection.fetch(query, operation_id))


async def fills_of(connection: Connection, operation_id: str) -> list[FillRow]:
    """Return the fills of an order in the order they were booked."""
    query = select(FillRow, "FROM fills WHERE operation_id = $1 ORDER BY seq, at_ns, trade_id")
    return rows(FillRow, await connection.fetch(query, operation_id))


async def list_fills(
    connection: Connection,
    desk_id: str,
    *,
    account: str,
    after_ns: int = 0,
    limit: int = 500,
) -> list[FillRow]:
    """Return an account's fills from the venue time `after_ns` on, oldest first."""
    query = select(
        FillRow,
        "FROM fills WHERE desk_id = $1 AND account = $2 AND at_ns >= $3 "
        "ORDER BY at_ns, trade_id LIMIT $4",
    )
    size = max(1, min(limit, LIMIT_MAX))
    return rows(FillRow, await connection.fetch(query, desk_id, account, after_ns, size))
