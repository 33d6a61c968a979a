"""The durable side of a desk in one test, in memory: a journal, the orders, their reads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import msgspec

from quarterdeck.api.reads import OrderQuery, OrderRecord
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.ports import JournalEntry
from quarterdeck.store.rows import JournalRow


class MemoryRecord:
    """The durable side: a journal that can fail, a store of orders, and what the API reads."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.parents: dict[str, ParentOrder] = {}
        self.children: dict[str, dict[int, ChildOrder]] = {}
        self.fills: dict[str, list[Trade]] = {}
        self.views: dict[bytes, MarketView] = {}
        self.failed: Callable[[str], None] | None = None
        self.reachable = asyncio.Event()
        self.reachable.set()
        self.stalled = False
        """Whether entries are taken and never become durable."""

    # ports.Journal

    def append(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        if not self.stalled:
            asyncio.get_running_loop().call_soon(self._commit, entry, on_durable)

    def _commit(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        self.entries.append(entry)
        self.parents.update((parent.id, parent) for parent in entry.parents)
        for child in entry.children:
            self.children.setdefault(child.operation_id, {})[child.child_no] = child
        for name, body in entry.views:
            self.views[name] = msgspec.json.decode(body, type=MarketView)
        for fill in entry.fills:
            if fill.operation_id is not None:
                self.fills.setdefault(fill.operation_id, []).append(fill.trade)
        on_durable()

    # desk.loader.OrderStore and api.reads.OrderReads, which name their methods differently

    async def parent(self, operation_id: str) -> ParentOrder | None:
        self._readable()
        return self.parents.get(operation_id)

    async def order(self, operation_id: str) -> OrderRecord | None:
        self._readable()
        parent = self.parents.get(operation_id)
        if parent is None:
            return None
        return OrderRecord(
            parent=parent,
            children=tuple(self._children_of(operation_id)),
            fills=tuple(self.fills.get(operation_id, ())),
            journal=tuple(self._row(e) for e in self.entries if operation_id in e.refs),
        )

    async def orders(self, query: OrderQuery) -> list[ParentOrder]:
        self._readable()
        found = sorted(self.parents.values(), key=lambda p: (p.created_ns, p.id), reverse=True)
        return [parent for parent in found if _matches(query, parent)][: query.limit]

    async def view(self, name: bytes) -> MarketView | None:
        self._readable()
        return self.views.get(name)

    def store(self) -> "MemoryStore":
        return MemoryStore(self)

    def _children_of(self, operation_id: str) -> list[ChildOrder]:
        return [child for _, child in sorted(self.children.get(operation_id, {}).items())]

    def lose(self) -> None:
        """Make the database unreachable, as the desk learns it: from its journal."""
        self.reachable.clear()
        assert self.failed is not None
        self.failed("connection lost")

    def _readable(self) -> None:
        if not self.reachable.is_set():
            raise ConnectionRefusedError("connection lost")

    @staticmethod
    def _row(entry: JournalEntry) -> JournalRow:
        return JournalRow(
            seq=entry.seq,
            epoch=1,
            at_ns=entry.at_ns,
            kind=entry.kind,
            body=entry.body.decode(),
            prev_hash=b"",
            hash=b"",
        )


def _matches(query: OrderQuery, parent: ParentOrder) -> bool:
    mark = (query.before_ns, query.before_id or "")
    return (
        query.live in {None, parent.status.is_live}
        and query.state in {None, parent.status}
        and query.strategy_id in {None, parent.terms.strategy_id}
        and query.instrument in {None, parent.terms.instrument}
        and (query.before_ns is None or (parent.created_ns, parent.id) < mark)
    )


class MemoryStore:
    def __init__(self, record: MemoryRecord) -> None:
        self._record = record

    async def orders(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[tuple[ParentOrder, tuple[ChildOrder, ...]]]:
        del client_order_ids
        self._record._readable()
        return [
            (self._record.parents[name], tuple(self._record._children_of(name)))
            for name in operation_ids
            if name in self._record.parents
        ]

    async def operation_ids(self) -> AsyncIterator[list[str]]:
        self._record._readable()
        yield list(self._record.parents)


class MemorySession:
    def __init__(self, record: MemoryRecord) -> None:
        self.epoch = 1
        self.state = DeskState()
        self.last_seq = 0
        self.journal = record
        self.store = record.store()

    async def close(self) -> None:
        return
