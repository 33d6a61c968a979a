"""Between the desk's values and the rows that keep them.

A row has columns for what is searched and a document with the whole value, so that a restart
reads back exactly what was folded. What another table holds already is left out of the document:
a child's trade ids are the names of its fills.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from quarterdeck.core.desk.state import AssetKey, PositionKey
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import Position
from quarterdeck.ports import Fill, JournalEntry
from quarterdeck.store.chain import row_hash
from quarterdeck.store.rows import (
    ChildRow,
    Entry,
    FillRow,
    HoldingRow,
    JournalRow,
    ParentRow,
    PositionRow,
    SingletonRow,
    ViewRow,
)

_encoder: Final = msgspec.json.Encoder()
_parent: Final = msgspec.json.Decoder(ParentOrder)
_child: Final = msgspec.json.Decoder(ChildOrder)
_position: Final = msgspec.json.Decoder(Position)
_holding: Final = msgspec.json.Decoder(Holding)
_trade: Final = msgspec.json.Decoder(Trade)

KEY_SEPARATOR: Final = "|"
"""Between instrument and currency in the name of a position."""


def entry_rows(entry: JournalEntry, epoch: int, prev_hash: bytes, token: object) -> Entry:
    """Return all rows of a journal entry, chained to the row before it."""
    body = entry.body.decode()
    journal = JournalRow(
        seq=entry.seq,
        epoch=epoch,
        at_ns=entry.at_ns,
        kind=entry.kind,
        body=body,
        prev_hash=prev_hash,
        hash=row_hash(
            prev_hash, seq=entry.seq, epoch=epoch, at_ns=entry.at_ns, kind=entry.kind, body=body
        ),
        refs=entry.refs,
    )
    seq = entry.seq
    return Entry(
        journal=journal,
        views=tuple(
            ViewRow(hash=name, body=view.decode(), stored_ns=entry.at_ns)
            for name, view in entry.views
        ),
        parents=tuple(parent_row(parent, seq) for parent in entry.parents),
        children=tuple(child_row(child, seq) for child in entry.children),
        fills=tuple(fill_row(fill, seq) for fill in entry.fills),
        positions=tuple(
            PositionRow(
                account=key.account, instrument=position_name(key), doc=encode(position), seq=seq
            )
            for key, position in entry.positions
        ),
        holdings=tuple(
            HoldingRow(account=key.account, asset=key.asset, doc=encode(holding), seq=seq)
            for key, holding in entry.holdings
        ),
        singletons=tuple(
            SingletonRow(name=name, doc=doc.decode(), seq=seq) for name, doc in entry.singletons
        ),
        urgent=entry.urgent,
        token=token,
    )


def encode(value: object) -> str:
    """Return the document of a value; of a child without its trade ids."""
    if isinstance(value, ChildOrder):
        value = replace(value, trade_ids=())
    return _encoder.encode(value).decode()


def parent_of(row: ParentRow) -> ParentOrder:
    """Return the parent that a row keeps."""
    return _parent.decode(row.doc)


def child_of(row: ChildRow, trade_ids: tuple[str, ...]) -> ChildOrder:
    """Return the child that a row keeps, with the names of its fills."""
    return replace(_child.decode(row.doc), trade_ids=trade_ids)


def trade_of(row: FillRow) -> Trade:
    """Return the execution that a row keeps."""
    return _trade.decode(row.doc)


def position_of(row: PositionRow) -> tuple[PositionKey, Position]:
    """Return the position that a row keeps."""
    instrument, _, currency = row.instrument.rpartition(KEY_SEPARATOR)
    return PositionKey(row.account, instrument, currency), _position.decode(row.doc)


def holding_of(row: HoldingRow) -> tuple[AssetKey, Holding]:
    """Return the holding that a row keeps."""
    return AssetKey(row.account, row.asset), _holding.decode(row.doc)


def position_name(key: PositionKey) -> str:
    """Return how a position is named within its account."""
    return f"{key.instrument}{KEY_SEPARATOR}{key.currency}"


def parent_row(parent: ParentOrder, seq: int) -> ParentRow:
    """Return the row of a parent as journal row `seq` leaves it."""
    terms = parent.terms
    return ParentRow(
        operation_id=parent.id,
        body_hash=parent.body_hash,
        state=parent.status,
        live=parent.status.is_live,
        account=terms.account,
        instrument=terms.instrument,
        strategy_id=terms.strategy_id or "",
        side=terms.side,
        order_type=terms.order_type,
        quantity=terms.quantity,
        filled=parent.filled,
        avg_px=parent.avg_px,
        created_ns=parent.created_ns,
        updated_ns=parent.updated_ns,
        seq=seq,
        doc=encode(parent),
    )


def child_row(child: ChildOrder, seq: int) -> ChildRow:
    """Return the row of a child as journal row `seq` leaves it."""
    return ChildRow(
        client_order_id=child.client_order_id,
        operation_id=child.operation_id,
        child_no=child.child_no,
        account=child.account,
        instrument=child.instrument,
        side=child.side,
        state=child.status,
        live=child.status.is_live,
        quantity=child.quantity,
        filled=child.filled,
        limit_px=child.limit_px,
        venue_order_id=child.venue_order_id,
        created_ns=child.created_ns,
        updated_ns=child.updated_ns,
        seq=seq,
        doc=encode(child),
    )


def fill_row(fill: Fill, seq: int) -> FillRow:
    """Return the row of an execution that journal row `seq` booked."""
    trade = fill.trade
    return FillRow(
        account=trade.account,
        instrument=trade.instrument,
        trade_id=trade.trade_id,
        client_order_id=trade.client_order_id,
        operation_id=fill.operation_id,
        side=trade.side,
        quantity=trade.quantity,
        px=trade.px,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        liquidity="maker" if trade.maker else "taker",
        at_ns=trade.at_ns,
        seq=seq,
        doc=encode(trade),
    )
