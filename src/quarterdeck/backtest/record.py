"""What a run did, gathered from its journal entries as they are appended.

The desk forgets orders that ended; the record does not. It holds the last value of every parent and
child, every fill, position and holding, and the fingerprint of the journal. Results are made from
it and from nothing else, so they cannot say anything that the journal does not.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import Struct

from quarterdeck.core.desk.state import AssetKey, PositionKey
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import Position
from quarterdeck.core.model.reasons import Refused
from quarterdeck.ports import Fill, JournalEntry

HASH_BYTES: Final = 32


class RefusedLine(Struct, frozen=True, kw_only=True):
    """A line of the schedule that had no effect."""

    line: int
    at_ns: int
    operation_id: str | None
    """None when the message was too broken to name one."""
    refused: Refused


class RunRecord:
    """Everything that happened in one run so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entries = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.parents: dict[str, ParentOrder] = {}
        """By operation id, in the order in which they were decided."""
        self.children: dict[str, ChildOrder] = {}
        """By client order id, in the order in which they were made."""
        self.fills: list[Fill] = []
        self.positions: dict[PositionKey, Position] = {}
        self.holdings: dict[AssetKey, Holding] = {}
        self.refusals: list[RefusedLine] = []
        self._hash = hashlib.blake2b(digest_size=HASH_BYTES)

    @property
    def journal_hash(self) -> str:
        """Fingerprint of every entry's time and body so far: equal runs have equal ones."""
        return self._hash.hexdigest()

    def note(self, entry: JournalEntry) -> None:
        """Take in the next entry."""
        self._hash.update(b"%d %d %s\n" % (entry.seq, entry.at_ns, entry.body))
        self.entries += 1
        if self.first_ns is None:
            self.first_ns = entry.at_ns
        self.last_ns = entry.at_ns
        for parent in entry.parents:
            self.parents[parent.id] = parent
        for child in entry.children:
            self.children[child.client_order_id] = child
        self.fills.extend(entry.fills)
        self.positions.update(entry.positions)
        self.holdings.update(entry.holdings)

    def orders(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[tuple[ParentOrder, tuple[ChildOrder, ...]]]:
        """Return recorded orders by either name, each with all its children."""
        wanted = dict.fromkeys(operation_ids)
        for name in client_order_ids:
            child = self.children.get(name)
            if child is not None:
                wanted[child.operation_id] = None
        found = (self.parents.get(name) for name in wanted)
        return [(parent, self.children_of(parent)) for parent in found if parent is not None]

    def children_of(self, parent: ParentOrder) -> tuple[ChildOrder, ...]:
        """Return the children of a parent, by number."""
        names = (client_order_id(parent.id, number) for number in range(1, parent.children + 1))
        return tuple(self.children[name] for name in names)


class EntrySink(Protocol):
    """Where entries are written as well."""

    def append(self, entry: JournalEntry) -> None:
        """Take the next entry."""
        ...


class RunJournal:
    """The journal of a run: an entry is durable as soon as it is appended.

    A backtest that dies is run again from its configuration, so there is nothing to recover and
    nothing to wait for.
    """

    def __init__(self, record: RunRecord, sink: EntrySink | None) -> None:
        """Note entries in a record, and write them to a sink where there is one."""
        self._record = record
        self._sink = sink

    def append(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        """See `ports.Journal`."""
        self._record.note(entry)
        if self._sink is not None:
            self._sink.append(entry)
        on_durable()
