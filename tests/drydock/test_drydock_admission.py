"""What the venue refuses, with which code, and that a refusal leaves no trace."""

from decimal import Decimal

import pytest
from tests.drydock.venue_bench import BUY, LINEAR, SELL, SPOT, Bench, code, fills

from drydock.core.inputs import CancelAll
from drydock.core.instrument import Instrument, InstrumentSpec, Kind
from drydock.core.orders import OrderType, Tif
from drydock.core.refusals import RefusalCode

SECOND_NS = 1_000_000_000


def a_market(symbol: str = SPOT, **more) -> Bench:
    bench = Bench(**more)
    bench.now_ns = 100 * SECOND_NS
    bench.book([(99, 10)], [(101, 10)], symbol=symbol)
    return bench


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({"symbol": "NO-SUCH"}, "UNKNOWN_SYMBOL"),
        ({"key": "x" * 36}, None),
        ({"key": "x" * 37}, "INVALID_ID"),
        ({"key": "a b"}, "INVALID_ID"),
        ({"key": "späť"}, "INVALID_ID"),
        ({"quantity": "0.5"}, "QUANTITY_LOT"),
        ({"quantity": "0"}, "MIN_QUANTITY"),
        ({"quantity": "1000001"}, "MAX_QUANTITY"),
        ({"price": "99.5"}, "PRICE_TICK"),
        ({"price": "0"}, "PRICE_TICK"),
        ({"price": None}, None),
        ({"price": None, "type": OrderType.LIMIT}, "INVALID_ORDER"),
        ({"type": OrderType.MARKET}, "INVALID_ORDER"),
        ({"tif": Tif.GTD}, "INVALID_ORDER"),
        ({"expire_ns": 200 * SECOND_NS}, "INVALID_ORDER"),
        ({"tif": Tif.GTD, "expire_ns": 100 * SECOND_NS}, "INVALID_ORDER"),
        ({"tif": Tif.GTD, "expire_ns": 100 * SECOND_NS + 1}, None),
        ({"tif": Tif.GTD, "expire_ns": 200 * SECOND_NS, "price": None}, "INVALID_ORDER"),
        ({"post_only": True, "tif": Tif.IOC}, "INVALID_ORDER"),
        ({"post_only": True, "price": None}, "INVALID_ORDER"),
        ({"reduce_only": True}, "REDUCE_ONLY_SPOT"),
        ({"timestamp_ns": 99 * SECOND_NS}, None),
        ({"timestamp_ns": 99 * SECOND_NS - 1}, "STALE_REQUEST"),
        ({"timestamp_ns": 101 * SECOND_NS}, None),
        ({"timestamp_ns": 101 * SECOND_NS + 1}, "FUTURE_REQUEST"),
        ({"quantity": "10001", "price": "100"}, "INSUFFICIENT_FUNDS"),
        ({"quantity": "10000", "price": "100"}, None),
    ],
)
def test_a_submit_is_refused_for_the_first_thing_wrong(change, expected):
    bench = a_market()
    order = {"quantity": "5", "price": "95", "key": "x"} | change
    before = bench.state.durable_image()
    outcome = bench.submit(BUY, **order)
    assert code(outcome) == expected
    if expected is not None:
        assert not outcome.events
        assert bench.state.durable_image() == before


def test_a_client_order_id_is_used_up_for_ever():
    bench = a_market(accounts=("a", "b"))
    bench.submit(BUY, 5, 95, key="x")
    assert code(bench.submit(BUY, 5, 95, key="x")) == RefusalCode.DUPLICATE_ID
    bench.cancel("x")
    bench.submit(BUY, 5, key="filled")
    for key in ("x", "filled"):
        assert code(bench.submit(BUY, 5, 95, key=key)) == RefusalCode.DUPLICATE_ID
    bench.state = bench.refolded()
    bench.book([(99, 10)], [(101, 10)])
    for key in ("x", "filled"):
        # Told before the time stamp is looked at: it proves that the order exists.
        assert code(bench.submit(BUY, 5, 95, key=key, timestamp_ns=0)) == RefusalCode.DUPLICATE_ID
    assert code(bench.submit(BUY, 5, 95, key="x", account="b")) is None


def test_a_refused_id_may_be_used_again():
    bench = a_market()
    assert code(bench.submit(BUY, "0.5", 95, key="x")) == RefusalCode.QUANTITY_LOT
    assert code(bench.submit(BUY, 5, 95, key="x")) is None


@pytest.mark.parametrize("price", [None, 95])
def test_before_the_first_book_nothing_is_taken(price):
    assert code(Bench().submit(BUY, 5, price)) == RefusalCode.NO_MARKET


def test_a_market_order_against_an_empty_or_used_up_side_has_no_market():
    bench = a_market()
    bench.book([(99, 10)], [])
    assert code(bench.submit(BUY, 5)) == RefusalCode.NO_MARKET
    assert code(bench.submit(BUY, 5, 95)) is None
    bench.submit(SELL, 10)
    assert code(bench.submit(SELL, 5)) == RefusalCode.NO_MARKET


