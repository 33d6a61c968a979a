"""The tables of a run as Parquet files: orders, children, fills, positions, holdings, equity.

Amounts are decimals with 18 places, as exact as the desk's own limits allow; what the desk knows to
more places (a rounding rest of an inverse contract) is rounded half to even. Maps, of which no row
has many entries, are JSON text. Times are integer nanoseconds, UTC.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from quarterdeck.backtest.equity import EquityPoint
from quarterdeck.backtest.record import RefusedLine, RunRecord
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import canonical, div, to_places, total
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import unrealised
from quarterdeck.core.tca.cost import cost_of
from quarterdeck.ports import Fill

AMOUNT: Final[pa.DataType] = pa.decimal128(38, 18)
PLACES: Final = 18
TEXT: Final[pa.DataType] = pa.string()
TRUTH: Final[pa.DataType] = pa.bool_()
WHOLE: Final[pa.DataType] = pa.int64()

TABLES: Final = ("orders", "children", "fills", "positions", "holdings", "equity_curve")
"""Each is a file `<name>.parquet` of a run in report mode."""

ORDERS: Final = pa.schema(
    {
        "operation_id": TEXT,
        "state": TEXT,
        "reason": TEXT,
        "detail": TEXT,
        "instrument": TEXT,
        "account": TEXT,
        "side": TEXT,
        "order_type": TEXT,
        "quantity": AMOUNT,
        "limit_px": AMOUNT,
        "time_in_force": TEXT,
        "route": TEXT,
        "algorithm": TEXT,
        "strategy_id": TEXT,
        "filled": AMOUNT,
        "avg_px": AMOUNT,
        "arrival_px": AMOUNT,
        "decision_px": AMOUNT,
        "slippage_bps": AMOUNT,
        "fees_bps": AMOUNT,
        "shortfall_bps": AMOUNT,
        "fees": TEXT,
        "children": WHOLE,
        "created_ns": WHOLE,
        "updated_ns": WHOLE,
        "finished_ns": WHOLE,
    }
)
CHILDREN: Final = pa.schema(
    {
        "operation_id": TEXT,
        "child_no": WHOLE,
        "client_order_id": TEXT,
        "venue_order_id": TEXT,
        "account": TEXT,
        "instrument": TEXT,
        "state": TEXT,
        "reason": TEXT,
        "detail": TEXT,
        "side": TEXT,
        "order_type": TEXT,
        "quantity": AMOUNT,
        "limit_px": AMOUNT,
        "time_in_force": TEXT,
        "filled": AMOUNT,
        "avg_px": AMOUNT,
        "created_ns": WHOLE,
        "acknowledged_ns": WHOLE,
        "updated_ns": WHOLE,
    }
)
FILLS: Final = pa.schema(
    {
        "operation_id": TEXT,
        "client_order_id": TEXT,
        "venue_order_id": TEXT,
        "trade_id": TEXT,
        "account": TEXT,
        "instrument": TEXT,
        "side": TEXT,
        "quantity": AMOUNT,
        "px": AMOUNT,
        "fee": AMOUNT,
        "fee_asset": TEXT,
        "maker": TRUTH,
        "at_ns": WHOLE,
    }
)
POSITIONS: Final = pa.schema(
    {
        "account": TEXT,
        "instrument": TEXT,
        "currency": TEXT,
        "quantity": AMOUNT,
        "avg_px": AMOUNT,
        "realised": AMOUNT,
        "unrealised": AMOUNT,
        "mark_px": AMOUNT,
        "fees": TEXT,
    }
)
HOLDINGS: Final = pa.schema(
    {
        "account": TEXT,
        "asset": TEXT,
        "opening": AMOUNT,
        "traded": AMOUNT,
        "fees": AMOUNT,
        "adjusted": AMOUNT,
        "unexplained": AMOUNT,
        "total": AMOUNT,
    }
)
EQUITY: Final = pa.schema(
    {
        "at_ns": WHOLE,
        "currency": TEXT,
        "cash": AMOUNT,
        "held": AMOUNT,
        "unrealised": AMOUNT,
        "equity": AMOUNT,
    }
)

type Row = dict[str, Any]


def write_tables(
    folder: Path,
    record: RunRecord,
    *,
    instruments: Iterable[Instrument],
    points: Iterable[EquityPoint],
    marks: Mapping[str, Decimal],
) -> None:
    """Write every table of a run into its folder.

    Args:
        folder: of the run.
        record: what it did.
        instruments: all that its orders may name.
        points: the equity curve.
        marks: the last midpoint of each instrument, by canonical id.
    """
    listed = {instrument.id: instrument for instrument in instruments}
    orders = [_order(parent, listed[parent.terms.instrument]) for parent in record.parents.values()]
    orders += [_refused(line) for line in record.refusals]
    _write(folder / "orders.parquet", ORDERS, orders)
    _write(folder / "children.parquet", CHILDREN, map(_child, record.children.values()))
    _write(folder / "fills.parquet", FILLS, map(_fill, record.fills))
    _write(folder / "positions.parquet", POSITIONS, _positions(record, marks))
    _write(folder / "holdings.parquet", HOLDINGS, _holdings(record))
    _write(folder / "equity_curve.parquet", EQUITY, map(_point, points))


def _write(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in rows:
        for name, values in columns.items():
            values.append(_rounded(row[name]))
    pq.write_table(pa.Table.from_pydict(columns, schema), path, compression="zstd")


def _rounded(value: Any) -> Any:
    return to_places(value, PLACES) if isinstance(value, Decimal) else value


def _amounts(parts: Mapping[str, Decimal]) -> str:
    texts = {asset: canonical(amount) for asset, amount in sorted(parts.items())}
    return msgspec.json.encode(texts).decode()


def _order(parent: ParentOrder, instrument: Instrument) -> Row:
    cost = cost_of(parent, instrument)
    terms = parent.terms
    return {
        "operation_id": parent.id,
        "state": parent.status,
        "reason": parent.reason,
        "detail": parent.detail,
        "instrument": terms.instrument,
        "account": terms.account,
        "side": terms.side,
        "order_type": terms.order_type,
        "quantity": terms.quantity,
        "limit_px": terms.limit_px,
        "time_in_force": terms.tif,
        "route": terms.route,
        "algorithm": terms.algorithm,
        "strategy_id": terms.strategy_id,
        "filled": parent.filled,
        "avg_px": parent.avg_px,
        "arrival_px": parent.arrival_px,
        "decision_px": terms.decision_px,
        "slippage_bps": cost.slippage_bps if cost is not None else None,
        "fees_bps": cost.fees_bps if cost is not None else None,
        "shortfall_bps": cost.shortfall_bps if cost is not None else None,
        "fees": _amounts(parent.fees),
        "children": parent.children,
        "created_ns": parent.created_ns,
        "updated_ns": parent.updated_ns,
        "finished_ns": parent.finished_ns,
    }


def _refused(line: RefusedLine) -> Row:
    """Return a line that had no effect; the desk knows nothing of it but its time."""
    row: Row = dict.fromkeys(ORDERS.names)
    refused = line.refused
    detail = refused.text if refused.field is None else f"{refused.field}: {refused.text}"
    return row | {
        "operation_id": line.operation_id,
        "state": "refused",
        "reason": refused.code,
        "detail": f"line {line.line}: {detail}",
        "created_ns": line.at_ns,
    }


def _child(child: ChildOrder) -> Row:
    return {
        "operation_id": child.operation_id,
        "child_no": child.child_no,
        "client_order_id": child.client_order_id,
        "venue_order_id": child.venue_order_id,
        "account": child.account,
        "instrument": child.instrument,
        "state": child.status,
        "reason": child.reason,
        "detail": child.detail,
        "side": child.side,
        "order_type": child.order_type,
        "quantity": child.quantity,
        "limit_px": child.limit_px,
        "time_in_force": child.tif,
        "filled": child.filled,
        "avg_px": div(child.notional, child.filled, places=PLACES) if child.filled else None,
        "created_ns": child.created_ns,
        "acknowledged_ns": child.acknowledged_ns,
        "updated_ns": child.updated_ns,
    }


def _fill(fill: Fill) -> Row:
    trade = fill.trade
    return {
        "operation_id": fill.operation_id,
        "client_order_id": trade.client_order_id,
        "venue_order_id": trade.venue_order_id,
        "trade_id": trade.trade_id,
        "account": trade.account,
        "instrument": trade.instrument,
        "side": trade.side,
        "quantity": trade.quantity,
        "px": trade.px,
        "fee": trade.fee,
        "fee_asset": trade.fee_asset,
        "maker": trade.maker,
        "at_ns": trade.at_ns,
    }


def _positions(record: RunRecord, marks: Mapping[str, Decimal]) -> Iterable[Row]:
    for key, position in record.positions.items():
        mark = marks.get(key.instrument)
        yield {
            "account": key.account,
            "instrument": key.instrument,
            "currency": key.currency,
            "quantity": position.quantity,
            "avg_px": position.avg_px,
            "realised": position.realised,
            "unrealised": unrealised(position, mark) if mark is not None else None,
            "mark_px": mark,
            "fees": _amounts(position.fees),
        }


def _holdings(record: RunRecord) -> Iterable[Row]:
    for key, holding in record.holdings.items():
        yield {
            "account": key.account,
            "asset": key.asset,
            "opening": holding.opening,
            "traded": holding.traded,
            "fees": holding.fees,
            "adjusted": total(holding.adjustments.values()),
            "unexplained": holding.unexplained_total,
            "total": holding.total,
        }


def _point(point: EquityPoint) -> Row:
    return {name: getattr(point, name) for name in EQUITY.names}
