"""The rows the desk writes, and how the rows of many journal entries become one batch.

A journal entry is one input with everything it changed. Projections are whole rows: the last one
written for a key wins, inside a batch as well as in the database. Journal rows and fills are facts
that happen once; a second one for the same key is a bug and fails the batch.

Quantities and prices are decimals, never negative. Times are nanoseconds since 1970 UTC. `doc` and
`body` are JSON text, kept byte for byte. `seq` is the journal row that wrote the projection.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct


class JournalRow(Struct, frozen=True, kw_only=True, gc=False):
    """One input and the events it caused."""

    seq: int
    """One more than the row before it; the first is 1."""
    epoch: int
    at_ns: int
    kind: str
    body: str
    prev_hash: bytes
    hash: bytes
    refs: tuple[str, ...] = ()
    """The operation ids this row is about: an index for timelines, outside the hash."""


class ViewRow(Struct, frozen=True, kw_only=True, gc=False):
    """A market view that a decision used, stored once by its hash."""

    hash: bytes
    body: str
    stored_ns: int


class ParentRow(Struct, frozen=True, kw_only=True, gc=False):
    """A parent order."""

    operation_id: str
    body_hash: str
    state: str
    live: bool
    """Whether it may still change by itself: such orders are loaded at every start."""
    account: str | None
    instrument: str
    strategy_id: str
    side: str
    order_type: str
    quantity: Decimal
    filled: Decimal
    avg_px: Decimal | None
    created_ns: int
    updated_ns: int
    seq: int
    doc: str


class ChildRow(Struct, frozen=True, kw_only=True, gc=False):
    """A child order."""

    client_order_id: str
    operation_id: str
    child_no: int
    account: str
    instrument: str
    side: str
    state: str
    live: bool
    quantity: Decimal
    filled: Decimal
    limit_px: Decimal | None
    venue_order_id: str | None
    created_ns: int
    updated_ns: int
    seq: int
    doc: str


class FillRow(Struct, frozen=True, kw_only=True, gc=False):
    """One execution; (account, instrument, trade_id) names it for ever."""

    account: str
    instrument: str
    trade_id: str
    client_order_id: str | None
    operation_id: str | None
    side: str
    quantity: Decimal
    px: Decimal
    fee: Decimal
    """Positive is paid by us, negative is a rebate."""
    fee_asset: str
    liquidity: str
    at_ns: int
    seq: int
    doc: str


class PositionRow(Struct, frozen=True, kw_only=True, gc=False):
    """What an account traded in one instrument."""

    account: str
    instrument: str
    doc: str
    seq: int


class HoldingRow(Struct, frozen=True, kw_only=True, gc=False):
    """What an account holds of one asset."""

    account: str
    asset: str
    doc: str
    seq: int


class SingletonRow(Struct, frozen=True, kw_only=True, gc=False):
    """Something the desk has one of: the trading state, the limits, the instruments."""

    name: str
    doc: str
    seq: int


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """What one journal row changed, all of it committed together."""

    journal: JournalRow
    views: tuple[ViewRow, ...] = ()
    parents: tuple[ParentRow, ...] = ()
    children: tuple[ChildRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    holdings: tuple[HoldingRow, ...] = ()
    singletons: tuple[SingletonRow, ...] = ()
    urgent: bool = True
    """Whether anybody waits for it; what nobody waits for may ride with the next entry."""
    token: object = None
    """Whatever the caller wants to have back with the commit."""


class Batch(Struct, frozen=True, kw_only=True, gc=False):
    """The rows of one statement: projections at most once per key, journal rows in order."""

    journal: list[JournalRow]
    views: list[ViewRow] = []
    parents: list[ParentRow] = []
    children: list[ChildRow] = []
    fills: list[FillRow] = []
    positions: list[PositionRow] = []
    holdings: list[HoldingRow] = []
    singletons: list[SingletonRow] = []


def merge(entries: Iterable[Entry]) -> Batch:
    """Return the batch that leaves the database as the entries one after the other would."""
    journal: list[JournalRow] = []
    views: dict[bytes, ViewRow] = {}
    parents: dict[str, ParentRow] = {}
    children: dict[str, ChildRow] = {}
    fills: list[FillRow] = []
    positions: dict[tuple[str, str], PositionRow] = {}
    holdings: dict[tuple[str, str], HoldingRow] = {}
    singletons: dict[str, SingletonRow] = {}
    for entry in entries:
        journal.append(entry.journal)
        views.update((row.hash, row) for row in entry.views)
        parents.update((row.operation_id, row) for row in entry.parents)
        children.update((row.client_order_id, row) for row in entry.children)
        fills.extend(entry.fills)
        positions.update(((row.account, row.instrument), row) for row in entry.positions)
        holdings.update(((row.account, row.asset), row) for row in entry.holdings)
        singletons.update((row.name, row) for row in entry.singletons)
    return Batch(
        journal=journal,
        views=list(views.values()),
        parents=list(parents.values()),
        children=list(children.values()),
        fills=fills,
        positions=list(positions.values()),
        holdings=list(holdings.values()),
        singletons=list(singletons.values()),
    )
