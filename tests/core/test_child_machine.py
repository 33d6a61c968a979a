"""The child order's machine: every status against every event, and the fills around its end."""

from decimal import Decimal
from typing import Final

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import ACCOUNT, SPOT, Bench

from quarterdeck.core.model import child as children
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.commands import Resolution
from quarterdeck.core.model.order import IllegalDecision
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce

D = Decimal
C = ChildStatus
NOW_NS: Final = 99
ILLEGAL: Final = "illegal"


def a_child(status: ChildStatus = C.IN_FLIGHT, **changes: object) -> ChildOrder:
    made = ChildOrder(
        client_order_id="QD1",
        operation_id="op",
        child_no=1,
        account=ACCOUNT,
        instrument=SPOT,
        side=Side.BUY,
        quantity=D(10),
        order_type=OrderType.LIMIT,
        limit_px=D(100),
        tif=TimeInForce.GTC,
        expire_ns=None,
        post_only=False,
        reduce_only=False,
        created_ns=1,
        send_by_ns=5,
        gateway_epoch=1,
        status=status,
    )
    if status is C.CLOSING:
        made = replace(made, close_as=C.CANCELED, close_filled=D(6))
    return replace(made, **changes)


def a_fill(quantity: str) -> ev.ChildFilled:
    return ev.ChildFilled(
        client_order_id="QD1", trade=Bench(ready=False).trade(quantity, "100", at_ns=44)
    )


def closed(status: ChildStatus, filled: str | None) -> ev.ChildClosed:
    return ev.ChildClosed(
        client_order_id="QD1",
        status=status,
        filled=None if filled is None else D(filled),
        reason=Reason.CANCELED_BY_VENUE,
    )


EVENTS: Final[dict[str, ev.ChildEvent]] = {
    "ack": ev.ChildAcknowledged(client_order_id="QD1", venue_order_id="V", at_ns=3),
    "reject": ev.ChildRejected(client_order_id="QD1", code="NO", text="no"),
    "not_sent": ev.ChildNotSent(client_order_id="QD1", why=Reason.SEND_DEADLINE_PASSED),
    "unknown": ev.ChildUnknown(client_order_id="QD1", why=Reason.NO_ANSWER),
    "part": a_fill("4"),
    "all": a_fill("10"),
    "closed": closed(C.EXPIRED, "0"),
    "closed_after_4": closed(C.EXPIRED, "4"),
    "absent": ev.ChildAbsent(client_order_id="QD1"),
    "resolved": ev.ChildResolved(
        client_order_id="QD1", outcome=Resolution.CANCELED, evidence="seen", by="me"
    ),
    "cancel": ev.ChildCancelRequested(client_order_id="QD1"),
    "cancel_rejected": ev.ChildCancelRejected(client_order_id="QD1", code="NO", text="no"),
    "released": ev.ChildReleased(client_order_id="QD1", held_until_ns=9),
    "not_found": ev.ChildNotFound(client_order_id="QD1", asked_ns=9),
}

# What each event makes of each status, in the order of EVENTS.
# `closing` waits for six to be filled. A dash: as it was. An X: a decision of ours that is illegal.
TABLE: Final = """
            ack     reject   not_sent unknown part    all    closed  closed4 absent resolved cancel rej rel nf
in_flight   working rejected not_sent unknown working filled expired closing X      X        -      -   -   -
working     -       rejected not_sent unknown -       filled expired closing X      X        -      -   -   -
unknown     working rejected not_sent -       working filled expired closing absent canceled -      -   -   -
closing     -       rejected not_sent unknown -       filled expired -       X      X        -      -   -   -
filled      -       rejected not_sent unknown -       -      -       -       X      X        X      -   -   -
canceled    -       rejected not_sent unknown -       filled -       -       X      X        X      -   -   -
expired     -       rejected not_sent unknown -       filled -       -       X      X        X      -   -   -
rejected    working -        not_sent unknown working filled expired closing X      X        X      -   -   -
not_sent    working rejected -        unknown working filled expired closing X      X        X      -   -   -
absent      working rejected not_sent unknown working filled expired closing X      X        X      -   -   -
"""  # noqa: E501 - a table is read across


