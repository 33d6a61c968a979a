"""Two runs side by side: where their decisions part, and what that came to.

Equal journal hashes mean equal decisions at equal times, and nothing else has to be looked at.
Otherwise the first entry that differs says where the runs part; what follows from there on is told
order by order, and as totals.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.backtest.stored_run import StoredRun, journal_of, summary_of
from quarterdeck.backtest.summary import OrderLine, Summary
from quarterdeck.core.model.decimals import canonical, sub
from quarterdeck.desk.replay.journal_file import read_journal
from quarterdeck.desk.replay.recorded import RecordedEntry

COMPARED = ("state", "reason", "quantity", "filled", "avg_px", "arrival_px", "children", "fees")


class Side(Struct, frozen=True, kw_only=True):
    """One run's part of a difference."""

    at_ns: int
    input: str
    """Kind of what was decided about."""
    events: tuple[str, ...]
    """Kinds of what came of it."""


class Parting(Struct, frozen=True, kw_only=True):
    """The first journal entry that differs; a side is None where its journal has ended."""

    seq: int
    a: Side | None
    b: Side | None


class OrderDifference(Struct, frozen=True, kw_only=True):
    """One order that came out otherwise, or that only one run has."""

    operation_id: str
    fields: tuple[str, ...]
    """Which of the compared fields differ; empty when one run does not have the order."""
    a: OrderLine | None
    b: OrderLine | None
    shortfall_bps_change: str | None
    """How much more it cost in b, where both have a shortfall."""


class Change(Struct, frozen=True, kw_only=True):
    """One total in both runs, as text, with the change from a to b where both are numbers."""

    name: str
    a: str | None
    b: str | None
    change: str | None


class Comparison(Struct, frozen=True, kw_only=True):
    """Two runs."""

    a: str
    b: str
    same_config: bool
    same_journal: bool
    parting: Parting | None
    """None when the journals are equal, or one of the runs kept none."""
    orders: tuple[OrderDifference, ...]
    equal_orders: int
    totals: tuple[Change, ...]


def compare_runs(a: StoredRun, b: StoredRun) -> Comparison:
    """Return how two runs differ.

    Raises:
        NoSuchRunError: if one of them is not there or did not finish.
        JournalFileError: if a journal is broken.
    """
    one, other = summary_of(*a), summary_of(*b)
    differing = tuple(_orders(one, other))
    all_orders = {line.operation_id for line in (*one.orders, *other.orders)}
    same_journal = one.journal_hash == other.journal_hash
    journals = (journal_of(*a), journal_of(*b))
    parting = None
    if not same_journal and journals[0] is not None and journals[1] is not None:
        parting = first_difference(journals[0], journals[1])
    return Comparison(
        a=a.run_id,
        b=b.run_id,
        same_config=one.config_hash == other.config_hash,
        same_journal=same_journal,
        parting=parting,
        orders=differing,
        equal_orders=len(all_orders) - len(differing),
        totals=tuple(_totals(one, other)),
    )


def first_difference(a: Path, b: Path) -> Parting | None:
    """Return where two journals part; None when they are equal.

    Raises:
        JournalFileError: if one of them is broken.
    """
    for one, other in zip_longest(read_journal(a), read_journal(b)):
        if one is None or other is None or (one.at_ns, one.body) != (other.at_ns, other.body):
            seq = one.seq if one is not None else other.seq if other is not None else 0
            return Parting(seq=seq, a=_side(one), b=_side(other))
    return None


def _side(entry: RecordedEntry | None) -> Side | None:
    if entry is None:
        return None
    # Read without types: another release's journal can be compared as well.
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    return Side(
        at_ns=entry.at_ns,
        input=str(body["input"]["type"]),
        events=tuple(str(event["type"]) for event in body["events"]),
    )


def _orders(one: Summary, other: Summary) -> Iterator[OrderDifference]:
    others = {line.operation_id: line for line in other.orders}
    for line in one.orders:
        twin = others.pop(line.operation_id, None)
        fields = () if twin is None else _differing(line, twin)
        if twin is None or fields:
            yield _difference(line.operation_id, fields, line, twin)
    for name, line in others.items():
        yield _difference(name, (), None, line)


def _differing(line: OrderLine, twin: OrderLine) -> tuple[str, ...]:
    return tuple(name for name in COMPARED if getattr(line, name) != getattr(twin, name))


def _difference(
    name: str, fields: tuple[str, ...], a: OrderLine | None, b: OrderLine | None
) -> OrderDifference:
    costs = (a.shortfall_bps if a is not None else None, b.shortfall_bps if b is not None else None)
    return OrderDifference(
        operation_id=name, fields=fields, a=a, b=b, shortfall_bps_change=_change(*costs)
    )


def _totals(one: Summary, other: Summary) -> Iterator[Change]:
    sides = (_named(one), _named(other))
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        a, b = sides[0].get(name), sides[1].get(name)
        yield Change(name=name, a=a, b=b, change=_change(a, b))


def _named(summary: Summary) -> dict[str, str]:
    totals = summary.totals
    named = {f"orders {state}": str(count) for state, count in totals.orders.items()}
    named |= {"children": str(totals.children), "fills": str(totals.fills)}
    named |= {f"fees {asset}": paid for asset, paid in totals.fees.items()}
    for quote, cost in totals.costs.items():
        named[f"traded {quote}"] = canonical(cost.notional)
        named[f"slippage {quote}"] = canonical(cost.slippage)
        named[f"slippage bps {quote}"] = canonical(cost.slippage_bps)
        named[f"shortfall bps {quote}"] = canonical(cost.shortfall_bps)
    named |= {f"equity change {c}": change.change for c, change in totals.equity.items()}
    return named


def _change(a: str | None, b: str | None) -> str | None:
    return None if a is None or b is None else canonical(sub(Decimal(b), Decimal(a)))
