"""The sweep on books small enough to follow by hand."""

from decimal import Decimal
from typing import Any

import pytest
from tests.core.routing.random_books import an_offer

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.sweep import Sweep, fractional, sweep

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
ASKS = [("100", "1"), ("101", "1"), ("102", "1")]


def legs(plan: Sweep) -> dict[str, tuple[Decimal, Decimal | None]]:
    return {leg.account: (leg.quantity, leg.expected_px) for leg in plan.legs}


def taken(plan: Sweep) -> dict[str, str]:
    return {leg.account: str(leg.quantity.normalize()) for leg in plan.legs}


def test_the_cheapest_levels_of_all_books_are_taken():
    plan = sweep(
        BUY, D(3), D(200), [an_offer(ASKS, "a"), an_offer([("100.5", "1"), ("103", "9")], "b")]
    )
    assert legs(plan) == {"a": (D(2), D("100.5")), "b": (D(1), D("100.5"))}
    assert (plan.filled_qty, plan.value) == (3, D("301.5"))
    assert plan.cost_bps(D(100)) == 50
    assert [one.takes_qty for one in plan.alone] == [3, 3]
    best = plan.best_single
    assert best is not None
    assert (best.account, best.avg_px, best.cost_bps(D(100))) == ("a", 101, 100)


def test_a_seller_takes_the_dearest_bids():
    bids = [("100", "1"), ("99", "1")]
    plan = sweep(SELL, D(2), D(1), [an_offer(bids, "a"), an_offer([("99.5", "5")], "b")])
    assert legs(plan) == {"a": (D(1), D(100)), "b": (D(1), D("99.5"))}
    assert plan.value == D("199.5")
    assert plan.cost_bps(D(100)) == 25
    assert plan.best_single is not None
    assert plan.best_single.account == "a"


@pytest.mark.parametrize(
    ("side", "px", "fees", "expected"),
    [
        (BUY, ("100", "100.05"), ("10", "0"), "b"),
        (BUY, ("100", "100.15"), ("10", "0"), "a"),
        (SELL, ("100", "99.95"), ("10", "0"), "b"),
        (SELL, ("100", "99.85"), ("10", "0"), "a"),
        (BUY, ("100", "100.05"), ("0", "-10"), "b"),
    ],
)
def test_a_level_is_judged_with_its_fee(side, px, fees, expected):
    offers = [an_offer([(px[at], "1")], name, fee_bps=D(fees[at])) for at, name in enumerate("ab")]
    plan = sweep(side, D(1), D(200) if side is BUY else D(1), offers)
    assert taken(plan) == {expected: "1"}


def test_the_cost_is_price_and_fee_against_the_midpoint():
    plan = sweep(BUY, D(1), D(200), [an_offer([("100.1", "1")], fee_bps=D(10))])
    assert plan.value == D("100.2001")
    assert plan.cost_bps(D(100)) == D("20.01")
    sold = sweep(SELL, D(1), D(1), [an_offer([("99.9", "1")], fee_bps=D(10))])
    assert sold.value == D("99.8001")
    assert sold.cost_bps(D(100)) == D("19.99")
    assert plan.cost_bps(None) is None


@pytest.mark.parametrize(
    ("side", "limit", "filled"),
    [(BUY, "101", 2), (BUY, "99.99", 0), (SELL, "101", 2), (SELL, "102.01", 0)],
)
def test_nothing_is_taken_beyond_the_limit(side, limit, filled):
    levels = ASKS if side is BUY else ASKS[::-1]
    plan = sweep(side, D(3), D(limit), [an_offer(levels)])
    assert plan.filled_qty == filled
    assert bool(plan.legs) == bool(filled)


RULES: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    ({"lot_qty": D("0.3")}, "1", {"a": "0.9"}),
    ({"max_qty": D("0.555")}, "1", {"a": "0.55"}),
    ({"funds_qty": D("0.555")}, "1", {"a": "0.55"}),
    ({"funds_qty": D(-1)}, "1", {}),
    ({"min_qty": D("1.5")}, "1", {}),
    ({"min_qty": D("1.5")}, "1.5", {"a": "1.5"}),
    ({"min_qty": D("1.499")}, "1.49", {}),
    ({"min_qty": D(2), "max_qty": D(1)}, "3", {}),
    ({"min_notional": D(50), "check_px": D(50)}, "0.99", {}),
    ({"min_notional": D(50), "check_px": D(50)}, "1", {"a": "1"}),
]


@pytest.mark.parametrize(("rules", "quantity", "expected"), RULES)
def test_a_venues_rules_bind_its_leg(rules, quantity, expected):
    assert taken(sweep(BUY, D(quantity), D(200), [an_offer(ASKS, **rules)])) == expected


def test_a_minimum_does_not_strand_the_rest():
    """By cost alone 0.5 would go to b, which takes no less than 1."""
    a = an_offer([("100", "1.5"), ("112", "5")], "a")
    b = an_offer([("105", "9")], "b", min_qty=D(1))
    assert taken(sweep(BUY, D(2), D(200), [a, b])) == {"a": "1", "b": "1"}


def test_a_minimum_that_costs_more_than_it_saves_is_not_met():
    a = an_offer([("100", "1.5"), ("106", "5")], "a")
    b = an_offer([("105", "9")], "b", min_qty=D(1))
    assert taken(sweep(BUY, D("1.6"), D(200), [a, b])) == {"a": "1.6"}


