"""Comparing an account with its venue: every named difference, and what is done about each."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import (
    ACCOUNT,
    BALANCES,
    GATEWAY_EPOCH,
    INSTRUMENTS,
    PERPETUAL,
    SECOND,
    Bench,
)

from quarterdeck.core.desk.facts import LOST_AFTER_NS
from quarterdeck.core.desk.reconcile import LOOK_AGAIN_NS, OVERLAP_NS
from quarterdeck.core.desk.state import AssetKey, position_key
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.facts import Balance, OrderReport, VenuePosition, VenueStatus
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import QueryChild, SendCancel, WakeAccount
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus

D = Decimal
C, P, R = ChildStatus, ParentStatus, Reason


def account(bench: Bench) -> AccountState:
    return bench.state.accounts[ACCOUNT]


def holding(bench: Bench, asset: str) -> Holding:
    return bench.state.holdings[AssetKey(ACCOUNT, asset)]


def balances(btc: str = "10", usdt: str = "10000") -> tuple[Balance, ...]:
    return (Balance(asset="BTC", total=D(btc)), Balance(asset="USDT", total=D(usdt)))


def moment(bench: Bench) -> int:
    bench.later(SECOND)
    return bench.now_ns


def wakes(bench: Bench) -> list[int]:
    return [wake.at_ns - bench.now_ns for wake in bench.intents(WakeAccount)]


def a_position(quantity: str, avg_px: str | None = "2000") -> VenuePosition:
    return VenuePosition(
        instrument=PERPETUAL, quantity=D(quantity), avg_px=D(avg_px) if avg_px else None
    )


def outside(name: str = "web-1", leaves: str = "1") -> OrderReport:
    report = Bench(ready=False).report(VenueStatus.OPEN, "0")
    return replace(report, client_order_id=name, venue_order_id=f"W-{name}", quantity=D(leaves))


# Taking up an account.


def test_the_first_snapshot_is_the_opening_and_opens_the_gate() -> None:
    bench = Bench(ready=False)
    bench.connect()
    bench.snapshot(
        balances=(*BALANCES, Balance(asset="BNB", total=D(0))), positions=(a_position("-3"),)
    )
    assert bench.event_tags() == [
        "holding_opened",
        "holding_opened",
        "position_opened",
        "account_opened",
        "account_reconciled",
    ]
    assert (holding(bench, "BTC").opening, holding(bench, "USDT").opening) == (D(10), D(10_000))
    opened = bench.state.positions[position_key(ACCOUNT, INSTRUMENTS[1])]
    assert (opened.quantity, opened.avg_px) == (D(-3), D(2_000))
    assert account(bench).gate_open


def test_trades_in_the_opening_snapshot_are_part_of_the_opening() -> None:
    bench = Bench(ready=False)
    bench.connect()
    old = bench.trade("1", name=None, client_order_id="web-1", at_ns=bench.now_ns - 5)
    bench.snapshot(trades=(old,))
    assert "external_fill" not in bench.event_tags()
    bench.give(old)
    assert bench.event_tags() == []
    assert holding(bench, "BTC").total == D(10)


def test_an_account_is_opened_once() -> None:
    bench = Bench()
    moment(bench)
    bench.connect(GATEWAY_EPOCH + 1)
    bench.snapshot(balances=balances(btc="11"))
    assert "holding_opened" not in bench.event_tags()
    assert holding(bench, "BTC").opening == D(10)


# Orders.


def test_fills_that_were_missed_are_booked_from_the_snapshot() -> None:
    bench = Bench()
    bench.submit()
    bench.accept()
    moment(bench)
    trade = bench.trade("1.5")
    bench.snapshot(
        orders=(bench.report(VenueStatus.OPEN, "1.5"),),
        trades=(trade,),
        balances=balances("11.5", "9850"),
    )
    assert "child_filled" in bench.event_tags()
    assert bench.parent().filled == D("1.5")
    bench.give(trade)
    assert bench.event_tags() == []


def test_an_order_in_doubt_that_is_listed_is_adopted() -> None:
    bench = Bench()
    bench.submit()
    bench.unknown()
    moment(bench)
    bench.snapshot(orders=(bench.report(VenueStatus.OPEN, "0"),))
    assert bench.child().status is C.WORKING


def test_an_order_that_is_not_listed_is_asked_for_not_presumed_gone() -> None:
    bench = Bench()
    bench.submit()
    bench.accept()
    moment(bench)
    bench.snapshot()
    assert bench.child().status is C.WORKING
    assert len(bench.intents(QueryChild)) == 1
    assert wakes(bench) == [LOOK_AGAIN_NS]


def test_a_snapshot_from_before_the_acknowledgement_says_nothing_of_it() -> None:
    bench = Bench()
    bench.submit()
    asked_ns = bench.now_ns
    moment(bench)
    bench.accept()
    bench.snapshot(asked_ns=asked_ns)
    assert bench.intents(QueryChild) == []


def test_an_order_in_doubt_that_is_not_listed_stays_in_doubt() -> None:
    bench = Bench()
    bench.submit()
    bench.unknown()
    bench.later(LOST_AFTER_NS * 10)
    bench.snapshot()
    assert bench.child().status is C.UNKNOWN


def test_an_order_held_for_dead_that_is_listed_is_reopened() -> None:
    bench = Bench()
    bench.submit()
    bench.not_sent()
    moment(bench)
    bench.snapshot(orders=(bench.report(VenueStatus.OPEN, "0"),))
    assert (bench.child().status, bench.parent().status) == (C.WORKING, P.CANCELING)
    assert R.REOPENED in bench.alerts()


def test_an_order_that_ended_and_is_listed_later_is_canceled_and_told() -> None:
    bench = Bench()
    bench.submit()
    bench.accept()
    bench.close()
    early = bench.report(VenueStatus.OPEN, "0")
    moment(bench)
    bench.snapshot(orders=(replace(early, asked_ns=early.asked_ns - 1),))
    assert bench.alerts() == [], "the snapshot may have been on its way"
    bench.snapshot(orders=(bench.report(VenueStatus.OPEN, "0"),))
    assert bench.alerts() == [R.ORDER_DIFFERS]
    assert len(bench.intents(SendCancel)) == 1


def test_orders_that_are_not_ours_are_noted_told_once_and_never_canceled() -> None:
    bench = Bench()
    bench.snapshot(orders=(outside(),))
    assert bench.event_tags() == ["external_order_seen"]
    assert bench.alerts() == [R.EXTERNAL_ORDER]
    assert bench.intents(SendCancel) == []
    bench.snapshot(orders=(outside(),))
    assert (bench.event_tags(), bench.alerts()) == ([], [])
    bench.snapshot(orders=(outside(leaves="0.4"),))
    assert (bench.event_tags(), bench.alerts()) == (["external_order_seen"], [])
    assert account(bench).external_orders["W-web-1"].leaves == D("0.4")
    bench.snapshot()
    assert bench.event_tags() == ["external_order_gone"]
    assert account(bench).external_orders == {}


def test_an_open_order_with_our_name_that_the_journal_lacks_is_told_as_a_difference() -> None:
    bench = Bench()
    bench.snapshot(orders=(outside(client_order_id("never", 1)),))
    assert bench.alerts() == [R.ORDER_DIFFERS]


def test_what_is_closing_keeps_the_comparison_open() -> None:
    bench = Bench()
    bench.submit()
    bench.accept()
    bench.close(filled="1")
    moment(bench)
    bench.snapshot(balances=balances("77"))
    assert "difference_seen" not in bench.event_tags()
    assert wakes(bench) == [LOOK_AGAIN_NS]


# Balances.


def test_a_balance_that_differs_once_may_be_a_fill_on_its_way() -> None:
    bench = Bench()
    bench.snapshot(balances=balances("11"))
    assert bench.event_tags() == ["difference_seen"]
    assert bench.alerts() == []
    assert LOOK_AGAIN_NS in wakes(bench)
    bench.snapshot()
    assert bench.event_tags() == ["difference_gone"]
    assert account(bench).differences == {}


def test_a_balance_that_differs_twice_alike_is_booked_as_unexplained_and_told() -> None:
    bench = Bench()
    bench.snapshot(balances=balances("11"))
    moment(bench)
    bench.snapshot(balances=balances("11"))
    assert bench.event_tags()[:3] == ["difference_seen", "holding_unexplained", "difference_gone"]
    assert bench.alerts() == [R.HOLDING_DIFFERS]
    btc = holding(bench, "BTC")
    assert (btc.total, btc.unexplained_total, btc.traded) == (D(11), D(1), D(0))
    moment(bench)
    bench.snapshot(balances=balances("11"))
    assert (bench.event_tags(), bench.alerts()) == ([], [])


def test_two_sightings_that_are_not_alike_confirm_nothing() -> None:
    bench = Bench()
    for btc in ("11", "12", "11", "12"):
        moment(bench)
        bench.snapshot(balances=balances(btc))
        assert bench.event_tags() == ["difference_seen"]


def test_the_same_snapshot_twice_is_one_sighting() -> None:
    bench = Bench()
    asked_ns = moment(bench)
    for _ in range(2):
        bench.snapshot(balances=balances("11"), asked_ns=asked_ns)
    assert holding(bench, "BTC").unexplained_total == 0


@pytest.mark.parametrize("ours", [True, False])
def test_a_late_trade_takes_back_the_difference_it_explains(*, ours: bool) -> None:
    bench = Bench()
    bench.submit()
    bench.accept()
    moment(bench)
    name = {} if ours else {"name": None, "client_order_id": "web-1"}
    late: Any = bench.trade("1", "100", **name)
    listed = (bench.report(VenueStatus.OPEN, "0"),)
    for _ in range(2):
        moment(bench)
        bench.snapshot(orders=listed, balances=balances("11", "9900"))
    assert (holding(bench, "BTC").total, holding(bench, "USDT").total) == (D(11), D(9_900))
    bench.give(late)
    assert bench.event_tags().count("holding_explained") == 2
    for asset, total in (("BTC", D(11)), ("USDT", D(9_900))):
        assert holding(bench, asset).total == total
        assert holding(bench, asset).unexplained_total == 0
    assert bench.parent().filled == (D(1) if ours else D(0)), "an adjustment fills nothing"


def test_a_trade_from_after_the_difference_explains_nothing() -> None:
    bench = Bench()
    for _ in range(2):
        moment(bench)
        bench.snapshot(balances=balances("11"))
    moment(bench)
    bench.fill("1", name=None, client_order_id="web-1")
    assert bench.event_tags() == ["external_fill"]
    assert holding(bench, "BTC").unexplained_total == D(1)


def test_balances_that_differ_by_rounding_are_equal() -> None:
    bench = Bench()
    bench.snapshot(balances=balances("10.00000001"))
    assert bench.event_tags() == []


def test_an_asset_that_appears_from_nowhere_is_a_difference() -> None:
    bench = Bench()
    for _ in range(2):
        moment(bench)
        bench.snapshot(balances=(*BALANCES, Balance(asset="AIRDROP", total=D(5))))
    assert holding(bench, "AIRDROP").unexplained_total == D(5)


# Positions.


def test_a_position_that_differs_twice_halts_its_instrument_until_it_agrees() -> None:
    bench = Bench()
    bench.snapshot(positions=(a_position("3"),))
    assert bench.event_tags() == ["difference_seen"]
    moment(bench)
    bench.snapshot(positions=(a_position("3"),))
    assert bench.event_tags()[:2] == ["difference_seen", "instrument_halted"]
    assert bench.alerts() == [R.POSITION_DIFFERS]
    bench.submit("no", instrument=PERPETUAL)
    assert bench.parent("no").reason is R.INSTRUMENT_HALTED
    bench.submit("yes")
    assert bench.parent("yes").status is P.WORKING, "other instruments go on"
    moment(bench)
    bench.snapshot(positions=(a_position("3"),))
    assert bench.alerts() == [], "told once"
    bench.snapshot()
    assert "instrument_released" in bench.event_tags()
    bench.submit("again", instrument=PERPETUAL)
    assert bench.parent("again").status is P.WORKING


def test_no_fill_is_invented_for_a_position() -> None:
    bench = Bench()
    for _ in range(3):
        moment(bench)
        bench.snapshot(positions=(a_position("3"),))
    assert position_key(ACCOUNT, INSTRUMENTS[1]) not in bench.state.positions


# Which snapshots count, and how far back the next one looks.


@pytest.mark.parametrize(
    "change", [{"account": "other"}, {"gateway_epoch": 6}, {"gateway_epoch": 8}]
)
def test_a_snapshot_of_another_account_or_run_is_no_news(change: dict[str, Any]) -> None:
    bench = Bench()
    bench.snapshot(**change, balances=balances("11"))
    assert bench.event_tags() == []


def test_a_snapshot_that_arrives_after_the_loss_is_no_news() -> None:
    bench = Bench()
    bench.give(facts.GatewayLost(account=ACCOUNT, why=R.STREAM_STALE))
    bench.snapshot(balances=balances("11"))
    assert bench.event_tags() == []
    assert not account(bench).gate_open


def test_the_next_comparison_looks_back_over_an_overlap() -> None:
    bench = Bench()
    began_ns = account(bench).trades_from_ns
    bench.later(60 * SECOND)
    trade = bench.trade("1", name=None, client_order_id="web-1")
    bench.snapshot(trades=(trade,), balances=balances("11", "9900"))
    assert account(bench).trades_from_ns == bench.now_ns - OVERLAP_NS
    assert account(bench).trades_from_ns > began_ns


def test_a_comparison_without_news_is_not_journaled() -> None:
    bench = Bench()
    moment(bench)
    bench.snapshot()
    assert bench.last.events == ()
