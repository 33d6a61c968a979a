"""What venues report, in every order in which it may come: late, doubled, reordered, too much."""

from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import ACCOUNT, INSTRUMENTS, SECOND, Bench

from quarterdeck.core.desk.facts import LOST_AFTER_NS
from quarterdeck.core.desk.release import ANSWER_WITHIN_NS
from quarterdeck.core.desk.state import AssetKey, position_key
from quarterdeck.core.model import facts
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, WakeChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import Side

D = Decimal
P, C, R = ParentStatus, ChildStatus, Reason


def sent() -> Bench:
    bench = Bench()
    bench.submit()
    return bench


def held(bench: Bench, asset: str) -> Decimal:
    return bench.state.holdings[AssetKey(ACCOUNT, asset)].total


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_same_story_in_any_order_ends_the_same(order: tuple[int, ...]) -> None:
    """Acknowledgement, two fills and the end, as pushes may overtake each other."""
    bench = sent()
    story: list[Any] = [
        bench.accept,
        partial(bench.give, bench.trade("0.5", "99", fee=D("0.1"))),
        partial(bench.give, bench.trade("0.7", "98")),
        lambda: bench.close(filled="1.2"),
    ]
    for step in order:
        story[step]()
    child, parent = bench.child(), bench.parent()
    assert (child.status, parent.status) == (C.CANCELED, P.CANCELED)
    assert (parent.filled, parent.notional) == (D("1.2"), D("118.1"))
    assert parent.fees == {"USDT": D("0.1")}
    assert (held(bench, "BTC"), held(bench, "USDT")) == (D("11.2"), D(10_000) - D("118.2"))
    key = position_key(ACCOUNT, INSTRUMENTS[0])
    assert bench.state.positions[key].quantity == D("1.2")
    for step in order:
        before = bench.state.parents["op"]
        story[step]()
        assert bench.event_tags() == [], "told a second time it is no news"
        assert bench.state.parents["op"] == before


def test_a_fill_is_a_sign_of_life() -> None:
    bench = sent()
    bench.unknown()
    bench.fill("0.5")
    assert bench.child().status is C.WORKING
    assert bench.parent().exposed == D("1.5")


def test_an_end_before_its_fills_keeps_what_is_missing_exposed() -> None:
    bench = sent()
    bench.accept()
    bench.close(filled="1.5")
    assert (bench.child().status, bench.parent().exposed) == (C.CLOSING, D("1.5"))
    assert len(bench.intents(RequestSnapshot)) == 1
    (wake,) = bench.intents(WakeChild)
    bench.later(wake.at_ns - bench.now_ns)
    bench.due()
    assert len(bench.intents(RequestSnapshot)) == 1, "asked for until they come"
    bench.fill("1.5")
    assert (bench.child().status, bench.parent().status) == (C.CANCELED, P.CANCELED)


def test_two_ends_that_contradict_are_both_told_and_the_last_holds() -> None:
    bench = sent()
    bench.accept()
    bench.close(filled="1")
    bench.close(filled="2")
    assert bench.child().close_filled == D(2)
    bench.fill("2")
    assert bench.parent().status is P.FILLED


def test_an_overfill_is_booked_and_told() -> None:
    bench = sent()
    bench.fill("1.5")
    bench.fill("1.5")
    parent = bench.parent()
    assert (parent.status, parent.filled, parent.available) == (P.FILLED, D(3), D(-1))
    assert R.OVERFILLED in bench.alerts()
    assert held(bench, "BTC") == D(13)


@pytest.mark.parametrize(
    ("end", "status"),
    [(VenueStatus.CANCELED, P.CANCELED), (VenueStatus.EXPIRED, P.EXPIRED)],
)
def test_a_fill_after_the_end_counts_and_is_told(end: VenueStatus, status: ParentStatus) -> None:
    bench = sent()
    bench.accept()
    bench.close(end, filled=None)
    assert bench.parent().status is status
    bench.fill("0.5")
    assert bench.event_tags() == ["child_filled", "parent_reopened", "parent_finished"]
    assert R.LATE_FILL in bench.alerts()
    assert (bench.parent().status, bench.parent().filled) == (status, D("0.5"))
    bench.fill("1.5")
    assert bench.parent().status is P.FILLED


