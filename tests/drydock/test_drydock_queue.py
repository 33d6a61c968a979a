"""The queue ahead of a waiting order, in numbers."""

import pytest
from tests.drydock.venue_bench import BUY, SELL, Bench, fills, trades

BIDS, ASKS = [(99, 10), (98, 20)], [(101, 10)]


def waiting(lots: int = 5, price: int = 99) -> Bench:
    bench = Bench()
    bench.book(BIDS, ASKS)
    bench.submit(BUY, lots, price, key="x")
    return bench


def test_the_displayed_size_at_accept_is_ahead():
    assert waiting().ahead("x") == 10
    assert waiting(price=100).ahead("x") == 0


def test_trades_at_the_price_run_the_queue_down_and_only_the_excess_fills():
    bench = waiting()
    assert fills(bench.print(SELL, 99, 4)) == []
    assert fills(bench.print(SELL, 99, 5)) == []
    assert bench.ahead("x") == 1
    assert fills(bench.print(SELL, 99, 3)) == [(99, 2, "maker")]
    assert bench.ahead("x") == 0
    assert fills(bench.print(SELL, 99, 9)) == [(99, 3, "maker")]


def test_a_trade_through_the_price_fills_whatever_the_queue_was():
    assert fills(waiting().print(SELL, 98, 3)) == [(99, 3, "maker")]


@pytest.mark.parametrize(("shown", "ahead"), [(12, 10), (6, 6), (0, 0)])
def test_a_level_that_shrinks_shortens_the_queue_and_growth_is_behind(shown, ahead):
    bench = waiting()
    bench.book([(99, shown)], [], snapshot=False)
    assert bench.ahead("x") == ahead
    bench.book([(99, 40)], [], snapshot=False)
    assert bench.ahead("x") == ahead


def test_a_trade_and_the_shrinking_it_caused_are_not_counted_twice():
    bench = waiting()
    bench.print(SELL, 99, 4)
    bench.book([(99, 6), (98, 20)], ASKS)
    assert bench.ahead("x") == 6


def test_two_of_ours_share_one_trade_in_turn():
    bench = waiting(lots=2)
    bench.book([(99, 14)], [], snapshot=False)  # four more came behind x
    bench.submit(BUY, 3, 99, key="y")
    assert (bench.ahead("x"), bench.ahead("y")) == (10, 14)
    # 10 others, 2 of x, 4 others, then y gets what is left: 17 - 16 = 1.
    outcome = bench.print(SELL, 99, 17)
    assert [(t.client_order_id, t.lots) for t in trades(outcome)] == [("x", 2), ("y", 1)]
    assert bench.ahead("y") == 0


def test_what_ours_took_of_a_trade_did_not_pass_the_queue_behind():
    bench = waiting(lots=2)
    bench.book([(99, 14)], [], snapshot=False)
    bench.submit(BUY, 3, 99, key="y")
    bench.print(SELL, 99, 13)  # 10 others, 2 of x, 1 other: 3 of the 4 others behind x are left
    assert bench.order("x").leaves_lots == 0
    assert bench.ahead("y") == 3


def test_better_priced_orders_use_up_the_trade_before_the_queue_moves():
    bench = waiting()
    bench.submit(BUY, 6, 100, key="better")
    outcome = bench.print(SELL, 99, 8)
    assert [(t.client_order_id, t.lots) for t in trades(outcome)] == [("better", 6)]
    assert bench.ahead("x") == 8


def test_what_our_own_taker_takes_stood_ahead():
    bench = waiting()
    bench.submit(SELL, 4, 99)
    assert bench.ahead("x") == 6


def test_behind_a_window_the_queue_is_unknown_until_it_is_seen():
    bench = Bench()
    bench.book([(99, 10), (98, 5)], ASKS, windowed=True)
    bench.submit(BUY, 5, 97, key="x")
    assert bench.ahead("x") is None
    assert fills(bench.print(SELL, 97, 100)) == []
    assert fills(bench.print(SELL, 96, 1)) == [(97, 1, "maker")]
    bench.book([(98, 5), (97, 8)], ASKS, windowed=True)
    assert bench.ahead("x") == 8


def test_after_a_restart_the_queue_starts_behind_everything_shown():
    bench = waiting()
    bench.print(SELL, 99, 9)
    assert bench.ahead("x") == 1
    bench.state = bench.refolded()
    assert bench.ahead("x") is None
    bench.book(BIDS, ASKS)
    assert bench.ahead("x") == 10
