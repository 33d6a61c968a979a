"""Taking orders, stopping them, settling them by hand: what callers ask and what comes of it."""

from decimal import Decimal
from typing import Any

import pytest
from tests.core.desk_bench import ACCOUNT, GATEWAY_EPOCH, LIMITS, SECOND, SPOT, Bench, terms

from quarterdeck.core.desk.plan import CANCEL_AGAIN_NS
from quarterdeck.core.desk.release import ANSWER_WITHIN_NS, SEND_WITHIN_NS
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AbsenceProof
from quarterdeck.core.model.commands import Resolution, ResolveChild, SubmitOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import (
    QueryChild,
    SendCancel,
    SendChild,
    WakeChild,
)
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce

D = Decimal
P, C, R = ParentStatus, ChildStatus, Reason


def reserved(bench: Bench, asset: str) -> Decimal:
    return bench.state.reserved.get(AssetKey(ACCOUNT, asset), D(0))


def test_an_order_is_accepted_reserved_and_sent_in_one_decision() -> None:
    bench = Bench()
    bench.submit()
    assert bench.event_tags() == ["parent_accepted", "child_created"]
    (send,) = bench.intents(SendChild)
    child = bench.child()
    assert send.child == child
    assert child.client_order_id == client_order_id("op", 1)
    assert (child.quantity, child.limit_px, child.status) == (D(2), D(100), C.IN_FLIGHT)
    assert child.send_by_ns == bench.now_ns + SEND_WITHIN_NS
    assert child.gateway_epoch == GATEWAY_EPOCH
    assert [w.at_ns for w in bench.intents(WakeChild)] == [bench.now_ns + ANSWER_WITHIN_NS]
    assert (bench.parent().exposed, bench.parent().available) == (D(2), D(0))
    assert (bench.parent().arrival_px, reserved(bench, "USDT")) == (D(100), D(200))
    assert [view.instrument for view in bench.last.views] == [SPOT]


def test_the_same_message_again_changes_nothing_whatever_happened_since() -> None:
    bench = Bench()
    first = SubmitOrder(terms=terms(), body_hash="v1:a", by="me")
    bench.give(first)
    bench.give(cmd.SetTradingState(state=TradingState.HALTED, by="me", why=""))
    bench.views.clear()
    again = bench.give(first)
    assert (again.events, again.intents, again.refused) == ((), (), None)


def test_the_same_id_with_another_body_is_refused() -> None:
    bench = Bench()
    bench.submit()
    reused = bench.submit(quantity=D(3))
    assert reused.events == ()
    assert reused.refused is not None
    assert reused.refused.code is R.ID_REUSED


def test_a_denied_order_is_durable_and_keeps_its_id() -> None:
    bench = Bench()
    bench.submit(quantity=D(21))
    assert bench.event_tags() == ["parent_denied"]
    assert (bench.parent().status, bench.parent().reason) == (P.DENIED, R.QUANTITY_OVER_LIMIT)
    assert bench.last.intents == ()
    assert reserved(bench, "USDT") == 0
    reused = bench.submit(quantity=D(1))
    assert reused.refused is not None
    assert reused.refused.code is R.ID_REUSED


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"instrument": "SIM:SPOT_PAIR:DOGE-USDT"}, R.UNKNOWN_INSTRUMENT, "instrument_key"),
        ({"account": "other"}, R.UNKNOWN_ACCOUNT, "account"),
    ],
)
def test_what_is_not_understood_leaves_the_id_unused(
    changes: dict[str, Any], code: Reason, field: str
) -> None:
    bench = Bench()
    refused = bench.submit(**changes).refused
    assert refused is not None
    assert (refused.code, refused.field) == (code, field)
    assert bench.state.parents == {}
    bench.submit()
    assert bench.parent().status is P.WORKING


@pytest.mark.parametrize(
    ("changes", "limit_px", "tif"),
    [
        ({"side": Side.BUY}, "105", TimeInForce.IOC),
        ({"side": Side.SELL}, "95", TimeInForce.IOC),
        ({"tif": TimeInForce.FOK}, "105", TimeInForce.FOK),
        ({"max_slippage_bps": D(100)}, "101", TimeInForce.IOC),
    ],
)
def test_a_market_order_goes_out_at_its_worst_price(
    changes: dict[str, Any], limit_px: str, tif: TimeInForce
) -> None:
    bench = Bench()
    bench.submit(order_type=OrderType.MARKET, limit_px=None, **changes)
    child = bench.child()
    assert (child.order_type, child.limit_px, child.tif) == (OrderType.LIMIT, D(limit_px), tif)