@pytest.mark.parametrize("death", [Bench.reject, Bench.not_sent])
@pytest.mark.parametrize("life", ["accepted", "fill", "report"])
def test_a_dead_order_that_lives_is_reopened_and_canceled(death: Any, life: str) -> None:
    bench = sent()
    death(bench)
    assert bench.parent().status is P.REJECTED
    match life:
        case "accepted":
            bench.accept()
        case "fill":
            bench.fill("0.5")
        case _:
            bench.give(bench.report(VenueStatus.OPEN, "0"))
    assert bench.child().status is C.WORKING
    assert (bench.parent().status, bench.parent().reason) == (P.CANCELING, R.REOPENED)
    assert R.REOPENED in bench.alerts()
    assert len(bench.intents(SendCancel)) >= 1
    assert bench.parent().exposed == bench.child().leaves
    bench.close(filled=str(bench.child().filled))
    assert bench.parent().status is P.CANCELED
    assert not any(bench.state.reserved.values())


def test_a_dead_order_that_filled_whole_ends_as_filled() -> None:
    bench = sent()
    bench.not_sent()
    bench.fill("2")
    assert (bench.child().status, bench.parent().status) == (C.FILLED, P.FILLED)
    assert R.LATE_FILL in bench.alerts()


@pytest.mark.parametrize("late", [Bench.reject, Bench.not_sent, Bench.unknown])
def test_a_no_about_an_order_that_works_is_not_believed(late: Any) -> None:
    bench = sent()
    bench.accept()
    late(bench)
    assert bench.child().status is C.WORKING
    assert bench.event_tags() == []


def test_a_rejection_of_an_order_that_works_asks_for_its_state() -> None:
    bench = sent()
    bench.accept()
    bench.reject()
    assert len(bench.intents(QueryChild)) == 1


@pytest.mark.parametrize("late", [Bench.reject, Bench.not_sent])
def test_a_no_about_an_order_that_filled_is_not_believed(late: Any) -> None:
    bench = sent()
    bench.fill("0.5")
    late(bench)
    assert (bench.child().status, bench.parent().exposed) == (C.WORKING, D("1.5"))


@pytest.mark.parametrize("late", [Bench.reject, Bench.not_sent])
def test_a_no_about_an_order_that_filled_and_was_lost_is_not_believed(late: Any) -> None:
    bench = sent()
    bench.fill("0.5")
    bench.later(LOST_AFTER_NS)
    bench.not_found()
    assert bench.child().status is C.UNKNOWN
    late(bench)
    assert bench.child().status is C.UNKNOWN
    assert bench.parent().exposed == D("1.5")


def test_silence_makes_the_outcome_unknown_and_keeps_it_exposed() -> None:
    bench = sent()
    bench.later(ANSWER_WITHIN_NS - 1)
    bench.due()
    assert bench.child().status is C.IN_FLIGHT
    bench.later(1)
    bench.due()
    assert (bench.child().status, bench.child().reason) == (C.UNKNOWN, R.NO_ANSWER)
    assert bench.parent().exposed == D(2)
    assert len(bench.intents(QueryChild)) == 1
    assert bench.intents(WakeChild)