def cases() -> list[tuple[str, str, str]]:
    rows = [line.split() for line in TABLE.strip().splitlines()[1:]]
    return [
        (row[0], event, after) for row in rows for event, after in zip(EVENTS, row[1:], strict=True)
    ]


@pytest.mark.parametrize(("status", "event", "after"), cases())
def test_every_status_against_every_event(status: str, event: str, after: str) -> None:
    before = a_child(C(status))
    if before.status is C.FILLED:
        before = replace(before, filled=D(10))
    if after == "X":
        with pytest.raises(IllegalDecision, match=f"QD1 is {status}"):
            children.apply(before, EVENTS[event], NOW_NS)
        return
    child = children.apply(before, EVENTS[event], NOW_NS)
    assert child.status is C(status if after == "-" else after)
    assert child.updated_ns == NOW_NS


def test_the_table_is_complete() -> None:
    assert {status for status, _, _ in cases()} == {status.value for status in C}
    kinds = {type(event) for event in EVENTS.values()}
    assert kinds == set(ev.ChildEvent.__value__.__args__)


@pytest.mark.parametrize(
    ("status", "changes", "leaves"),
    [
        (C.IN_FLIGHT, {}, "10"),
        (C.UNKNOWN, {}, "10"),
        (C.WORKING, {"filled": D(4)}, "6"),
        (C.WORKING, {"filled": D(11)}, "0"),
        (C.CLOSING, {"filled": D(4)}, "2"),
        (C.CANCELED, {"filled": D(4)}, "0"),
        (C.ABSENT, {}, "0"),
    ],
)
def test_leaves_are_what_the_venue_may_still_fill(
    status: ChildStatus, changes: dict[str, Decimal], leaves: str
) -> None:
    assert a_child(status, **changes).leaves == D(leaves)


def test_an_end_waits_for_its_fills_in_any_order() -> None:
    ended = children.apply(a_child(C.WORKING), closed(C.CANCELED, "7"), NOW_NS)
    assert (ended.status, ended.leaves) == (C.CLOSING, D(7))
    first = children.apply(ended, a_fill("3"), NOW_NS)
    assert (first.status, first.leaves) == (C.CLOSING, D(4))
    last = children.apply(first, a_fill("4"), NOW_NS)
    assert (last.status, last.leaves, last.close_filled) == (C.CANCELED, D(0), None)


def test_an_end_without_a_total_takes_the_fills_that_are_there() -> None:
    child = children.apply(a_child(C.WORKING, filled=D(3)), closed(C.EXPIRED, None), NOW_NS)
    assert (child.status, child.filled) == (C.EXPIRED, D(3))


def test_a_fill_before_the_acknowledgement_is_one() -> None:
    child = children.apply(a_child(), a_fill("4"), NOW_NS)
    assert (child.status, child.acknowledged_ns, child.venue_order_id) == (C.WORKING, 44, "V-op")
    again = children.apply(child, EVENTS["ack"], NOW_NS)
    assert (again.acknowledged_ns, again.venue_order_id) == (44, "V")


def test_a_late_fill_after_the_end_counts() -> None:
    child = children.apply(a_child(C.CANCELED, filled=D(3)), a_fill("4"), NOW_NS)
    assert (child.status, child.filled, child.notional) == (C.CANCELED, D(7), D(400))


def test_a_release_starts_the_proof_of_absence_anew() -> None:
    child = a_child(C.UNKNOWN, not_found_ns=(1, 2))
    after = children.apply(child, EVENTS["released"], NOW_NS)
    assert (after.held_until_ns, after.not_found_ns) == (9, ())
