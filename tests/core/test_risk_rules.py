"""The risk rules, one table each, and the gate that puts them in order."""

from decimal import Decimal
from typing import Any, Final

import pytest
from msgspec.structs import replace
from tests.core.desk_bench import INSTRUMENTS, LIMITS, MS, Bench, capabilities, terms

from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason, Refused, band
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.risk.gate import RULES, Approved, judge
from quarterdeck.core.risk.rules import (
    account_gate,
    expiry,
    funds,
    instrument_open,
    limits_set,
    notional_bounds,
    numbers,
    order_notional,
    order_quantity,
    price_collar,
    price_tick,
    quantity_bounds,
    reduce_only,
    reference,
    trading_state,
)

D = Decimal
R = Reason
NOW_NS: Final = 50_000 * MS
MARKET: Final = {"order_type": OrderType.MARKET, "limit_px": None}


def a_view(bid: str | None = "99.5", ask: str | None = "100.5", age_ms: int = 0) -> MarketView:
    return MarketView(
        instrument=INSTRUMENTS[0].id,
        bids=((D(bid), D(1)),) if bid else (),
        asks=((D(ask), D(1)),) if ask else (),
        seq=1,
        at_ns=NOW_NS - age_ms * MS,
    )


def a_check(asked: dict[str, Any] | None = None, **changes: Any) -> OrderCheck:
    """Return an order that every rule lets through, but for what is changed."""
    made = OrderCheck(
        terms=terms(**(asked or {})),
        now_ns=NOW_NS,
        instrument=INSTRUMENTS[0],
        account=AccountState(
            account="acc",
            venue="SIM",
            gateway_epoch=1,
            connected=True,
            gate_open=True,
            gate_reason=None,
            capabilities=capabilities(),
            trades_from_ns=0,
        ),
        trading_state=TradingState.ACTIVE,
        instrument_halted=None,
        limits=LIMITS,
        view=a_view(),
        reducible_qty=D(0),
        free=D(1_000),
    )
    return replace(made, **changes)


def code(refused: Refused | None) -> Reason | None:
    return None if refused is None else refused.code


@pytest.mark.parametrize("field", ["quantity", "limit_px", "max_slippage_bps"])
@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-1"])
def test_numbers_that_are_none_are_refused_by_name(field: str, number: str) -> None:
    refused = numbers.check(a_check({field: D(number)}))
    assert refused is not None
    name = "price" if field == "limit_px" else field
    assert (refused.code, refused.field) == (R.INVALID_VALUE, name)


def test_numbers_that_are_left_out_are_no_concern() -> None:
    assert numbers.check(a_check({"limit_px": None, "max_slippage_bps": None})) is None


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity"])
def test_no_number_that_is_none_gets_as_far_as_arithmetic(number: str) -> None:
    for field in ("quantity", "limit_px", "max_slippage_bps"):
        assert code(judge(a_check({field: D(number)}))) is R.INVALID_VALUE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "quantity", "reducible", "refusal"),
    [
        (TradingState.ACTIVE, "2", "0", None),
        (TradingState.HALTED, "2", "9", R.TRADING_HALTED),
        (TradingState.REDUCING, "2", "0", R.TRADING_REDUCING),
        (TradingState.REDUCING, "2", "1.9", R.TRADING_REDUCING),
        (TradingState.REDUCING, "2", "2", None),
    ],
)
def test_trading_state(
    state: TradingState, quantity: str, reducible: str, refusal: Reason | None
) -> None:
    check = a_check({"quantity": D(quantity)}, trading_state=state, reducible_qty=D(reducible))
    assert code(trading_state.check(check)) is refusal


@pytest.mark.parametrize("why", [R.NOT_RECONCILED, R.STREAM_STALE, None])
def test_account_gate_says_why_it_is_shut(why: Reason | None) -> None:
    account = replace(a_check().account, gate_open=False, gate_reason=why)
    refused = account_gate.check(a_check(account=account))
    assert refused is not None
    assert refused.code is R.ACCOUNT_NOT_READY
    assert str(why or R.NOT_RECONCILED) in refused.text
    assert account_gate.check(a_check()) is None


def test_instrument_open() -> None:
    assert instrument_open.check(a_check()) is None
    halted = a_check(instrument_halted=R.POSITION_DIFFERS)
    assert code(instrument_open.check(halted)) is R.INSTRUMENT_HALTED


@pytest.mark.parametrize(
    ("expire_ns", "refusal"),
    [(None, None), (NOW_NS + 1, None), (NOW_NS, R.EXPIRE_TIME_PASSED), (0, R.EXPIRE_TIME_PASSED)],
)
def test_expiry(expire_ns: int | None, refusal: Reason | None) -> None:
    check = a_check({"tif": TimeInForce.GTD, "expire_ns": expire_ns})
    assert code(expiry.check(check)) is refusal


@pytest.mark.parametrize(
    ("px", "text"),
    [("100", None), ("100.5", None), ("100.50", None), ("100.3", "100 and 100.5"), (None, None)],
)
def test_price_tick_names_the_neighbours(px: str | None, text: str | None) -> None:
    refused = price_tick.check(a_check({"limit_px": None if px is None else D(px)}))
    assert code(refused) is (R.PRICE_OFF_TICK if text else None)
    assert refused is None or (text is not None and text in refused.text)