@pytest.mark.parametrize(
    ("status", "filled", "child", "parent"),
    [
        (VenueStatus.OPEN, "0", C.WORKING, P.WORKING),
        (VenueStatus.OPEN, "0.5", C.WORKING, P.WORKING),
        (VenueStatus.CANCELED, "0", C.CANCELED, P.CANCELED),
        (VenueStatus.CANCELED, "0.5", C.CLOSING, P.WORKING),
        (VenueStatus.FILLED, "2", C.CLOSING, P.WORKING),
        (VenueStatus.EXPIRED, "0", C.EXPIRED, P.EXPIRED),
        (VenueStatus.REJECTED, "0", C.REJECTED, P.REJECTED),
    ],
)
@pytest.mark.parametrize("before", ["in_flight", "unknown"])
def test_a_report_settles_a_doubt_and_never_invents_a_fill(
    before: str, status: VenueStatus, filled: str, child: ChildStatus, parent: ParentStatus
) -> None:
    bench = sent()
    if before == "unknown":
        bench.unknown()
    bench.give(bench.report(status, filled))
    assert (bench.child().status, bench.parent().status) == (child, parent)
    assert bench.parent().filled == 0
    if D(filled):
        assert len(bench.intents(RequestSnapshot)) == 1


def test_a_report_about_somebody_elses_order_is_no_news() -> None:
    bench = sent()
    report = bench.report(VenueStatus.OPEN, "1")
    for name in (None, "web-1", client_order_id("never", 1)):
        bench.give(replace(report, client_order_id=name))
        assert bench.last.events == ()


@pytest.mark.parametrize(
    "fact",
    [
        Bench.accept,
        Bench.reject,
        Bench.not_sent,
        Bench.unknown,
        Bench.close,
        Bench.not_found,
        Bench.due,
    ],
)
def test_facts_about_orders_that_nobody_knows_change_nothing(fact: Any) -> None:
    bench = Bench()
    fact(bench, "never")
    assert bench.last.events == ()


def test_an_acknowledged_name_of_ours_that_the_journal_lacks_is_told() -> None:
    bench = Bench()
    bench.accept("never")
    assert bench.alerts() == [R.ORDER_DIFFERS]
    bench.give(
        facts.OrderAccepted(account=ACCOUNT, client_order_id="web-1", venue_order_id="V", at_ns=0)
    )
    assert bench.alerts() == []


def test_an_execution_of_somebody_elses_order_moves_holdings_once() -> None:
    bench = Bench()
    bench.later(SECOND)
    trade = bench.fill("1", "100", name=None, client_order_id="web-1", fee=D(1))
    assert bench.event_tags() == ["external_fill"]
    assert (held(bench, "BTC"), held(bench, "USDT")) == (D(11), D(9_899))
    bench.give(trade)
    assert bench.event_tags() == []


def test_an_execution_from_before_the_opening_is_part_of_it() -> None:
    bench = Bench()
    trade = bench.trade("1", name=None, client_order_id="web-1", at_ns=1)
    bench.give(trade)
    assert bench.event_tags() == []


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": D(0)},
        {"quantity": D(-1)},
        {"quantity": D("NaN")},
        {"quantity": D("Infinity")},
        {"px": D(0)},
        {"px": D("NaN")},
        {"fee": D("NaN")},
        {"instrument": "SIM:SPOT_PAIR:DOGE-USDT"},
    ],
)
def test_an_execution_that_cannot_be_is_told_and_not_booked(change: dict[str, Any]) -> None:
    bench = sent()
    bench.give(replace(bench.trade("1"), **change))
    assert bench.event_tags() == []
    assert len(bench.alerts()) == 1
    assert bench.parent().filled == 0


def test_a_sell_that_closes_a_perpetual_moves_its_settle_asset_by_what_it_realised() -> None:
    bench = Bench()
    bench.later(SECOND)
    perpetual = {"instrument": INSTRUMENTS[1].id, "name": None, "client_order_id": "web-1"}
    bench.fill("4", "2000", **perpetual)
    bench.fill("4", "2010", side=Side.SELL, **perpetual)
    assert held(bench, "USDT") == D(10_000) + 4 * 10 * D("0.1")
    assert bench.state.positions[position_key(ACCOUNT, INSTRUMENTS[1])].is_flat
