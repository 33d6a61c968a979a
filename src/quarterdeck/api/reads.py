"""What the API reads of orders from the durable record: the port, and the same over PostgreSQL.

Reads come from what is committed, not from the desk's memory, which may be ahead of the disk: a
caller is never shown a state that a crash could take back.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final, Protocol

import asyncpg
import msgspec
from msgspec import Meta, Struct

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.store import documents, reader
from quarterdeck.store.connection import Connection
from quarterdeck.store.journal import journal_of
from quarterdeck.store.recovery import load_views
from quarterdeck.store.rows import JournalRow
from quarterdeck.store.session import UNAVAILABLE, StoreUnavailable

PAGE_MAX: Final = 500
TIMELINE_ROWS_MAX: Final = 2_000
"""Of an order with a longer story the oldest rows are shown."""


class OrderQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which orders to list, newest first; a filter left out matches all."""

    live: bool | None = None
    """Only orders that may still change (true), or only those that may not."""
    state: ParentStatus | None = None
    strategy_id: Annotated[str, Meta(max_length=64)] | None = None
    instrument: Annotated[str, Meta(max_length=128)] | None = None
    """Canonical id."""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100
    before_ns: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    """Only orders created before this time."""
    before_id: Annotated[str, Meta(max_length=64)] | None = None
    """With `before_ns`: the last order of the page before, as `next` of that page says."""


class OrderRecord(Struct, frozen=True, kw_only=True):
    """One order with everything that belongs to it."""

    parent: ParentOrder
    children: tuple[ChildOrder, ...]
    fills: tuple[Trade, ...]
    journal: tuple[JournalRow, ...]
    """The rows that speak of it, oldest first."""


class OrderReads(Protocol):
    """Where orders are read. Every call raises OSError when the record cannot be read now."""

    async def parent(self, operation_id: str) -> ParentOrder | None:
        """Return one order, or None when the id was never used."""
        ...

    async def order(self, operation_id: str) -> OrderRecord | None:
        """Return one order with its children, fills and story."""
        ...

    async def orders(self, query: OrderQuery) -> list[ParentOrder]:
        """Return a page of orders."""
        ...

    async def view(self, name: bytes) -> MarketView | None:
        """Return the book that is kept under a hash, or None: it may have been purged."""
        ...


_view: Final = msgspec.json.Decoder(MarketView)
_trade: Final = msgspec.json.Decoder(Trade)


class StoredReads:
    """`OrderReads` over the tables of one desk."""

    def __init__(
        self, pool: "Callable[[], asyncpg.Pool[asyncpg.Record]]", *, desk_id: str, within_s: float
    ) -> None:
        """Read through whatever pool the present session has.

        Args:
            pool: returns it; a session that ended takes its pool with it.
            desk_id: whose orders.
            within_s: for one call; longer counts as a database that cannot be read.
        """
        self._pool = pool
        self._desk_id = desk_id
        self._within_s = within_s

    async def parent(self, operation_id: str) -> ParentOrder | None:
        """See `OrderReads.parent`."""
        async with self._reading() as connection:
            row = await reader.parent_of(connection, operation_id)
        return documents.parent_of(row) if row is not None else None

    async def order(self, operation_id: str) -> OrderRecord | None:
        """See `OrderReads.order`; all parts are of the same instant."""
        async with (
            self._reading() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            parent = await reader.parent_of(connection, operation_id)
            if parent is None:
                return None
            children = await reader.children_of(connection, operation_id)
            fills = await reader.fills_of(connection, operation_id)
            journal = await journal_of(
                connection, self._desk_id, operation_id, limit=TIMELINE_ROWS_MAX
            )
        return OrderRecord(
            parent=documents.parent_of(parent),
            children=tuple(documents.child_of(row, ()) for row in children),
            fills=tuple(_trade.decode(row.doc) for row in fills),
            journal=tuple(journal),
        )

    async def orders(self, query: OrderQuery) -> list[ParentOrder]:
        """See `OrderReads.orders`."""
        async with self._reading() as connection:
            rows = await reader.list_parents(
                connection,
                self._desk_id,
                live=query.live,
                state=query.state,
                strategy_id=query.strategy_id,
                instrument=query.instrument,
                before_ns=query.before_ns,
                before_id=query.before_id,
                limit=query.limit,
            )
        return [documents.parent_of(row) for row in rows]

    async def view(self, name: bytes) -> MarketView | None:
        """See `OrderReads.view`."""
        async with self._reading() as connection:
            found = await load_views(connection, [name])
        return _view.decode(found[name].body) if name in found else None

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Connection]:
        try:
            async with asyncio.timeout(self._within_s), self._pool().acquire() as connection:
                yield connection
        except UNAVAILABLE as error:  # A time-out is one of them.
            raise StoreUnavailable(str(error) or repr(error)) from error