def test_min_notional_counts_a_market_order_at_the_best_price():
    spec = InstrumentSpec(
        symbol="M-USD",
        kind=Kind.SPOT,
        base="M",
        quote="USD",
        settle="USD",
        tick_px=Decimal(1),
        lot_qty=Decimal("0.1"),
        min_qty=Decimal("0.1"),
        max_qty=Decimal(10),
        min_notional=Decimal(50),
    )
    bench = Bench()
    from drydock.core.apply import apply
    from drydock.core.events import InstrumentListed

    apply(bench.state, InstrumentListed(spec))
    bench.book([(99, 10)], [(100, 100)], symbol="M-USD")
    assert code(bench.submit(BUY, "0.4", symbol="M-USD")) == RefusalCode.MIN_NOTIONAL
    assert code(bench.submit(BUY, "0.4", 99, symbol="M-USD")) == RefusalCode.MIN_NOTIONAL
    assert code(bench.submit(BUY, "0.5", symbol="M-USD", key="x")) is None
    bench.submit(BUY, "0.6", 90, symbol="M-USD", key="y")
    assert code(bench.modify("y", price=80)) == RefusalCode.MIN_NOTIONAL


@pytest.mark.parametrize(
    ("held", "side", "quantity", "expected", "lots"),
    [
        (0, SELL, 5, "REDUCE_ONLY_WOULD_INCREASE", None),
        (8, BUY, 5, "REDUCE_ONLY_WOULD_INCREASE", None),
        (8, SELL, 5, None, 5),
        (8, SELL, 12, None, 8),
        (-8, BUY, 12, None, 8),
        (-8, SELL, 5, "REDUCE_ONLY_WOULD_INCREASE", None),
    ],
)
def test_reduce_only_never_increases_and_is_clipped(held, side, quantity, expected, lots):
    bench = a_market(LINEAR)
    if held:
        bench.submit(BUY if held > 0 else SELL, abs(held), symbol=LINEAR)
    price = 105 if side is SELL else 95
    outcome = bench.submit(side, quantity, price, symbol=LINEAR, key="r", reduce_only=True)
    assert code(outcome) == expected
    if lots is not None:
        assert bench.order("r").lots == lots


def test_resting_reduce_only_orders_follow_the_position_down():
    bench = a_market(LINEAR)
    bench.submit(BUY, 10, symbol=LINEAR)
    bench.submit(SELL, 10, 105, symbol=LINEAR, key="r", reduce_only=True)
    bench.submit(SELL, 6, 99, symbol=LINEAR)
    assert bench.order("r").lots == 4
    bench.submit(SELL, 4, 98, symbol=LINEAR, key="rest")
    assert fills(bench.print(BUY, 99, 4, symbol=LINEAR)) == []  # sold at 99 already
    assert bench.order("r").status.value == "CANCELED"
    assert bench.order("r").reason is not None


def test_one_public_trade_does_not_fill_a_reduce_only_order_it_just_made_pointless():
    bench = a_market(LINEAR)
    bench.submit(BUY, 5, symbol=LINEAR)
    bench.submit(SELL, 5, 105, symbol=LINEAR, key="r", reduce_only=True)
    bench.submit(SELL, 5, 104, symbol=LINEAR, key="first")
    assert fills(bench.print(BUY, 106, 20, symbol=LINEAR)) == [(104, 5, "maker")]
    assert bench.order("r").filled_lots == 0
    assert bench.state.accounts["a"].positions[LINEAR].lots == 0


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("tick_px", "0", "tick_px 0 must be positive"),
        ("min_qty", "0.5", "positive multiple of lot_qty"),
        ("max_qty", "0.9", "min_qty 1 is above max_qty"),
        ("lot_qty", "NaN", "lot_qty NaN must be positive"),
        ("min_notional", "-1", "min_notional -1"),
        ("multiplier", "2", "multiplier of a spot pair must be 1"),
        ("tick_px", "0.0000000000001", "finer than 1e-12"),
    ],
)
def test_an_instrument_that_makes_no_sense_is_refused_by_field(field, value, part):
    fields = dict.fromkeys(("tick_px", "lot_qty", "min_qty", "max_qty"), Decimal(1))
    fields[field] = Decimal(value)
    spec = InstrumentSpec(symbol="A-B", kind=Kind.SPOT, base="A", quote="B", settle="B", **fields)
    with pytest.raises(ValueError, match=f"A-B: .*{part}"):
        Instrument(spec)


def test_cancel_all_of_an_unknown_symbol_is_refused():
    bench = a_market()
    assert code(bench.do(CancelAll(account="a", symbol="NO"))) == RefusalCode.UNKNOWN_SYMBOL
