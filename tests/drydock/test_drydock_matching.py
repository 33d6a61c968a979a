"""Who fills, at what price and in what order."""

import pytest
from tests.drydock.venue_bench import BUY, SELL, Bench, code, fills, trades

from drydock.core.orders import CloseReason, Side, Status, Tif
from drydock.core.refusals import RefusalCode

BIDS = [(99, 10), (98, 20), (97, 30)]
ASKS = [(101, 10), (102, 20), (103, 30)]


def a_market(**more) -> Bench:
    bench = Bench(**more)
    bench.book(BIDS, ASKS)
    return bench


@pytest.mark.parametrize(
    ("side", "quantity", "price", "tif", "expected", "status"),
    [
        (BUY, 10, None, Tif.GTC, [(101, 10)], Status.FILLED),
        (BUY, 35, None, Tif.GTC, [(101, 10), (102, 20), (103, 5)], Status.FILLED),
        (BUY, 70, None, Tif.GTC, [(101, 10), (102, 20), (103, 30)], Status.CANCELED),
        (SELL, 35, None, Tif.IOC, [(99, 10), (98, 20), (97, 5)], Status.FILLED),
        (BUY, 35, 102, Tif.GTC, [(101, 10), (102, 20)], Status.OPEN),
        (BUY, 35, 102, Tif.IOC, [(101, 10), (102, 20)], Status.CANCELED),
        (BUY, 35, 102, Tif.FOK, [], Status.CANCELED),
        (BUY, 30, 102, Tif.FOK, [(101, 10), (102, 20)], Status.FILLED),
        (BUY, 61, None, Tif.FOK, [], Status.CANCELED),
        (BUY, 60, None, Tif.FOK, [(101, 10), (102, 20), (103, 30)], Status.FILLED),
        (BUY, 5, 100, Tif.GTC, [], Status.OPEN),
        (BUY, 5, 100, Tif.IOC, [], Status.CANCELED),
        (SELL, 5, 98, Tif.GTC, [(99, 5)], Status.FILLED),
        (SELL, 15, 99, Tif.GTC, [(99, 10)], Status.OPEN),
    ],
)
def test_a_taker_walks_the_levels_one_trade_each(side, quantity, price, tif, expected, status):
    bench = a_market()
    outcome = bench.submit(side, quantity, price, key="x", tif=tif)
    assert fills(outcome) == [(*level, "taker") for level in expected]
    order = bench.order("x")
    assert order.status is status
    assert order.filled_lots == sum(lots for _, lots in expected)
    assert order.filled_tick_lots == sum(price * lots for price, lots in expected)


def test_what_does_not_rest_says_why_it_was_canceled():
    bench = a_market()
    bench.submit(BUY, 70, key="market")
    bench.submit(SELL, 500, 90, key="fok", tif=Tif.FOK)
    assert bench.order("market").reason is CloseReason.UNFILLED
    assert bench.order("fok").reason is CloseReason.FOK_UNFILLABLE


@pytest.mark.parametrize(
    ("shown_later", "left"),
    [
        (10, 4),  # unchanged: what was taken stays taken
        (9, 3),  # other size, same rule: no refill by a changed number
        (5, 0),  # the level shrank below what was used
        (14, 8),  # growth is new
        (0, 0),
    ],
)
@pytest.mark.parametrize("snapshot", [True, False])
def test_consumed_liquidity_stays_consumed_when_the_level_changes(shown_later, left, snapshot):
    bench = a_market()
    bench.submit(BUY, 6, 101)
    bench.book(BIDS, [(101, shown_later), (102, 20)], snapshot=snapshot)
    outcome = bench.submit(BUY, 100, 101, tif=Tif.IOC)
    assert sum(lots for _, lots, _ in fills(outcome)) == left


def test_size_that_shrank_away_does_not_return_as_used():
    bench = a_market()
    bench.submit(BUY, 6, 101)
    bench.book([], [(101, 2)], snapshot=False)
    bench.book([], [(101, 9)], snapshot=False)
    assert fills(bench.submit(BUY, 100, 101, tif=Tif.IOC)) == [(101, 7, "taker")]


def test_a_level_that_vanished_and_returned_is_new():
    bench = a_market()
    bench.submit(BUY, 10, 101)
    bench.book([], [(101, 0)], snapshot=False)
    bench.book([], [(101, 7)], snapshot=False)
    assert fills(bench.submit(BUY, 9, 101, tif=Tif.IOC)) == [(101, 7, "taker")]


def test_a_windowed_feed_does_not_refill_a_level_that_left_the_window():
    bench = Bench()
    bench.book(BIDS, [(101, 10), (102, 20)], windowed=True)
    bench.submit(BUY, 12, 102)
    bench.book(BIDS, [(100, 3), (101, 10)], windowed=True)  # 102 is behind the window now
    bench.book(BIDS, [(101, 10), (102, 20)], windowed=True)
    assert fills(bench.submit(BUY, 100, 102, tif=Tif.IOC)) == [(102, 18, "taker")]


def test_accounts_share_consumption_but_do_not_trade_with_each_other():
    bench = a_market(accounts=("a", "b"))
    bench.submit(BUY, 10, 100, key="wait")
    outcome = bench.submit(SELL, 5, 100, key="other", account="b")
    assert not trades(outcome)
    assert bench.order("wait").is_open
    bench.submit(BUY, 10, 101)
    assert not trades(bench.submit(BUY, 10, 101, account="b"))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_book_that_crosses_fills_at_the_limit_up_to_the_crossing_size(side):
    bench = a_market()
    own, beyond = (100, 99) if side is BUY else (100, 101)
    bench.submit(side, 10, own, key="x")
    bids, asks = (
        ([(97, 5)], [(beyond, 4), (102, 9)])
        if side is BUY
        else ([(beyond, 4), (97, 9)], [(103, 5)])
    )
    assert fills(bench.book(bids, asks)) == [(100, 4, "maker")]
    # The same crossing size shown again is not there again; growth is.
    assert fills(bench.book(bids, asks)) == []
    grown = [
        (price, 7 if price == beyond else lots) for price, lots in (asks if side is BUY else bids)
    ]
    again = bench.book(bids, grown) if side is BUY else bench.book(grown, asks)
    assert fills(again) == [(100, 3, "maker")]
    assert bench.order("x").leaves_lots == 3


