"""SMART orders in the desk's core: what is sent where, what is left out, what holds funds."""

from decimal import Decimal

import pytest
from tests.core.desk_bench import LIMITS
from tests.core.smart.three_venues import S, SmartBench, an_instrument, pair, smart_terms, twap

from quarterdeck.core.desk.preview import preview
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.market import encode_view, view_hash
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.core.risk.reserve import POOL

D = Decimal


def test_a_slice_is_swept_over_the_cheapest_venues_net_of_fees() -> None:
    bench = SmartBench()
    bench.smart(quantity=D("0.8"))
    legs = {leg.account: leg.quantity for leg in bench.routed().legs}
    # At 100 a basis point is a cent: three's fee is 3 cents below two's and 5 below one's, so its
    # first levels come first.
    assert legs == {"three": D("0.8")}
    bench.smart("more", quantity=D(4))
    legs = {leg.account: leg.quantity for leg in bench.routed().legs}
    assert sum(legs.values()) == 4
    assert legs["three"] > legs["two"] > legs["one"]


def test_the_children_are_the_legs_and_take_at_once() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(4))
    sent = bench.sent()
    assert [(c.account, c.quantity) for c in sent] == [
        (leg.account, leg.quantity) for leg in bench.routed().legs
    ]
    assert {c.tif for c in sent} == {TimeInForce.IOC}
    assert {c.limit_px for c in sent} == {D("105.00")}  # The collar of 5% around 100.
    assert bench.parent().exposed == 4


def test_never_worse_than_the_best_single_venue_and_says_so() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(6))
    event = bench.routed()
    assert event.cost_bps is not None
    assert event.single_bps is not None
    assert event.cost_bps < event.single_bps
    assert {seen.account for seen in event.alternatives} == {"one", "two", "three"}


def test_every_book_it_saw_is_kept_by_its_hash() -> None:
    bench = SmartBench()
    decision = bench.smart(quantity=D(1))
    kept = {view_hash(encode_view(view)).hex() for view in decision.views}
    named = {seen.view for seen in bench.routed().alternatives}
    assert named <= kept
    assert len(named) == 3


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda b: b.show("three", at_ns=b.now_ns - 2_000_000_000), Reason.REFERENCE_STALE),
        (
            lambda b: b.give(facts.GatewayLost(account="three", why=Reason.STREAM_STALE)),
            Reason.ACCOUNT_NOT_READY,
        ),
        (
            lambda b: b.give(
                cmd.SetLimits(limits={pair(a): LIMITS for a in ("one", "two")}, by="me")
            ),
            Reason.LIMIT_MISSING,
        ),
        (lambda b: b.views.pop(pair("three")), Reason.REFERENCE_MISSING),
    ],
)
def test_a_venue_that_cannot_be_used_is_left_out_with_the_reason(spoil, why) -> None:
    bench = SmartBench()
    spoil(bench)
    bench.smart(quantity=D(2))
    left_out = {seen.account: seen.left_out for seen in bench.routed().alternatives}
    assert left_out == {"one": None, "two": None, "three": why}
    assert {leg.account for leg in bench.routed().legs} <= {"one", "two"}


def test_a_venue_of_unknown_fee_is_left_out() -> None:
    bench = SmartBench(three=an_instrument("three", taker_fee_bps=None))
    bench.smart(quantity=D(1))
    left_out = {seen.account: seen.left_out for seen in bench.routed().alternatives}
    assert left_out["three"] is Reason.FEE_UNKNOWN


def test_the_named_venue_may_be_down() -> None:
    bench = SmartBench()
    bench.give(facts.GatewayLost(account="one", why=Reason.STREAM_STALE))
    bench.views.pop(pair("one"))
    bench.smart(quantity=D(1))
    assert bench.parent().arrival_px == 100
    assert bench.parent().exposed == 1


def test_without_any_venue_risk_denies() -> None:
    bench = SmartBench()
    for account in ("one", "two", "three"):
        bench.give(facts.GatewayLost(account=account, why=Reason.STREAM_STALE))
    bench.smart()
    assert bench.parent().status is ParentStatus.DENIED
    assert bench.parent().reason is Reason.ACCOUNT_NOT_READY


def test_no_leg_is_more_than_its_account_can_pay_for() -> None:
    bench = SmartBench(funds="110")
    # Each account can pay for one coin at the collar of 105 and its fee, and no more.
    bench.smart(quantity=D("2.4"))
    assert all(leg.quantity <= D("1.046") for leg in bench.routed().legs)
    assert bench.parent().exposed == D("2.4")
    for account in ("one", "two", "three"):
        held = bench.state.reserved.get(AssetKey(account, "USDT"), D(0))
        assert held <= 110


def test_what_is_not_sent_yet_is_held_over_all_accounts() -> None:
    bench = SmartBench()
    bench.smart(
        quantity=D(6), order_type=OrderType.LIMIT, limit_px=D("100.02"), tif=TimeInForce.GTC
    )
    out = bench.parent().exposed
    waiting = bench.parent().available
    assert out + waiting == 6
    assert bench.state.reserved.get(AssetKey(POOL, "USDT"), D(0)) == waiting * D("100.02")
    bench.cancel()
    for number in tuple(bench.parent().open_children):
        bench.end_child(number)
    assert bench.parent().status is ParentStatus.CANCELED
    assert all(held == 0 for held in bench.state.reserved.values())


