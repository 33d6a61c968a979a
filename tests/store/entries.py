"""Builds journal entries that chain, as a desk would."""

from decimal import Decimal
from typing import Any

from quarterdeck.store.chain import GENESIS, row_hash
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

DESK = "desk-1"
ACCOUNT = "BINANCE-SPOT:main"
BTC = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"


class Chain:
    """The end of a journal: makes the next entry."""

    def __init__(self, *, epoch: int = 1, seq: int = 0, head: bytes = GENESIS) -> None:
        self.epoch, self.seq, self.head = epoch, seq, head

    def row(self, kind: str = "submit", body: str = "{}", refs: tuple[str, ...] = ()) -> JournalRow:
        seq, at_ns, prev = self.seq + 1, 1_000 * (self.seq + 1), self.head
        digest = row_hash(prev, seq=seq, epoch=self.epoch, at_ns=at_ns, kind=kind, body=body)
        self.seq, self.head = seq, digest
        return JournalRow(
            seq=seq,
            epoch=self.epoch,
            at_ns=at_ns,
            kind=kind,
            body=body,
            prev_hash=prev,
            hash=digest,
            refs=refs,
        )

    def entry(self, body: str = "{}", refs: tuple[str, ...] = (), **parts: Any) -> Entry:
        return Entry(journal=self.row(body=body, refs=refs), **parts)

    def order(self, operation_id: str | None = None, **changes: Any) -> Entry:
        """An order that was sent as one child and filled in part: five rows."""
        seq = self.seq + 1
        operation_id = operation_id or f"OP-{seq}"
        body = f'{{"operation_id":"{operation_id}"}}'
        return self.entry(
            body=body,
            refs=(operation_id,),
            views=(ViewRow(hash=seq.to_bytes(32), body='{"bids":[]}', stored_ns=seq),),
            parents=(a_parent(operation_id, seq=seq, **changes),),
            children=(a_child(f"QD{seq}", operation_id, seq=seq),),
            fills=(a_fill(f"T{seq}", operation_id, f"QD{seq}", seq=seq),),
        )


def a_parent(operation_id: str, **changes: Any) -> ParentRow:
    fields: dict[str, Any] = {
        "body_hash": "v1:00",
        "state": "working",
        "live": True,
        "account": None,
        "instrument": BTC,
        "strategy_id": "momentum-btc-v1",
        "side": "BUY",
        "order_type": "MARKET",
        "quantity": Decimal("1.25"),
        "filled": Decimal("0.50"),
        "avg_px": Decimal("65123.45"),
        "created_ns": 1_000,
        "updated_ns": 1_000,
        "seq": 1,
        "doc": "{}",
    }
    return ParentRow(operation_id=operation_id, **{**fields, **changes})


def a_child(client_order_id: str, operation_id: str, **changes: Any) -> ChildRow:
    fields: dict[str, Any] = {
        "child_no": 1,
        "account": ACCOUNT,
        "instrument": BTC,
        "side": "BUY",
        "state": "working",
        "live": True,
        "quantity": Decimal("1.25"),
        "filled": Decimal("0.50"),
        "limit_px": None,
        "venue_order_id": None,
        "created_ns": 1_000,
        "updated_ns": 1_000,
        "seq": 1,
        "doc": "{}",
    }
    merged = {**fields, **changes}
    return ChildRow(client_order_id=client_order_id, operation_id=operation_id, **merged)


def a_fill(
    trade_id: str, operation_id: str | None, client_order_id: str | None, **changes: Any
) -> FillRow:
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "instrument": BTC,
        "side": "BUY",
        "quantity": Decimal("0.50"),
        "px": Decimal("65123.45"),
        "fee": Decimal("0.0005"),
        "fee_asset": "BTC",
        "liquidity": "taker",
        "at_ns": 1_000,
        "seq": 1,
        "doc": "{}",
    }
    merged = {**fields, **changes}
    return FillRow(
        trade_id=trade_id, operation_id=operation_id, client_order_id=client_order_id, **merged
    )


def a_position(instrument: str = BTC, doc: str = "{}", seq: int = 1) -> PositionRow:
    return PositionRow(account=ACCOUNT, instrument=instrument, doc=doc, seq=seq)


def a_holding(asset: str = "BTC", doc: str = "{}", seq: int = 1) -> HoldingRow:
    return HoldingRow(account=ACCOUNT, asset=asset, doc=doc, seq=seq)


def a_singleton(name: str = "trading_state", doc: str = "{}", seq: int = 1) -> SingletonRow:
    return SingletonRow(name=name, doc=doc, seq=seq)