def test_price_then_time_decides_who_fills_first():
    bench = a_market(accounts=("a", "b"))
    bench.submit(BUY, 4, 100, key="late-better")
    bench.cancel("late-better")
    bench.submit(BUY, 5, 99, key="worse")
    bench.submit(BUY, 4, 100, key="first")
    bench.submit(BUY, 4, 100, key="second", account="b")
    outcome = bench.print(SELL, 98, 10)
    assert [(t.client_order_id, t.price_ticks, t.lots) for t in trades(outcome)] == [
        ("first", 100, 4),
        ("second", 100, 4),
        ("worse", 99, 2),
    ]


def test_the_same_public_trade_is_applied_once():
    bench = a_market()
    bench.submit(BUY, 10, 100, key="x")
    assert fills(bench.print(SELL, 100, 4, key="t1")) == [(100, 4, "maker")]
    assert fills(bench.print(SELL, 100, 4, key="t1")) == []


@pytest.mark.parametrize(
    ("aggressor", "price", "lots"),
    [(BUY, 100, 50), (SELL, 101, 50), (BUY, 99, 50)],
    ids=["a buyer does not hit bids", "above the limit", "a buyer below"],
)
def test_a_trade_that_does_not_reach_the_order_does_not_fill_it(aggressor, price, lots):
    bench = a_market()
    bench.submit(BUY, 10, 100, key="x")
    assert fills(bench.print(aggressor, price, lots)) == []


def test_gtd_expires_by_the_clock_without_data():
    bench = a_market()
    bench.submit(BUY, 10, 100, key="x", tif=Tif.GTD, expire_ns=bench.now_ns + 50)
    bench.submit(BUY, 10, 100, key="y", tif=Tif.GTD, expire_ns=bench.now_ns + 20)
    assert bench.state.next_expiry_ns() == bench.now_ns + 20
    bench.now_ns += 49
    bench.wake()
    assert (bench.order("x").status, bench.order("y").status) == (Status.OPEN, Status.EXPIRED)
    bench.now_ns += 1
    # Whatever comes at that moment comes too late, without a wake-up in between.
    assert fills(bench.print(SELL, 90, 10)) == []
    assert bench.order("x").status is Status.EXPIRED
    assert bench.state.next_expiry_ns() is None


@pytest.mark.parametrize(
    ("side", "price", "refusal"),
    [
        (BUY, 100, None),
        (BUY, 101, "POST_ONLY_WOULD_TAKE"),
        (SELL, 99, "POST_ONLY_WOULD_TAKE"),
        (SELL, 100, None),
    ],
)
def test_post_only_never_takes(side: Side, price, refusal):
    bench = a_market()
    assert code(bench.submit(side, 1, price, post_only=True)) == refusal


def test_modify_changes_quantity_price_or_both():
    bench = a_market()
    bench.submit(BUY, 10, 95, key="x")
    bench.modify("x", quantity=20)
    bench.modify("x", price=96)
    order = bench.order("x")
    assert (order.lots, order.price_ticks, order.status) == (20, 96, Status.OPEN)
    assert fills(bench.modify("x", quantity=25, price=102)) == [
        (101, 10, "taker"),
        (102, 15, "taker"),
    ]
    assert order.status is Status.FILLED


def test_modify_below_filled_is_refused_and_just_above_is_not():
    bench = a_market()
    bench.submit(BUY, 15, 101, key="x")
    assert bench.order("x").filled_lots == 10
    for quantity in (9, 10):
        outcome = bench.modify("x", quantity=quantity)
        assert code(outcome) == RefusalCode.QUANTITY_BELOW_FILLED
        assert not outcome.events
    assert code(bench.modify("x", quantity=11)) is None
    assert bench.order("x").leaves_lots == 1


@pytest.mark.parametrize(
    ("change", "ahead"),
    [
        ({"quantity": 5}, 3),  # smaller keeps the place
        ({"quantity": 10}, 3),  # the same keeps the place
        ({"quantity": 11}, 10),  # larger queues again
        ({"price": 98}, 20),
    ],
)
def test_modify_loses_the_queue_only_when_price_or_size_says_so(change, ahead):
    bench = a_market()
    bench.submit(BUY, 10, 99, key="x")
    bench.print(SELL, 99, 7)
    assert bench.ahead("x") == 3
    bench.modify("x", **change)
    assert bench.ahead("x") == ahead


def test_cancel_and_cancel_all():
    bench = a_market()
    bench.submit(BUY, 1, 95, key="x")
    bench.submit(BUY, 1, 96, key="y")
    bench.submit(SELL, 1, 110, key="z")
    bench.cancel("x")
    assert code(bench.cancel("x")) == RefusalCode.ORDER_CLOSED
    assert code(bench.cancel("nobody")) == RefusalCode.UNKNOWN_ORDER
    bench.cancel_all()
    assert {bench.order(key).status for key in "xyz"} == {Status.CANCELED}
    assert not bench.state.open_orders("a")
    assert fills(bench.print(SELL, 90, 100)) == []