def test_funds_promised_to_one_order_are_not_promised_again() -> None:
    bench = SmartBench(funds="150")  # 450 in all.
    rests = {"order_type": OrderType.LIMIT, "limit_px": D(99), "tif": TimeInForce.GTC}
    bench.smart("first", quantity=D(4), **rests)
    bench.smart("second", quantity=D(1), **rests)
    assert bench.parent("second").reason is Reason.INSUFFICIENT_HOLDING


def test_what_no_level_gives_rests_at_one_venue() -> None:
    bench = SmartBench()
    bench.smart(
        quantity=D(2), order_type=OrderType.LIMIT, limit_px=D("100.01"), tif=TimeInForce.GTC
    )
    resting = [c for c in bench.sent() if c.tif is TimeInForce.GTC]
    taking = [c for c in bench.sent() if c.tif is TimeInForce.IOC]
    assert {c.account for c in taking} == {"one", "two", "three"}
    assert [c.account for c in resting] == ["one"]
    assert sum(c.quantity for c in bench.sent()) == 2
    assert [leg.rests for leg in bench.routed().legs].count(True) == 1


def test_post_only_takes_nothing_and_rests_at_one_venue() -> None:
    bench = SmartBench()
    bench.smart(
        quantity=D(2),
        order_type=OrderType.LIMIT,
        limit_px=D(99),
        tif=TimeInForce.GTC,
        post_only=True,
    )
    [child] = bench.sent()
    assert (child.account, child.quantity, child.tif) == ("one", D(2), TimeInForce.GTC)


def test_one_round_only_for_an_order_that_takes_at_once() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(1))
    bench.fill_child(1, "0.3")
    bench.end_child(1)
    for number in range(2, bench.parent().children + 1):
        bench.end_child(number)
    parent = bench.parent()
    assert parent.status is ParentStatus.CANCELED
    assert parent.reason is Reason.REMAINDER_CANCELED


def test_a_sell_uses_the_bids_and_the_coins_of_each_account() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(3), side=Side.SELL)
    assert {c.limit_px for c in bench.sent()} == {D("95.00")}
    assert bench.parent().exposed == 3


def test_reducing_counts_what_all_accounts_hold() -> None:
    bench = SmartBench()
    bench.give(cmd.SetTradingState(state=TradingState.REDUCING, by="me", why="test"))
    bench.smart("buys", quantity=D(1))
    assert bench.parent("buys").reason is Reason.TRADING_REDUCING
    bench.smart("sells", quantity=D(12), side=Side.SELL)
    assert bench.parent("sells").status is ParentStatus.WORKING


def test_a_preview_tells_the_route_and_changes_nothing() -> None:
    bench = SmartBench()
    before = dict(bench.state.parents)
    seen = preview(bench.state, smart_terms(quantity=D(4)), bench.now_ns, bench.views)
    assert seen.refused is None
    assert sum(leg.quantity for leg in seen.legs) == 4
    assert seen.cost_bps is not None
    assert seen.single_bps is None or seen.cost_bps <= seen.single_bps
    assert bench.state.parents == before
    bench.smart(quantity=D(4))
    assert bench.routed().legs == seen.legs


def test_a_preview_tells_why_an_order_would_be_denied() -> None:
    bench = SmartBench()
    seen = preview(bench.state, smart_terms(quantity=D(1_000)), bench.now_ns, bench.views)
    assert seen.refused is not None
    assert seen.refused.code is Reason.QUANTITY_OVER_LIMIT


def test_every_routing_is_told_before_its_children() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(4))
    kinds = [type(event) for event in bench.last.events]
    assert kinds[:2] == [ev.ParentAccepted, ev.SliceRouted]
    assert set(kinds[2:]) == {ev.ChildCreated}


def test_no_leg_is_over_a_venues_largest_order() -> None:
    bench = SmartBench(
        three=an_instrument("three", max_notional=D(21)), two=an_instrument("two", max_qty=D("0.5"))
    )
    bench.smart(quantity=D(4))
    legs = {leg.account: leg.quantity for leg in bench.routed().legs}
    assert legs["three"] == D("0.20")  # At the collar of 105, 0.2 is worth 21.
    assert legs["two"] == D("0.5")
    assert sum(legs.values()) == 4


def test_a_venue_that_refuses_is_left_out_and_the_order_completes_elsewhere() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap())
    asked: list[str] = []
    for _ in range(60):
        for number in tuple(bench.parent().open_children):
            child = bench.child(number)
            asked.append(child.account)
            if child.account == "three":  # The cheapest, and it refuses everything.
                bench.refuse_child(number)
            else:
                bench.fill_child(number)
        if not bench.parent().status.is_live:
            break
        bench.later(S // 2)
        bench.look()
    assert bench.parent().status is ParentStatus.FILLED
    assert 1 <= asked.count("three") <= 5
    assert asked[0] == "three"


def test_a_failing_venue_is_tried_again_and_a_fill_forgives_it() -> None:
    bench = SmartBench()
    bench.smart(quantity=D(2), **twap(horizon_s=60, interval_s=6))
    bench.refuse_child(1)
    bench.later(6 * S)
    bench.look()
    left_out = {seen.account: seen.left_out for seen in bench.routed().alternatives}
    assert left_out["three"] is None
    for number in tuple(bench.parent().open_children):
        bench.fill_child(number)
    assert bench.parent().failures == 0
