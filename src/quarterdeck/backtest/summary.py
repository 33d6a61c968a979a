"""The summary of a run: what each order came to, what it all cost, and under which conditions.

Every number is counted from the run's record, which is the desk's own journal; what a simulator
thinks of the same trades is not asked.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.cost import CostSum, CostTotal
from quarterdeck.backtest.equity import EquityPoint
from quarterdeck.backtest.record import RunRecord
from quarterdeck.core.model.decimals import ZERO, add, canonical, sub
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.tca.cost import cost_of


class OrderLine(Struct, frozen=True, kw_only=True):
    """What one order came to. Amounts are decimals as strings."""

    operation_id: str
    state: str
    reason: str | None
    instrument: str
    side: str
    quantity: str
    filled: str
    avg_px: str | None
    arrival_px: str | None
    slippage_bps: str | None
    """Price of the filled part against the arrival price; positive is a cost."""
    shortfall_bps: str | None
    """Slippage and fees."""
    fees: dict[str, str]
    """By asset; negative is a rebate."""
    children: int
    created_ns: int
    finished_ns: int | None
    """None for an order that was open when the market ended."""


class RefusalLine(Struct, frozen=True, kw_only=True):
    """A line of the schedule that had no effect."""

    line: int
    at_ns: int
    operation_id: str | None
    code: str
    field: str | None
    text: str


class EquityChange(Struct, frozen=True, kw_only=True):
    """What all accounts were worth in one currency at the first and the last sample."""

    first: str
    last: str
    change: str


class Totals(Struct, frozen=True, kw_only=True):
    """Everything together."""

    orders: dict[str, int]
    """How many orders ended, or stand, in each state; `refused` were not understood."""
    unreached: int
    """Lines of the schedule that the market ended before."""
    children: int
    fills: int
    fees: dict[str, str]
    """By asset; negative is a rebate."""
    costs: dict[str, CostTotal]
    """By quote currency."""
    equity: dict[str, EquityChange]
    """By currency, where everything had a price at some time."""
    alerts: dict[str, int]
    """By code."""
    differences: dict[str, str]
    """Balances where the simulated venue disagrees with our account of them; empty when all is
    well."""


class Conditions(Struct, frozen=True, kw_only=True):
    """Under which conditions the run was made; nothing of this changes a result."""

    versions: dict[str, str]
    machine: str
    cores: int
    market_rows: int
    """Rows of recorded data that the window was taken from."""
    book_updates: int
    """Changes of books that were played."""
    converted_rows: int
    """How many of them this run had to convert first."""
    entries: int
    """Journal entries."""
    decisions: int
    prepare_ms: int
    run_ms: int
    write_ms: int
    decisions_per_s: int
    max_rss_mb: int


class Summary(Struct, frozen=True, kw_only=True):
    """One run."""

    run_id: str
    mode: str
    config_hash: str
    journal_hash: str
    """Equal for equal decisions at equal times, in whatever process and chunks they were made."""
    start_ns: int
    end_ns: int
    totals: Totals
    orders: tuple[OrderLine, ...]
    refused: tuple[RefusalLine, ...]
    conditions: Conditions


_encoder: Final = msgspec.json.Encoder(decimal_format="string")
_decoder: Final = msgspec.json.Decoder(Summary)


def encode_summary(summary: Summary) -> bytes:
    """Return a summary as a JSON document for people and machines."""
    return msgspec.json.format(_encoder.encode(summary), indent=2) + b"\n"


def decode_summary(body: bytes) -> Summary:
    """Return the summary of a document.

    Raises:
        msgspec.DecodeError: if it is none that this version can read.
    """
    return _decoder.decode(body)


def order_line(parent: ParentOrder, instrument: Instrument) -> OrderLine:
    """Return what an order came to."""
    cost = cost_of(parent, instrument)
    return OrderLine(
        operation_id=parent.id,
        state=parent.status,
        reason=parent.reason,
        instrument=parent.terms.instrument,
        side=parent.terms.side,
        quantity=canonical(parent.terms.quantity),
        filled=canonical(parent.filled),
        avg_px=_text(parent.avg_px),
        arrival_px=_text(parent.arrival_px),
        slippage_bps=_text(cost.slippage_bps if cost is not None else None),
        shortfall_bps=_text(cost.shortfall_bps if cost is not None else None),
        fees={asset: canonical(paid) for asset, paid in sorted(parent.fees.items())},
        children=parent.children,
        created_ns=parent.created_ns,
        finished_ns=parent.finished_ns,
    )


def summarise(
    *,
    run_id: str,
    config: BacktestConfig,
    config_hash: str,
    record: RunRecord,
    equity: Iterable[EquityPoint],
    unreached: int,
    alerts: Mapping[str, int],
    differences: Mapping[str, str],
    conditions: Conditions,
) -> Summary:
    """Return the summary of a run that has ended."""
    instruments = {listed.id: listed for listed in config.instruments}
    return Summary(
        run_id=run_id,
        mode=config.mode,
        config_hash=config_hash,
        journal_hash=record.journal_hash,
        start_ns=config.start_ns,
        end_ns=config.end_ns,
        totals=_totals(instruments, record, equity, unreached, alerts, differences),
        orders=tuple(
            order_line(parent, instruments[parent.terms.instrument])
            for parent in record.parents.values()
        ),
        refused=tuple(
            RefusalLine(
                line=line.line,
                at_ns=line.at_ns,
                operation_id=line.operation_id,
                code=line.refused.code,
                field=line.refused.field,
                text=line.refused.text,
            )
            for line in record.refusals
        ),
        conditions=conditions,
    )


def _totals(
    instruments: Mapping[str, Instrument],
    record: RunRecord,
    equity: Iterable[EquityPoint],
    unreached: int,
    alerts: Mapping[str, int],
    differences: Mapping[str, str],
) -> Totals:
    states: dict[str, int] = {}
    fees: dict[str, Decimal] = {}
    sums: dict[str, CostSum] = {}
    for parent in record.parents.values():
        states[parent.status] = states.get(parent.status, 0) + 1
        for asset, paid in parent.fees.items():
            fees[asset] = add(fees.get(asset, ZERO), paid)
        instrument = instruments[parent.terms.instrument]
        sums.setdefault(instrument.quote, CostSum()).add(parent, instrument)
    if record.refusals:
        states["refused"] = len(record.refusals)
    return Totals(
        orders=dict(sorted(states.items())),
        unreached=unreached,
        children=len(record.children),
        fills=len(record.fills),
        fees={asset: canonical(paid) for asset, paid in sorted(fees.items())},
        costs={
            quote: result
            for quote, part in sorted(sums.items())
            if (result := part.result) is not None
        },
        equity=_equity(equity),
        alerts=dict(sorted(alerts.items())),
        differences=dict(sorted(differences.items())),
    )


def _equity(points: Iterable[EquityPoint]) -> dict[str, EquityChange]:
    first: dict[str, Decimal] = {}
    last: dict[str, Decimal] = {}
    for point in points:
        if point.equity is not None:
            first.setdefault(point.currency, point.equity)
            last[point.currency] = point.equity
    return {
        currency: EquityChange(
            first=canonical(first[currency]),
            last=canonical(last[currency]),
            change=canonical(sub(last[currency], first[currency])),
        )
        for currency in sorted(first)
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else canonical(value)