def test_funds_are_shared_by_all_live_orders_and_come_back() -> None:
    bench = Bench()
    for number in range(5):
        bench.submit(f"op{number}", quantity=D(20))
    assert reserved(bench, "USDT") == D(10_000)
    bench.submit("late", quantity=D("0.2"))
    assert bench.parent("late").reason is R.INSUFFICIENT_HOLDING
    bench.not_sent("op0")
    bench.submit("later", quantity=D("0.2"))
    assert bench.parent("later").status is P.WORKING
    assert reserved(bench, "USDT") == D(8_020)


def test_a_sell_reserves_what_it_gives() -> None:
    bench = Bench()
    bench.submit(side=Side.SELL, quantity=D(4))
    bench.fill("1", side=Side.SELL)
    assert reserved(bench, "BTC") == D(3)
    bench.close(filled="1")
    assert reserved(bench, "BTC") == D(0)


def in_flight(bench: Bench) -> None:
    bench.submit()


def working(bench: Bench) -> None:
    bench.submit()
    bench.accept()


def unknown(bench: Bench) -> None:
    bench.submit()
    bench.unknown()


def closing(bench: Bench) -> None:
    bench.submit()
    bench.accept()
    bench.close(filled="1")


@pytest.mark.parametrize("status", [in_flight, working, unknown, closing])
def test_cancel_while_something_is_out(status: Any) -> None:
    bench = Bench()
    status(bench)
    bench.cancel()
    assert bench.event_tags() == ["cancel_requested", "child_cancel_requested"]
    assert bench.parent().status is P.CANCELING
    assert bench.child().cancel_requested_ns == bench.now_ns
    assert len(bench.intents(SendCancel)) == 1
    # The wish alone ends nothing and frees nothing.
    assert bench.parent().exposed > 0
    assert reserved(bench, "USDT") > 0
    # Asked for again it is repeated, without another event.
    again = bench.cancel()
    assert (again.events, again.refused) == ((), None)
    assert len(bench.intents(SendCancel)) == 1


@pytest.mark.parametrize("status", [in_flight, working, unknown])
def test_a_cancel_without_effect_is_repeated_by_itself(status: Any) -> None:
    bench = Bench()
    status(bench)
    bench.cancel()
    bench.later(CANCEL_AGAIN_NS)
    bench.due()
    assert len(bench.intents(SendCancel)) == 1
    assert max(w.at_ns for w in bench.intents(WakeChild)) >= bench.now_ns


def finished(bench: Bench) -> None:
    working(bench)
    bench.fill("2")


def denied(bench: Bench) -> None:
    bench.submit(quantity=D(21))


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (finished, R.ALREADY_FINISHED),
        (denied, R.ALREADY_FINISHED),
        (lambda bench: None, R.UNKNOWN_ORDER),
    ],
)
def test_cancel_of_what_is_over_or_never_was(prepare: Any, code: Reason) -> None:
    bench = Bench()
    prepare(bench)
    refused = bench.cancel().refused
    assert refused is not None
    assert refused.code is code
    assert bench.last.events == ()


def test_a_cancel_from_the_time_of_the_outage_is_imported() -> None:
    bench = Bench()
    working(bench)
    bench.give(cmd.ImportEmergency(operation_id="op", by="me", at_ns=5))
    assert bench.parent().status is P.CANCELING
    assert len(bench.intents(SendCancel)) == 1


def test_a_cancel_that_overtook_its_order_is_asked_for_again() -> None:
    bench = Bench()
    in_flight(bench)
    bench.cancel()
    bench.give(
        facts.CancelRejected(
            account=ACCOUNT,
            client_order_id=client_order_id("op", 1),
            code="UNKNOWN_ORDER",
            text="",
            at_ns=0,
        )
    )
    assert bench.child().status is C.IN_FLIGHT, "an unknown order proves nothing"
    assert len(bench.intents(QueryChild)) == 1
    bench.accept()
    assert len(bench.intents(SendCancel)) == 1


@pytest.mark.parametrize(
    ("end", "asked", "status", "reason"),
    [
        (lambda b: b.fill("2"), False, P.FILLED, R.COMPLETED),
        (lambda b: b.fill("2"), True, P.FILLED, R.COMPLETED),
        (lambda b: b.close(), False, P.CANCELED, R.CANCELED_BY_VENUE),
        (lambda b: b.close(), True, P.CANCELED, R.CANCELED_ON_REQUEST),
        (lambda b: b.close(facts.VenueStatus.EXPIRED), False, P.EXPIRED, R.EXPIRED_AT_VENUE),
        (lambda b: b.reject(), False, P.REJECTED, R.VENUE_REJECTED),
        (lambda b: b.not_sent(), False, P.REJECTED, R.SEND_DEADLINE_PASSED),
        (lambda b: b.not_sent(), True, P.CANCELED, R.CANCELED_ON_REQUEST),
    ],
)
def test_how_a_parent_ends(end: Any, status: ParentStatus, reason: Reason, *, asked: bool) -> None:
    bench = Bench()
    in_flight(bench)
    if asked:
        bench.cancel()
    end(bench)
    assert (bench.parent().status, bench.parent().reason) == (status, reason)
    assert bench.parent().finished_ns == bench.now_ns
    assert reserved(bench, "USDT") == 0


