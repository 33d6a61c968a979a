"""Bringing orders back into memory before an input that names them is decided.

Requests of one turn of the event loop are put into one query: at 500 orders a second this is what
keeps an idempotency check off the critical path.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
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

    def operation_ids(self) -> AsyncIterator[list[str]]:
        """Yield every operation id that was ever used, a page at a time."""
        ...


class Loader:
    """Coalesces look-ups: one is under way at a time, and what comes meanwhile shares the next."""

    def __init__(self, store: OrderStore) -> None:
        """Read from a store."""
        self._store = store
        self._turn = asyncio.Lock()
        self._next: _Batch | None = None

    async def load(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[StoredOrder]:
        """Return stored orders; may hold others that were asked for at the same time.

        Raises:
            OSError: when the store cannot be read.
            TimeoutError: when it does not answer in time.
        """
        batch = self._next
        if batch is None:
            batch = self._next = _Batch()
            batch.task = asyncio.create_task(self._run(batch))
        batch.operation_ids.update(operation_ids)
        batch.client_order_ids.update(client_order_ids)
        assert batch.task is not None
        return await asyncio.shield(batch.task)

    async def _run(self, batch: "_Batch") -> list[StoredOrder]:
        async with self._turn:
            self._next = None
            async with asyncio.timeout(LOAD_WITHIN_S):
                return await self._store.orders(batch.operation_ids, batch.client_order_ids)


class _Batch:
    """Names that are looked up together."""

    def __init__(self) -> None:
        self.operation_ids: set[str] = set()
        self.client_order_ids: set[str] = set()
        self.task: asyncio.Task[list[StoredOrder]] | None = None
