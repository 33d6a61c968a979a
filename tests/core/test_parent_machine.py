"""The parent order's machine: every status against every decision, its arithmetic, its fills."""

from decimal import Decimal
from typing import Final

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import ACCOUNT, SPOT, Bench, terms

from quarterdeck.core.model import events as ev
from quarterdeck.core.model import order as orders
from quarterdeck.core.model.order import (
    DECISIONS,
    ENDS,
    IllegalDecision,
    OpenChild,
    ParentOrder,
)
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderType, TimeInForce

D = Decimal
S = ParentStatus
NOW_NS: Final = 99


def a_parent(status: ParentStatus = S.WORKING, **changes: object) -> ParentOrder:
    made = ParentOrder(
        terms=terms(quantity=D(10)), body_hash="v1:x", status=status, created_ns=1, updated_ns=1
    )
    return replace(made, **changes)


def a_child(quantity: str = "4", number: int = 1) -> ev.ChildCreated:
    return ev.ChildCreated(
        operation_id="op",
        child_no=number,
        client_order_id=f"QD{number}",
        account=ACCOUNT,
        instrument=SPOT,
        quantity=D(quantity),
        order_type=OrderType.LIMIT,
        limit_px=D(100),
        tif=TimeInForce.GTC,
        expire_ns=None,
        send_by_ns=5,
        gateway_epoch=1,
    )


def an_open_child(leaves: Decimal) -> OpenChild:
    return OpenChild(account=ACCOUNT, leaves=leaves, px=D(100))


def finished(status: ParentStatus) -> ev.ParentFinished:
    return ev.ParentFinished(operation_id="op", status=status, reason=Reason.COMPLETED)


CANCEL: Final = ev.CancelRequested(operation_id="op", by="me", why="")
REOPEN: Final = ev.ParentReopened(operation_id="op", child_no=1)
AMEND: Final = ev.ParentAmended(
    operation_id="op", terms=terms(quantity=D(12)), reserved_px=D(100), by="me"
)
ROUTED: Final = ev.SliceRouted(
    operation_id="op",
    quantity=D(1),
    mid_px=None,
    legs=(),
    alternatives=(),
    cost_bps=None,
    single_bps=None,
)
HELD: Final = ev.ParentHeld(operation_id="op", reason=Reason.STREAM_STALE, detail="why")

LEGAL: Final = {
    (S.WORKING, "child"): S.WORKING,
    (S.WORKING, "cancel"): S.CANCELING,
    (S.PAUSED, "cancel"): S.CANCELING,
    (S.WORKING, "amend"): S.WORKING,
    (S.PAUSED, "amend"): S.PAUSED,
    (S.WORKING, "pause"): S.PAUSED,
    (S.PAUSED, "resume"): S.WORKING,
    (S.WORKING, "expire"): S.CANCELING,
    (S.PAUSED, "expire"): S.CANCELING,
    (S.WORKING, "hold"): S.WORKING,
    (S.WORKING, "route"): S.WORKING,
    (S.WORKING, "finish"): S.FILLED,
    (S.PAUSED, "finish"): S.FILLED,
    (S.CANCELING, "finish"): S.FILLED,
    (S.FILLED, "reopen"): S.CANCELING,
    (S.CANCELED, "reopen"): S.CANCELING,
    (S.REJECTED, "reopen"): S.CANCELING,
    (S.EXPIRED, "reopen"): S.CANCELING,
}
DECISION: Final = {
    "child": a_child(),
    "cancel": CANCEL,
    "finish": finished(S.FILLED),
    "reopen": REOPEN,
    "amend": AMEND,
    "pause": ev.ParentPaused(operation_id="op", by="me", why=""),
    "resume": ev.ParentResumed(operation_id="op", by="me"),
    "expire": ev.ParentExpiring(operation_id="op", by=None, why="late"),
    "hold": HELD,
    "route": ROUTED,
}


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("what", DECISION)
def test_every_status_against_every_decision(status: ParentStatus, what: str) -> None:
    parent = a_parent(status)
    after = LEGAL.get((status, what))
    if after is None:
        with pytest.raises(IllegalDecision, match=f"op is {status}"):
            orders.apply(parent, DECISION[what], NOW_NS)  # type: ignore[arg-type]
    else:
        assert orders.apply(parent, DECISION[what], NOW_NS).status is after  # type: ignore[arg-type]


