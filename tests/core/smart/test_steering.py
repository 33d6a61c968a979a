"""Amend, pause, resume, expire: the ledger through all of them, and what algorithms make of it."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import Bench
from tests.core.smart.three_venues import S, SmartBench, twap

from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.algorithm import Algorithm, IcebergParams
from quarterdeck.core.model.commands import OrderChanges
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import SendCancel
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderType, Route, TimeInForce

D = Decimal


def amend(bench: Bench, name: str = "op", **changes: Any):
    command = cmd.AmendOrder(operation_id=name, changes=OrderChanges(**changes), by="me")
    return bench.give(command)


def pause(bench: Bench, name: str = "op"):
    return bench.give(cmd.PauseOrder(operation_id=name, by="me"))


def resume(bench: Bench, name: str = "op"):
    return bench.give(cmd.ResumeOrder(operation_id=name, by="me"))


def resting(**changes: Any) -> Bench:
    """Return a bench with 2 coins resting at 100, acknowledged."""
    bench = Bench()
    bench.submit(**changes)
    bench.accept()
    return bench


def end(bench: Bench, number: int, filled: str = "0") -> None:
    bench.give(
        facts.OrderClosed(
            account="acc",
            client_order_id=client_order_id("op", number),
            venue_order_id="V",
            status=facts.VenueStatus.CANCELED,
            filled=D(filled),
            at_ns=bench.now_ns,
        )
    )


def test_an_amend_downwards_lowers_available_at_once_and_cancels_the_excess() -> None:
    bench = resting()
    decision = amend(bench, quantity=D(1))
    parent = bench.parent()
    assert (parent.exposed, parent.available) == (2, -1)
    assert [type(i) for i in decision.intents if isinstance(i, SendCancel)] == [SendCancel]
    assert not any(isinstance(event, ev.ChildCreated) for event in decision.events)
    end(bench, 1)
    parent = bench.parent()
    assert (parent.exposed, parent.available, parent.children) == (1, 0, 2)


def test_a_fill_that_beats_the_cancel_counts() -> None:
    bench = resting()
    amend(bench, quantity=D(1))
    bench.fill("1.5")
    end(bench, 1, "1.5")
    parent = bench.parent()
    assert (parent.status, parent.filled, parent.exposed) == (ParentStatus.FILLED, D("1.5"), 0)


def test_an_amend_to_what_is_filled_ends_the_order() -> None:
    bench = resting()
    bench.fill("0.5")
    amend(bench, quantity=D("0.5"))
    end(bench, 1, "0.5")
    assert bench.parent().status is ParentStatus.FILLED


def test_never_below_what_is_filled() -> None:
    bench = resting()
    bench.fill("1.5")
    refused = amend(bench, quantity=D("1.4")).refused
    assert refused is not None
    assert (refused.code, refused.field) == (Reason.QUANTITY_UNDER_FILLED, "quantity")
    assert bench.parent().terms.quantity == 2


def test_an_amend_upwards_leaves_what_rests_in_its_place() -> None:
    bench = resting()
    decision = amend(bench, quantity=D(3))
    assert not any(isinstance(i, SendCancel) for i in decision.intents)
    parent = bench.parent()
    assert (parent.children, parent.exposed, parent.available) == (2, 3, 0)


def test_a_new_price_cancels_and_sends_anew_only_when_the_old_is_gone() -> None:
    bench = resting()
    amend(bench, limit_px=D("99.5"))
    assert bench.parent().children == 1
    end(bench, 1)
    child = bench.state.children[client_order_id("op", 2)]
    assert (child.limit_px, child.quantity) == (D("99.5"), 2)


def test_a_price_amend_of_an_unknown_child_sends_nothing() -> None:
    bench = resting()
    bench.submit("op2")
    bench.unknown("op2")
    amend(bench, "op2", limit_px=D("99.5"))
    parent = bench.parent("op2")
    assert (parent.children, parent.exposed, parent.available) == (1, 2, 0)


def test_funds_are_held_at_the_old_price_until_the_old_child_is_gone() -> None:
    bench = resting()
    held = dict(bench.state.reserved)
    amend(bench, limit_px=D("99.5"))
    assert dict(bench.state.reserved) == held
    end(bench, 1)
    assert sum(bench.state.reserved.values()) == D("199.0")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": D(200)}, Reason.QUANTITY_OVER_MAXIMUM),
        ({"quantity": D(22)}, Reason.QUANTITY_OVER_LIMIT),
        ({"quantity": D("2.05")}, Reason.QUANTITY_OFF_LOT),
        ({"quantity": D("1.05")}, Reason.QUANTITY_OFF_LOT),
        ({"limit_px": D("100.3")}, Reason.PRICE_OFF_TICK),
        ({"limit_px": D(150)}, Reason.PRICE_OUTSIDE_COLLAR),
        ({"quantity": D(2)}, Reason.NOTHING_TO_AMEND),
    ],
)
def test_risk_judges_the_new_terms(changes: dict[str, Any], code: Reason) -> None:
    bench = resting()
    before = bench.parent()
    refused = amend(bench, **changes).refused
    assert refused is not None
    assert refused.code is code
    assert bench.parent() == before


def test_a_halted_desk_takes_amends_that_only_take_away() -> None:
    bench = resting()
    bench.give(cmd.SetTradingState(state=TradingState.HALTED, by="me", why="test"))
    assert amend(bench, quantity=D(1)).refused is None
    refused = amend(bench, quantity=D("1.5")).refused
    assert refused is not None
    assert refused.code is Reason.TRADING_HALTED


def test_a_pause_cancels_what_is_out_and_sends_nothing() -> None:
    bench = resting()
    pause(bench)
    end(bench, 1)
    bench.later(60 * S)
    parent = bench.parent()
    assert (parent.status, parent.children, parent.available) == (ParentStatus.PAUSED, 1, 2)
    resume(bench)
    parent = bench.parent()
    assert (parent.status, parent.children, parent.exposed) == (ParentStatus.WORKING, 2, 2)


def test_a_resume_before_the_cancel_is_confirmed_never_doubles() -> None:
    bench = resting()
    pause(bench)
    resume(bench)
    assert (bench.parent().exposed, bench.parent().children) == (2, 1)
    end(bench, 1)
    assert (bench.parent().exposed, bench.parent().children) == (2, 2)


def test_a_paused_order_that_fills_is_filled() -> None:
    bench = resting()
    pause(bench)
    bench.fill("2")
    assert bench.parent().status is ParentStatus.FILLED


def test_pausing_again_does_nothing_and_only_paused_resumes() -> None:
    bench = resting()
    refused = resume(bench).refused
    assert refused is not None
    assert refused.code is Reason.NOT_PAUSED
    pause(bench)
    assert pause(bench).events == ()


@pytest.mark.parametrize("command", [cmd.PauseOrder, cmd.ResumeOrder, cmd.ExpireOrder])
def test_what_is_being_canceled_is_not_steered_any_more(command: Any) -> None:
    bench = resting()
    bench.cancel()
    refused = bench.give(command(operation_id="op", by="me")).refused
    assert refused is not None
    assert refused.code is Reason.ALREADY_CANCELING
    end(bench, 1)
    refused = bench.give(command(operation_id="op", by="me")).refused
    assert refused is not None
    assert refused.code is Reason.ALREADY_FINISHED
    refused = bench.give(command(operation_id="nobody", by="me")).refused
    assert refused is not None
    assert refused.code is Reason.UNKNOWN_ORDER


def test_a_paused_order_can_be_canceled_and_amended() -> None:
    bench = resting()
    pause(bench)
    end(bench, 1)
    amend(bench, limit_px=D("99.5"))
    assert bench.parent().status is ParentStatus.PAUSED
    assert bench.parent().children == 1
    bench.cancel()
    assert bench.parent().status is ParentStatus.CANCELED
    assert all(held == 0 for held in bench.state.reserved.values())


def test_expire_ends_an_order_as_expired() -> None:
    bench = resting()
    bench.give(cmd.ExpireOrder(operation_id="op", by="me", why="the day is over"))
    end(bench, 1)
    parent = bench.parent()
    assert (parent.status, parent.reason) == (ParentStatus.EXPIRED, Reason.TIME_OVER)
    assert parent.detail == "the day is over"


def test_the_clock_ends_an_order_whose_venue_does_not() -> None:
    bench = SmartBench()
    expire_ns = bench.now_ns + 3 * S
    bench.smart(
        quantity=D(1),
        order_type=OrderType.LIMIT,
        limit_px=D(99),
        tif=TimeInForce.GTD,
        expire_ns=expire_ns,
    )
    bench.accept_child(1)
    bench.later(3 * S)
    bench.look()
    assert bench.parent().status is ParentStatus.WORKING  # The venue has a moment to do it.
    bench.later(S)
    bench.look()
    assert bench.parent().status is ParentStatus.CANCELING
    bench.end_child(1)
    assert bench.parent().status is ParentStatus.EXPIRED


def test_a_twap_is_cut_over_time_and_venues_and_completes() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    for _ in range(40):
        for number in tuple(bench.parent().open_children):
            bench.fill_child(number)
        if not bench.parent().status.is_live:
            break
        bench.later(S // 2)
        bench.look()
    parent = bench.parent()
    assert (parent.status, parent.filled) == (ParentStatus.FILLED, 2)
    assert parent.children >= 10
    assert bench.now_ns - parent.created_ns < 10 * S


def test_a_twap_survives_pause_amend_rejects_and_a_stale_venue() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    for number in tuple(bench.parent().open_children):
        bench.refuse_child(number)
    bench.later(S)
    bench.look()
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    pause(bench)
    bench.later(3 * S)
    bench.look()
    assert bench.parent().exposed == 0
    resume(bench)
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    amend(bench, quantity=D("1.5"))
    for _ in range(60):
        for number in tuple(bench.parent().open_children):
            bench.fill_child(number)
        if not bench.parent().status.is_live:
            break
        bench.later(S // 2)
        bench.show("three", at_ns=0)
        bench.look()
    assert (bench.parent().status, bench.parent().filled) == (ParentStatus.FILLED, D("1.5"))


def test_a_slice_that_cannot_be_sent_is_held_and_told_once() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    for account in ("one", "two", "three"):
        bench.give(facts.GatewayLost(account=account, why=Reason.STREAM_STALE))
    bench.later(S)
    [held] = bench.look().events
    assert isinstance(held, ev.ParentHeld)
    assert bench.parent().held is Reason.NO_VENUE
    assert "one: account_not_ready" in (bench.parent().detail or "")
    bench.later(S)
    assert bench.look().events == ()


def test_a_halted_desk_holds_slices() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    bench.give(cmd.SetTradingState(state=TradingState.HALTED, by="me", why="test"))
    bench.later(S)
    bench.look()
    assert bench.parent().held is Reason.TRADING_HALTED
    bench.give(cmd.SetTradingState(state=TradingState.ACTIVE, by="me", why="test"))
    bench.later(S)
    bench.look()
    assert bench.parent().exposed > 0
    assert bench.parent().held is None


def test_an_iceberg_shows_one_part_at_a_time() -> None:
    bench = SmartBench()
    params = IcebergParams(
        display_qty=D("0.3"), display_variance_pct=D(0), refill_delay_ns=0, seed=0
    )
    bench.smart(
        quantity=D(1),
        order_type=OrderType.LIMIT,
        limit_px=D(99),
        tif=TimeInForce.GTC,
        algorithm=Algorithm.ICEBERG,
        params=params,
        route=Route.DIRECT,
        others=(),
    )
    shown = []
    while bench.parent().status.is_live:
        [(number, child)] = bench.parent().open_children.items()
        shown.append(child.leaves)
        bench.fill_child(number)
        bench.later(S)
        bench.look()
    assert shown == [D("0.3"), D("0.3"), D("0.3"), D("0.1")]
    assert bench.parent().status is ParentStatus.FILLED


def test_slices_under_the_minimum_are_refused_and_leave_the_id_unused() -> None:
    bench = SmartBench()
    refused = bench.smart(quantity=D("0.2"), **twap(horizon_s=100)).refused
    assert refused is not None
    assert refused.code is Reason.SLICE_UNDER_MINIMUM
    assert refused.field == "exec_algorithm_params.interval_secs"
    assert "op" not in bench.state.parents


def test_parameters_can_be_amended() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    params = bench.parent().terms.params
    amend(bench, params=replace(params, horizon_ns=2 * S))
    bench.later(S)
    bench.look()
    assert bench.parent().exposed >= D("0.6")


def test_an_order_amended_while_paused_and_resumed_at_once_sends_all_of_it() -> None:
    bench = resting()
    pause(bench)
    amend(bench, quantity=D(3))
    resume(bench)
    assert bench.parent().children == 1  # It waits for what the canceled child brings back.
    end(bench, 1)
    assert (bench.parent().exposed, bench.parent().children) == (3, 2)