@pytest.mark.parametrize(
    ("quantity", "refusal"),
    [
        ("0.2", None),
        ("50", None),
        ("0.25", R.QUANTITY_OFF_LOT),
        ("0.1", R.QUANTITY_UNDER_MINIMUM),
        ("50.1", R.QUANTITY_OVER_MAXIMUM),
    ],
)
def test_quantity_bounds(quantity: str, refusal: Reason | None) -> None:
    assert code(quantity_bounds.check(a_check({"quantity": D(quantity)}))) is refusal


def test_no_limit_is_not_no_bound() -> None:
    assert limits_set.check(a_check()) is None
    assert code(limits_set.check(a_check(limits=None))) is R.LIMIT_MISSING
    # Whatever else is wrong with it: an order without limits never gets through.
    assert code(judge(a_check(limits=None))) is R.LIMIT_MISSING  # type: ignore[arg-type]


@pytest.mark.parametrize(("quantity", "ok"), [("20", True), ("20.1", False)])
def test_order_quantity(quantity: str, *, ok: bool) -> None:
    refused = order_quantity.check(a_check({"quantity": D(quantity)}))
    assert code(refused) is (None if ok else R.QUANTITY_OVER_LIMIT)


@pytest.mark.parametrize(
    ("view", "refusal"),
    [
        (a_view(), None),
        (a_view(age_ms=1_000), None),
        (a_view(age_ms=1_001), R.REFERENCE_STALE),
        (None, R.REFERENCE_MISSING),
        (a_view(bid=None), R.REFERENCE_MISSING),
        (a_view(ask=None), R.REFERENCE_MISSING),
        (a_view(bid="101", ask="100"), R.REFERENCE_MISSING),  # crossed
        (a_view(bid="-3", ask="1"), R.REFERENCE_MISSING),  # a midpoint below zero
        (a_view(bid="NaN", ask="NaN"), R.REFERENCE_MISSING),
        (a_view(bid="-Infinity", ask="Infinity"), R.REFERENCE_MISSING),
        (a_view(ask="Infinity"), R.REFERENCE_MISSING),
    ],
)
@pytest.mark.parametrize("asked", [{}, MARKET])
def test_reference(asked: dict[str, Any], view: MarketView | None, refusal: Reason | None) -> None:
    assert code(reference.check(a_check(asked, view=view))) is refusal


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"quantity": D("0.2"), "limit_px": D(50)}, None),
        ({"quantity": D("0.2"), "limit_px": D("49.5")}, R.NOTIONAL_UNDER_MINIMUM),
        ({"quantity": D(40), "limit_px": D(100)}, None),
        ({"quantity": D(40), "limit_px": D("100.5")}, R.NOTIONAL_OVER_MAXIMUM),
        # A market order counts at its worst price, the collar: 100 × 1.05.
        (MARKET | {"quantity": D(38)}, None),
        (MARKET | {"quantity": D("38.1")}, R.NOTIONAL_OVER_MAXIMUM),
    ],
)
def test_notional_bounds(asked: dict[str, Any], refusal: Reason | None) -> None:
    assert code(notional_bounds.check(a_check(asked))) is refusal


@pytest.mark.parametrize(
    ("asked", "ok"),
    [
        ({"quantity": D(20), "limit_px": D(125)}, True),
        ({"quantity": D(20), "limit_px": D("125.5")}, False),
        (MARKET | {"quantity": D("23.8")}, True),  # × 105 = 2499
        (MARKET | {"quantity": D("23.9")}, False),
        (MARKET | {"quantity": D("24.5"), "max_slippage_bps": D(200)}, True),  # × 102 = 2499
    ],
)
def test_order_notional(asked: dict[str, Any], *, ok: bool) -> None:
    assert code(order_notional.check(a_check(asked))) is (None if ok else R.NOTIONAL_OVER_LIMIT)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("px", "ok"), [("95", True), ("105", True), ("94.5", False), ("105.5", False), ("1", False)]
)
def test_price_collar_holds_on_both_sides(side: Side, px: str, *, ok: bool) -> None:
    refused = price_collar.check(a_check({"side": side, "limit_px": D(px)}))
    assert code(refused) is (None if ok else R.PRICE_OUTSIDE_COLLAR)
    assert refused is None or "95 to 105" in refused.text


@pytest.mark.parametrize(
    ("marked", "quantity", "reducible", "ok"),
    [(False, "2", "0", True), (True, "2", "2", True), (True, "2", "1.9", False)],
)
def test_reduce_only(quantity: str, reducible: str, *, marked: bool, ok: bool) -> None:
    check = a_check({"reduce_only": marked, "quantity": D(quantity)}, reducible_qty=D(reducible))
    assert code(reduce_only.check(check)) is (None if ok else R.REDUCE_ONLY_WOULD_OPEN)