def test_the_table_and_this_test_list_the_same_pairs() -> None:
    assert {(status, type(DECISION[what])) for status, what in LEGAL} == set(DECISIONS)


@pytest.mark.parametrize("end", list(S))
def test_a_parent_finishes_only_as_an_end(end: ParentStatus) -> None:
    if end in ENDS:
        assert orders.apply(a_parent(), finished(end), NOW_NS).finished_ns == NOW_NS
    else:
        with pytest.raises(IllegalDecision):
            orders.apply(a_parent(), finished(end), NOW_NS)


@pytest.mark.parametrize(
    ("filled", "out", "quantity", "number", "legal"),
    [
        ("0", {}, "10", 1, True),
        ("0", {}, "10.1", 1, False),  # more than was asked for
        ("0", {}, "0", 1, False),
        ("0", {}, "-1", 1, False),
        ("4", {}, "6", 1, True),
        ("4", {}, "6.1", 1, False),  # what is filled is not sent again
        ("0", {1: D(7)}, "3", 2, True),
        ("0", {1: D(7)}, "3.1", 2, False),  # nor what is out
        ("4", {1: D(3)}, "3", 2, True),
        ("4", {1: D(3)}, "3.1", 2, False),
        ("11", {}, "1", 1, False),  # overfilled
        ("0", {}, "1", 2, False),  # child numbers have no gaps
        ("0", {1: D(1)}, "1", 1, False),  # and are never used twice
    ],
)
def test_nothing_is_sent_beyond_available(
    filled: str, out: dict[int, Decimal], quantity: str, number: int, *, legal: bool
) -> None:
    open_children = {no: an_open_child(leaves) for no, leaves in out.items()}
    parent = a_parent(filled=D(filled), open_children=open_children, children=len(out))
    event = a_child(quantity, number)
    if not legal:
        with pytest.raises(IllegalDecision):
            orders.apply(parent, event, NOW_NS)
        return
    after = orders.apply(parent, event, NOW_NS)
    assert after.exposed == parent.exposed + D(quantity)
    assert after.terms.quantity == after.filled + after.exposed + after.available


def test_a_parent_with_something_out_does_not_finish() -> None:
    with pytest.raises(IllegalDecision):
        orders.apply(a_parent(open_children={1: an_open_child(D(1))}), finished(S.CANCELED), NOW_NS)


@pytest.mark.parametrize("status", list(S))
def test_a_fill_counts_in_every_status(status: ParentStatus) -> None:
    bench = Bench(ready=False)
    trade = bench.trade("3", "101", fee=D("0.2"), fee_asset="BNB")
    rebate = bench.trade("1", "97", fee=D("-0.1"), fee_asset="BNB")
    parent = orders.with_trade(a_parent(status), trade, NOW_NS)
    parent = orders.with_trade(parent, rebate, NOW_NS)
    assert (parent.filled, parent.notional, parent.fees) == (D(4), D(400), {"BNB": D("0.1")})
    assert parent.avg_px == D(100)
    assert parent.status is status


def test_leaves_are_what_holds_funds() -> None:
    assert a_parent(filled=D(4)).leaves == D(6)
    assert a_parent(filled=D(11)).leaves == D(0)
    assert a_parent(S.CANCELED, filled=D(4)).leaves == D(0)
    assert a_parent().avg_px is None


def test_reopening_forgets_the_end() -> None:
    ended = a_parent(
        S.REJECTED, reason=Reason.PROVEN_ABSENT, detail="gone", finished_ns=5, children=1
    )
    again = orders.apply(ended, REOPEN, NOW_NS)
    assert (again.status, again.reason) == (S.CANCELING, Reason.REOPENED)
    assert (again.detail, again.finished_ns) == (None, None)
