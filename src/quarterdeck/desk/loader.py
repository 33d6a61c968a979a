"""Bringing orders back into memory before an input that names them is decided.

Requests of one turn of the event loop are put into one query: at 500 orders a second this is what
keeps an idempotency check off the critical path.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.order import ParentOrder

type StoredOrder = tuple[ParentOrder, tuple[ChildOrder, ...]]

LOAD_WITHIN_S = 2.0
"""Longer than this counts as a database that cannot be read."""


class OrderStore(Protocol):
    """Where finished orders are."""

    async def orders(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[StoredOrder]:
        """Return the orders found, each with all its children and their trade ids."""
        ...


class Loader:
    """Coalesces look-ups."""

    def __init__(self, store: OrderStore) -> None:
        """Read from a store."""
        self._store = store
        self._wanted: tuple[set[str], set[str]] = (set(), set())
        self._batch: asyncio.Task[list[StoredOrder]] | None = None

    async def load(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[StoredOrder]:
        """Return stored orders; may hold others that were asked for in the same turn.

        Raises:
            OSError: when the store does not answer in time.
        """
        self._wanted[0].update(operation_ids)
        self._wanted[1].update(client_order_ids)
        if self._batch is None:
            self._batch = asyncio.create_task(self._run())
        return await asyncio.shield(self._batch)

    async def _run(self) -> list[StoredOrder]:
        await asyncio.sleep(0)  # Let the other requests of this turn join.
        wanted, self._wanted = self._wanted, (set(), set())
        self._batch = None
        async with asyncio.timeout(LOAD_WITHIN_S):
            return await self._store.orders(*wanted)