@pytest.mark.parametrize(
    ("asked", "free", "ok"),
    [
        ({"quantity": D(2)}, "200", True),
        ({"quantity": D(2)}, "199.9", False),
        ({"quantity": D(2), "side": Side.SELL}, "2", True),
        ({"quantity": D(2), "side": Side.SELL}, "1.9", False),
        (MARKET | {"quantity": D(2)}, "210", True),
        (MARKET | {"quantity": D(2)}, "209.9", False),
    ],
)
def test_funds(asked: dict[str, Any], free: str, *, ok: bool) -> None:
    refused = funds.check(a_check(asked, free=D(free)))
    assert code(refused) is (None if ok else R.INSUFFICIENT_HOLDING)


def test_funds_of_derivatives_are_the_venues_concern() -> None:
    assert funds.check(a_check(instrument=INSTRUMENTS[1], free=None)) is None


@pytest.mark.parametrize(
    ("asked", "worst"),
    [
        ({}, "100"),
        (MARKET, "105"),
        (MARKET | {"side": Side.SELL}, "95"),
        (MARKET | {"max_slippage_bps": D(120)}, "101"),  # 101.2, on the better tick
        (MARKET | {"max_slippage_bps": D(120), "side": Side.SELL}, "99"),
        (MARKET | {"max_slippage_bps": D(9_000)}, "105"),  # the collar holds
    ],
)
def test_approval_carries_the_prices_it_was_based_on(asked: dict[str, Any], worst: str) -> None:
    verdict = judge(a_check(asked))
    assert verdict == Approved(arrival_px=D(100), working_px=D(worst))
    assert isinstance(verdict, Approved)
    # As it is sent: no more places than the tick has.
    assert len(str(verdict.working_px)) <= len("100.0")


def test_first_no_wins_in_the_order_of_the_list() -> None:
    """Break everything, then mend in order: each rule is heard once all before it agree."""
    hopeless = a_check(
        {
            "quantity": D("-1"),
            "expire_ns": 0,
            "limit_px": D("333.33"),
            "reduce_only": True,
        },
        trading_state=TradingState.HALTED,
        account=replace(a_check().account, gate_open=False),
        instrument_halted=R.POSITION_DIFFERS,
        limits=None,
        view=None,
        free=D(0),
    )
    tight = replace(LIMITS, max_order_qty=D("0.2"), max_order_notional=D(1))
    low = replace(hopeless.instrument, min_notional=D(3_000))
    steps: list[tuple[Reason, dict[str, Any], dict[str, Any]]] = [
        (R.INVALID_VALUE, {}, {}),
        (R.TRADING_HALTED, {"quantity": D("0.25")}, {}),
        (R.ACCOUNT_NOT_READY, {}, {"trading_state": TradingState.ACTIVE}),
        (R.INSTRUMENT_HALTED, {}, {"account": a_check().account}),
        (R.EXPIRE_TIME_PASSED, {}, {"instrument_halted": None}),
        (R.PRICE_OFF_TICK, {"expire_ns": None}, {}),
        (R.QUANTITY_OFF_LOT, {"limit_px": D(333)}, {}),
        (R.LIMIT_MISSING, {"quantity": D(2)}, {}),
        (R.QUANTITY_OVER_LIMIT, {}, {"limits": tight}),
        (R.REFERENCE_MISSING, {}, {"limits": replace(tight, max_order_qty=D(20))}),
        (R.NOTIONAL_UNDER_MINIMUM, {}, {"view": a_view(), "instrument": low}),
        (R.NOTIONAL_OVER_LIMIT, {}, {"instrument": INSTRUMENTS[0]}),
        (R.PRICE_OUTSIDE_COLLAR, {}, {"limits": LIMITS}),
        (R.REDUCE_ONLY_WOULD_OPEN, {"limit_px": D(100)}, {}),
        (R.INSUFFICIENT_HOLDING, {"reduce_only": False}, {}),
    ]
    assert len(steps) == len(RULES)
    for expected, asked, changes in steps:
        hopeless = replace(hopeless, terms=replace(hopeless.terms, **asked), **changes)
        verdict = judge(hopeless)
        assert isinstance(verdict, Refused)
        assert verdict.code is expected
        assert band(verdict.code) == ("intake" if expected is R.INVALID_VALUE else "risk")
        assert verdict.text
    assert isinstance(judge(replace(hopeless, free=D(200))), Approved)


def test_open_reducers_are_counted() -> None:
    """Two reduce-only sells of what is there once: the second one would flip the position."""
    bench = Bench()
    bought = bench.trade(
        "5", "2000", instrument=INSTRUMENTS[1].id, name=None, client_order_id="web-1"
    )
    bench.later(MS)
    bench.give(replace(bought, at_ns=bench.now_ns))
    asked = {
        "instrument": INSTRUMENTS[1].id,
        "side": Side.SELL,
        "reduce_only": True,
        "limit_px": D(100),
    }
    bench.submit("first", quantity=D(3), **asked)
    assert bench.parent("first").status.is_live
    bench.submit("second", quantity=D(3), **asked)
    assert bench.parent("second").reason is R.REDUCE_ONLY_WOULD_OPEN
    bench.submit("third", quantity=D(2), **asked)
    assert bench.parent("third").status.is_live
