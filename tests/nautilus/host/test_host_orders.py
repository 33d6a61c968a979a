"""What becomes of orders at a simulated venue, and exactly when."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.nautilus.host.small_market import (
    BTC,
    CANCEL_LATENCY_MS,
    LATENCY_MS,
    PERP,
    SPOT_FUNDS,
    ScriptedDesk,
    Step,
    Tape,
    at,
    buy,
    cancel,
    play,
    query,
    quiet_tape,
    sell,
    venue_of,
)

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side, TimeInForce

GTC, FOK, GTD = TimeInForce.GTC, TimeInForce.FOK, TimeInForce.GTD


def story(desk: ScriptedDesk, name: str) -> list[tuple[float, Any]]:
    """Return what was heard of an order and when: kind, or quantity and price of a trade."""
    heard: list[tuple[float, Any]] = []
    for ms, fact in desk.facts:
        if getattr(fact, "client_order_id", None) != name:
            continue
        match fact:
            case f.Trade():
                heard.append((ms, (fact.quantity, fact.px, fact.maker)))
            case f.OrderClosed():
                heard.append((ms, (fact.status, fact.filled)))
            case f.OrderRejected() | f.CancelRejected():
                heard.append((ms, (type(fact).__name__, fact.code)))
            case _:
                heard.append((ms, type(fact).__name__))
    return heard


def taken(qty: str, px: str) -> tuple[Decimal, Decimal, bool]:
    return Decimal(qty), Decimal(px), False


def made(qty: str, px: str) -> tuple[Decimal, Decimal, bool]:
    return Decimal(qty), Decimal(px), True


def test_an_order_is_filled_exactly_after_the_latency_on_the_book_of_that_instant(tmp_path: Path):
    tape = quiet_tape().level(8004, Side.SELL, "100.5", "0.3").level(8006, Side.SELL, "100.5", "9")
    played = play(tmp_path, [tape], [(8000, buy("A", "1", "100.5"))], end_ms=8100)
    assert story(played.desk, "A") == [
        (8005, "OrderAccepted"),
        (8005, taken("0.3", "100.5")),
        (8005, (f.VenueStatus.CANCELED, Decimal("0.3"))),
    ]


def test_an_ioc_walks_the_levels_to_its_limit_and_its_rest_is_canceled(tmp_path: Path):
    played = play(tmp_path, [quiet_tape()], [(2000, buy("A", "4", "101"))])
    assert story(played.desk, "A") == [
        (2005, "OrderAccepted"),
        (2005, taken("1", "100.5")),
        (2005, taken("2", "101")),
        (2005, (f.VenueStatus.CANCELED, Decimal(3))),
    ]


def test_what_was_taken_stays_taken_until_the_level_changes(tmp_path: Path):
    steps: list[Step] = [(2000, buy("A", "1", "100.5")), (2020, buy("B", "1", "100.5"))]
    steps.append((8020, buy("C", "1", "100.5")))
    tape = quiet_tape().level(8010, Side.SELL, "100.5", "0.7")
    desk = play(tmp_path, [tape], steps, end_ms=8100).desk
    assert story(desk, "A")[1] == (2005, taken("1", "100.5"))
    assert story(desk, "B")[-1] == (2025, (f.VenueStatus.CANCELED, Decimal(0)))
    assert story(desk, "C")[1] == (8025, taken("0.7", "100.5"))


def test_a_resting_order_waits_behind_the_queue_and_is_filled_by_trades(tmp_path: Path):
    tape = quiet_tape().trade(3000, Side.SELL, "100", "0.8").trade(3100, Side.SELL, "100", "0.9")
    tape.trade(3200, Side.SELL, "100", "5")
    desk = play(tmp_path, [tape], [(2000, buy("A", "1.5", "100", tif=GTC))]).desk
    # One unit was there before: the first trade only shortens the queue.
    assert story(desk, "A") == [
        (2005, "OrderAccepted"),
        (3100, made("0.7", "100")),
        (3200, made("0.8", "100")),
        (3200, (f.VenueStatus.FILLED, Decimal("1.5"))),
    ]


def test_a_cancel_lands_after_its_own_latency(tmp_path: Path):
    steps: list[Step] = [(2000, buy("A", "1", "99", tif=GTC)), (3000, cancel("A"))]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "A") == [
        (2000 + LATENCY_MS, "OrderAccepted"),
        (3000 + CANCEL_LATENCY_MS, (f.VenueStatus.CANCELED, Decimal(0))),
    ]


def test_a_cancel_of_what_is_gone_or_never_was_is_refused(tmp_path: Path):
    steps: list[Step] = [
        (2000, buy("A", "1", "100.5")),
        (2100, cancel("A")),
        (2200, cancel("never")),
        (2300, buy("B", "1", "99", tif=GTC)),
        (2400, cancel("B")),
        (2410, cancel("B")),
        (2500, buy("C", "0.0005", "99")),
        (2600, cancel("C")),
    ]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "A")[-1] == (2103, ("CancelRejected", "ORDER_CLOSED"))
    assert story(desk, "never") == [(2203, ("CancelRejected", "UNKNOWN_ORDER"))]
    assert story(desk, "B")[-2:] == [
        (2403, (f.VenueStatus.CANCELED, Decimal(0))),
        (2413, ("CancelRejected", "ORDER_CLOSED")),
    ]
    assert story(desk, "C")[-1] == (2603, ("CancelRejected", "UNKNOWN_ORDER"))


def test_a_cancel_on_its_way_does_not_stop_a_fill(tmp_path: Path):
    tape = quiet_tape().trade(3002, Side.SELL, "100", "5")
    steps: list[Step] = [(2000, buy("A", "1", "100", tif=GTC)), (3000, cancel("A"))]
    desk = play(tmp_path, [tape], steps).desk
    assert story(desk, "A")[1:] == [
        (3002, made("1", "100")),
        (3002, (f.VenueStatus.FILLED, Decimal(1))),
        (3003, ("CancelRejected", "ORDER_CLOSED")),
    ]


def test_a_cancel_that_overtakes_its_order_is_refused_and_the_order_works(tmp_path: Path):
    steps: list[Step] = [(2000, buy("A", "1", "99", tif=GTC)), (2001, cancel("A"))]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "A") == [
        (2004, ("CancelRejected", "UNKNOWN_ORDER")),
        (2005, "OrderAccepted"),
    ]


@pytest.mark.parametrize(
    ("qty", "px", "tif", "end"),
    [
        ("1", "99", GTC, [(f.VenueStatus.CANCELED, Decimal(0))]),
        (
            "1",
            "100.5",
            GTC,
            [
                taken("1", "100.5"),
                (f.VenueStatus.FILLED, Decimal(1)),
                ("CancelRejected", "ORDER_CLOSED"),
            ],
        ),
        ("50", "100.5", GTC, [("CancelRejected", "UNKNOWN_ORDER")]),
    ],
)
def test_a_cancel_that_lands_with_its_order_comes_second(
    tmp_path: Path, qty: str, px: str, tif: TimeInForce, end: list[Any]
):
    steps: list[Step] = [(2000, buy("A", qty, px, tif=tif)), (2002, cancel("A"))]
    heard = story(play(tmp_path, [quiet_tape()], steps).desk, "A")
    assert {ms for ms, _ in heard} == {2005}
    assert [what for _, what in heard[1:]] == end


def test_fill_or_kill_takes_all_or_nothing(tmp_path: Path):
    steps: list[Step] = [
        (2000, buy("all", "2", "101", tif=FOK)),
        (2100, buy("none", "2", "101", tif=FOK)),
    ]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "all")[-1] == (2005, (f.VenueStatus.FILLED, Decimal(2)))
    assert story(desk, "none")[-1] == (2105, (f.VenueStatus.CANCELED, Decimal(0)))


def test_an_order_with_a_time_expires_at_that_time(tmp_path: Path):
    # The book does not change between 2300 and 2400: nothing but the clock ends the order.
    steps: list[Step] = [(2000, buy("A", "1", "99", tif=GTD, expire_ns=at(2357)))]
    steps.append((2400, cancel("A")))
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "A") == [
        (2005, "OrderAccepted"),
        (2357, (f.VenueStatus.EXPIRED, Decimal(0))),
        (2403, ("CancelRejected", "ORDER_CLOSED")),
    ]


@pytest.mark.parametrize("with_trades", [True, False])
def test_a_market_order_takes_the_book_and_its_rest_is_canceled(tmp_path: Path, with_trades: bool):
    tape = quiet_tape()
    if with_trades:
        tape.trade(1500, Side.BUY, "100.5", "0.1")
    steps: list[Step] = [(2000, buy("B", "1.5", None)), (3000, sell("S", "3.5", None, tif=GTC))]
    desk = play(tmp_path, [tape], steps).desk
    first = "0.9" if with_trades else "1"  # The trade took part of the level.
    assert story(desk, "B")[1][1] == taken(first, "100.5")
    assert story(desk, "B")[-1] == (2005, (f.VenueStatus.FILLED, Decimal("1.5")))
    assert story(desk, "S")[1:] == [
        (3005, taken("1", "100")),
        (3005, taken("2", "99.5")),
        (3005, taken("0.5", "90")),
        (3005, (f.VenueStatus.FILLED, Decimal("3.5"))),
    ]


def test_a_market_order_larger_than_the_book_does_not_stay(tmp_path: Path):
    tape = Tape(BTC).book(1000, [("100", "1")], [("101", "1")])
    tape.trade(1500, Side.BUY, "99", "1").level(2500, Side.SELL, "101", "4")
    desk = play(tmp_path, [tape], [(2000, buy("A", "2", None, tif=GTC))]).desk
    assert story(desk, "A")[-1] == (2005, (f.VenueStatus.CANCELED, Decimal(1)))


def test_without_a_book_nothing_is_filled(tmp_path: Path):
    steps: list[Step] = [(500, buy("L", "1", "200")), (500, sell("M", "1", None))]
    desk = play(tmp_path, [quiet_tape()], steps).desk
    assert story(desk, "L")[-1] == (505, (f.VenueStatus.CANCELED, Decimal(0)))
    assert story(desk, "M")[-1][1][0] == "OrderRejected"


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (buy("A", "1", "101", tif=GTC, post_only=True), "POST_ONLY_WOULD_TAKE"),
        (buy("A", "50", "101"), "NOTIONAL_EXCEEDS_FREE_BALANCE"),
        (sell("A", "11", "100"), "CUMULATIVE_NOTIONAL_EXCEEDS_FREE_BALANCE"),
        (buy("A", "0.0015", "101"), "QUANTITY_LOT"),
        (buy("A", "1", "100.505"), "PRICE_TICK"),
        (sell("A", "1", "100", reduce_only=True), "REDUCE_ONLY_SPOT"),
        (buy("A", "1", "99", tif=GTD, expire_ns=at(2005)), "EXPIRED"),
        (buy("A", "1", "99", instrument=PERP.id), "UNKNOWN_SYMBOL"),
        (buy("A", "0.01", "100.5"), "QUANTITY_BELOW_MINIMUM"),
        (buy("A", "9", "100.5"), "QUANTITY_EXCEEDS_MAXIMUM"),
    ],
)
def test_a_refusal_arrives_after_the_latency_with_its_code(tmp_path: Path, send: Any, code: str):
    terms = replace(BTC, min_qty=Decimal("0.1"), max_qty=Decimal(8))
    if code.endswith("NOTIONAL_EXCEEDS_FREE_BALANCE"):
        terms = BTC
    desk = play(tmp_path, [quiet_tape(terms)], [(2000, send), (2100, query("A"))]).desk
    assert desk.reasons == [None, None]
    ms, refusal = desk.of(f.OrderRejected)[0]
    assert (ms, refusal.code, refusal.at_ns) == (2005, code, at(2005))
    assert len(refusal.text) > 10
    assert len(desk.of(f.OrderNotFound)) == 1
    assert not desk.of(f.OrderAccepted)


def test_what_never_left_is_said_at_once(tmp_path: Path):
    steps: list[Step] = [
        (2000, buy("A", "1", "99", tif=GTC)),
        (2010, buy("A", "1", "99", tif=GTC)),
        (2020, buy("B", "1", "99", send_by_ns=at(2019))),
        (2030, buy("B", "1", "99", gateway_epoch=2)),
        (2040, buy("B", "1", "99", account="nobody")),
        (2050, buy("B", "1", "99", send_by_ns=at(2050))),
    ]
    played = play(tmp_path, [quiet_tape()], steps)
    assert played.desk.reasons == [
        None,
        Reason.DUPLICATE_CLIENT_ORDER_ID,
        Reason.SEND_DEADLINE_PASSED,
        Reason.OTHER_GATEWAY_INCARNATION,
        Reason.GATEWAY_DOWN,
        None,
    ]
    assert played.outcome.orders == 2


def test_a_venue_without_latency_answers_at_the_same_instant(tmp_path: Path):
    venue = replace(venue_of(BTC), insert_latency_ns=0, cancel_latency_ns=0)
    steps: list[Step] = [
        (2000, buy("A", "1", "100.5")),
        (2100, buy("B", "1", "99", tif=GTC)),
        (2100, cancel("B")),
    ]
    desk = play(tmp_path, [quiet_tape()], steps, venues=[venue]).desk
    assert story(desk, "A")[-1] == (2000, (f.VenueStatus.FILLED, Decimal(1)))
    assert story(desk, "B") == [
        (2100, "OrderAccepted"),
        (2100, (f.VenueStatus.CANCELED, Decimal(0))),
    ]


def test_trade_and_order_ids_count_up_within_an_account(tmp_path: Path):
    steps: list[Step] = [(2000, buy("A", "2", "101")), (2100, sell("B", "1", "100"))]
    desk = play(tmp_path, [quiet_tape()], steps, venues=[venue_of(BTC, SPOT_FUNDS)]).desk
    assert [fact.trade_id for _, fact in desk.of(f.Trade)] == [
        f"BINANCE-SPOT-T{number}" for number in (1, 2, 3)
    ]
    assert [fact.venue_order_id for _, fact in desk.of(f.OrderAccepted)] == [
        "BINANCE-SPOT-O1",
        "BINANCE-SPOT-O2",
    ]