def test_the_rest_of_an_immediate_order_is_no_cancel_by_the_venue() -> None:
    bench = Bench()
    bench.submit(tif=TimeInForce.IOC)
    bench.fill("1")
    bench.close(filled="1")
    assert bench.parent().reason is R.REMAINDER_CANCELED
    assert bench.parent().filled == D(1)


def a_resolution(outcome: Resolution = Resolution.ABSENT, number: int = 1) -> ResolveChild:
    return ResolveChild(
        operation_id="op", child_no=number, outcome=outcome, evidence="their page", by="me"
    )


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Resolution.ABSENT, P.REJECTED, R.RESOLVED_BY_OPERATOR),
        (Resolution.CANCELED, P.CANCELED, R.RESOLVED_BY_OPERATOR),
    ],
)
def test_a_person_settles_an_unknown_outcome(
    outcome: Resolution, status: ParentStatus, reason: Reason
) -> None:
    bench = Bench(proof=AbsenceProof.NONE)
    unknown(bench)
    bench.give(a_resolution(outcome))
    assert (bench.parent().status, bench.parent().reason) == (status, reason)
    assert bench.parent().detail == "their page"


@pytest.mark.parametrize("prepare", [in_flight, working, closing, finished])
def test_only_an_unknown_outcome_is_settled_by_hand(prepare: Any) -> None:
    bench = Bench()
    prepare(bench)
    refused = bench.give(a_resolution()).refused
    assert refused is not None
    assert refused.code is R.NOT_UNKNOWN
    assert bench.last.events == ()


def test_what_was_acknowledged_cannot_be_settled_as_absent() -> None:
    bench = Bench()
    working(bench)
    bench.later(10 * SECOND)
    bench.not_found()
    assert bench.child().status is C.UNKNOWN
    refused = bench.give(a_resolution()).refused
    assert refused is not None
    assert refused.code is R.INVALID_VALUE
    bench.give(a_resolution(Resolution.CANCELED))
    assert bench.parent().status is P.CANCELED


@pytest.mark.parametrize(
    "command",
    [
        a_resolution(number=2),
        ResolveChild(
            operation_id="none", child_no=1, outcome=Resolution.ABSENT, evidence="", by="me"
        ),
    ],
)
def test_settling_what_does_not_exist(command: ResolveChild) -> None:
    bench = Bench()
    unknown(bench)
    refused = bench.give(command).refused
    assert refused is not None
    assert refused.code is R.UNKNOWN_ORDER


def test_switches_are_events_only_when_they_change_something() -> None:
    bench = Bench()
    assert bench.give(cmd.SetLimits(limits=dict(bench.state.limits), by="me")).events == ()
    assert bench.give(cmd.SetLimits(limits={SPOT: LIMITS}, by="me")).events
    halt = cmd.SetTradingState(state=TradingState.HALTED, by="me", why="drill")
    assert bench.give(halt).events
    assert bench.give(halt).events == ()
    bench.submit()
    assert bench.parent().reason is R.TRADING_HALTED


def test_a_kill_halts_and_cancels_everything_and_may_be_repeated() -> None:
    bench = Bench()
    for name in ("op-1", "op-2", "op-3"):
        bench.submit(name, quantity=Decimal(1))
    bench.accept("op-1")
    bench.not_sent("op-3")
    bench.give(cmd.Kill(by="me", why="drill"))
    assert bench.state.trading_state is TradingState.HALTED
    statuses = {name: bench.parent(name).status for name in ("op-1", "op-2", "op-3")}
    assert statuses == {
        "op-1": ParentStatus.CANCELING,
        "op-2": ParentStatus.CANCELING,
        "op-3": ParentStatus.REJECTED,
    }
    canceled = {intent.client_order_id for intent in bench.intents(SendCancel)}
    assert canceled == {client_order_id("op-1", 1), client_order_id("op-2", 1)}
    again = bench.give(cmd.Kill(by="me", why="drill"))
    assert again.events == ()
    assert len([i for i in again.intents if isinstance(i, SendCancel)]) == 2
    bench.submit("op-4", quantity=Decimal(1))
    assert bench.parent("op-4").reason is R.TRADING_HALTED