def test_what_a_coarse_lot_leaves_goes_where_the_lot_is_fine():
    a = an_offer([("100", "9")], "a", lot_qty=D("0.1"))
    b = an_offer([("101", "9")], "b", lot_qty=D("0.001"))
    assert taken(sweep(BUY, D("1.2345"), D(200), [a, b])) == {"a": "1.2", "b": "0.034"}


def test_as_much_as_possible_comes_before_cheap():
    a = an_offer([("100", "9")], "a", lot_qty=D(2))
    b = an_offer([("150", "9")], "b", lot_qty=D(3))
    assert taken(sweep(BUY, D(5), D(200), [a, b])) == {"a": "2", "b": "3"}
    assert sweep(BUY, D(5), D(200), [a, b]).best_single is None


def test_equal_offers_are_taken_by_account_then_instrument():
    offers = [an_offer(ASKS[:1], name, instrument=coin) for name in "ba" for coin in "yx"]
    plan = sweep(BUY, D(2), D(200), offers)
    assert [(leg.account, leg.instrument) for leg in plan.legs] == [("a", "x"), ("a", "y")]
    assert plan.legs == sweep(BUY, D(2), D(200), offers[::-1]).legs


def test_one_venue_alone_is_preferred_at_the_same_cost():
    halves = [an_offer([("100", "1")], "a"), an_offer([("101", "1")], "b")]
    assert taken(sweep(BUY, D(2), D(200), halves)) == {"a": "1", "b": "1"}
    whole = an_offer([("100.5", "2")], "c", lot_qty=D(2))
    assert taken(sweep(BUY, D(2), D(200), [*halves, whole])) == {"c": "2"}


def test_what_is_no_market_is_passed_over():
    broken = [("NaN", "1"), ("100", "NaN"), ("Infinity", "1"), ("-1", "1"), ("0", "1")]
    offer = an_offer([*broken, ("100", "0"), ("100", "-1"), ("100", "1")])
    assert taken(sweep(BUY, D(5), D(200), [offer])) == {"a": "1"}


@pytest.mark.parametrize("offers", [[], [an_offer([])]])
def test_without_a_market_there_is_no_leg(offers):
    plan = sweep(BUY, D(5), D(200), offers)
    assert (plan.legs, plan.filled_qty, plan.value) == ((), 0, 0)
    assert plan.best_single is None
    assert plan.cost_bps(D(100)) is None
    assert [(one.takes_qty, one.avg_px) for one in plan.alone] == [(0, None)] * len(offers)


def test_a_book_out_of_order_is_put_in_order():
    """What was read until there was enough of it: 102 and 101."""
    assert sweep(BUY, D("1.5"), D(200), [an_offer(ASKS[::-1])]).value == D(101) + D(51)


def test_the_cheapest_leg_comes_first():
    offers = [
        an_offer([("101", "1")], "a"),
        an_offer([("100", "1")], "b"),
        an_offer([("100", "1")], "c", fee_bps=D(-1)),
    ]
    assert [leg.account for leg in sweep(BUY, D(3), D(200), offers).legs] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("low", "low_qty", "high_qty", "rounded"),
    [(1, "2", "1", 1), (1, "1", "2", 2), (1, "1", "1", 2), (2, "3", "3", 2)],
)
def test_an_average_price_is_the_nearest_of_eighteen_places(low, low_qty, high_qty, rounded):
    """The two prices are neighbours; exactly between them goes to the even one."""
    tiny = D("1e-18")
    levels = [(100 + low * tiny, low_qty), (100 + (low + 1) * tiny, high_qty)]
    plan = sweep(BUY, D(9), D(200), [an_offer(levels)])
    assert plan.legs[0].expected_px == 100 + rounded * tiny


def test_an_alternative_says_what_one_venue_would_have_cost():
    plan = sweep(BUY, D(4), D(200), [an_offer(ASKS, "a", fee_bps=D(10), lot_qty=D("0.1"))])
    kept = plan.alone[0].as_alternative(mid_px=D(100), view="ab12")
    assert (kept.account, kept.instrument, kept.left_out, kept.view) == (
        "a",
        "A:SPOT_PAIR:BTC-USDT",
        None,
        "ab12",
    )
    assert (kept.takes_qty, kept.avg_px, kept.fee_bps, kept.cost_bps) == (3, 101, 10, D("110.1"))


def test_eighteen_places_are_kept():
    tiny = D("0.000000000000000001")
    offer = an_offer(
        [("100.000000000000000001", "0.3"), ("100.000000000000000003", "9")], lot_qty=tiny
    )
    plan = sweep(BUY, D("0.300000000000000001"), D(200), [offer])
    assert plan.filled_qty == D("0.300000000000000001")
    assert plan.value == D("30.000000000000000100300000000000000003")


def test_a_lot_of_zero_is_a_bug():
    with pytest.raises(ValueError, match="a lot is at least"):
        sweep(BUY, D(1), D(200), [an_offer(ASKS, lot_qty=D(0))])


def test_fractions_know_no_lot_and_no_minimum_but_the_other_bounds():
    a = an_offer(ASKS, "a", lot_qty=D(1), min_qty=D(3), funds_qty=D("1.25"))
    b = an_offer([("100.5", "0.1")], "b", lot_qty=D(1))
    plan = fractional(BUY, D("1.3"), D(200), [a, b])
    assert plan.takes == (D("1.2"), D("0.1"))
    assert plan.value == D("100") + D("10.05") + D("20.2")
    assert fractional(BUY, D(9), D(200), [a, b]).filled_qty == D("1.35")
