"""How two sides of an order are compared: the first decision that differs, and signs of prices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.backtest.study.decisions import FIELDS, Decision, Kind
from quarterdeck.backtest.study.difference import (
    OrderStudy,
    Outcome,
    difference_bps,
    first_parting,
    totals_of,
)
from quarterdeck.core.model.terms import Side

SENT = Decision(
    kind=Kind.SEND,
    child_no=1,
    venue="OKX",
    instrument="OKX:SPOT_PAIR:BTC-USDT",
    side="BUY",
    quantity="0.5",
    order_type="LIMIT",
    limit_px="100",
    tif="IOC",
)
SECOND = replace(SENT, child_no=2, quantity="0.25")
DONE = Decision(kind=Kind.FINISH, reason="completed")
CANCELED = Decision(kind=Kind.FINISH, reason="canceled_on_request")


@pytest.mark.parametrize(
    ("live", "backtest", "parting"),
    [
        ([], [], None),
        ([SENT, DONE], [SENT, DONE], None),
        ([SENT], [replace(SENT, limit_px="101")], (0, "limit_px", "100", "101")),
        ([SENT], [replace(SENT, limit_px=None)], (0, "limit_px", "100", None)),
        ([SENT, SECOND], [SENT, replace(SECOND, tif="GTC")], (1, "tif", "IOC", "GTC")),
        ([SENT, DONE], [SENT, SECOND, DONE], (1, "kind", "finish", "send")),
        ([SENT, DONE], [SENT, CANCELED], (1, "reason", "completed", "canceled_on_request")),
        ([SENT], [SENT, DONE], (1, "decision", None, "finish completed")),
        ([SENT, SECOND], [SENT], (1, "decision",
            "send 2 OKX OKX:SPOT_PAIR:BTC-USDT BUY 0.25 LIMIT 100 IOC", None)),
        ([SENT, SECOND], [SECOND, SENT], (0, "child_no", "1", "2")),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(live, backtest, parting):
    found = first_parting(live, backtest)
    told = None if found is None else (found.index, found.field, found.live, found.backtest)
    assert told == parting


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_decision_counts(field: str):
    changed = replace(SENT, **{field: "other"})
    found = first_parting([SENT], [changed])
    assert found is not None
    assert found.field == field


@pytest.mark.parametrize(
    ("side", "live_px", "backtest_px", "bps"),
    [
        (Side.BUY, "100", "100", "0"),
        (Side.BUY, "100", "100.01", "1"),  # It paid more.
        (Side.BUY, "100", "99.99", "-1"),
        (Side.SELL, "100", "99.99", "1"),  # It got less.
        (Side.SELL, "100", "100.01", "-1"),
        (Side.SELL, "60000", "59940", "10"),
        (Side.BUY, "3", "3.0001", "0.333333333"),
        (Side.BUY, None, "100", None),
        (Side.BUY, "100", None, None),
        (Side.BUY, "0", "100", None),
    ],
)
def test_positive_is_a_worse_backtest(side, live_px, backtest_px, bps):
    numbers = [None if px is None else Decimal(px) for px in (live_px, backtest_px)]
    assert difference_bps(side, *numbers) == bps


prices = st.decimals("0.01", "1000000", places=2)


@given(live_px=prices, backtest_px=prices)
def test_sides_mirror_each_other(live_px: Decimal, backtest_px: Decimal):
    buy = Decimal(difference_bps(Side.BUY, live_px, backtest_px) or 0)
    sell = Decimal(difference_bps(Side.SELL, live_px, backtest_px) or 0)
    assert buy == -sell
    assert (buy > 0) is (backtest_px > live_px)
    assert (buy == 0) is (backtest_px == live_px)


def an_order(bps: str | None, *, equal: bool = True, filled: str = "1") -> OrderStudy:
    outcome = Outcome(
        state="filled",
        reason="completed",
        filled="1",
        avg_px="100",
        arrival_px="100",
        shortfall_bps="0",
        children=1,
    )
    return OrderStudy(
        operation_id="a",
        instrument=SENT.instrument or "",
        side="BUY",
        quantity="1",
        algorithm="NORMAL",
        route="DIRECT",
        same_book=True,
        decisions_equal=equal,
        decisions_live=1,
        decisions_backtest=1,
        parting=None,
        live=outcome,
        backtest=replace(outcome, filled=filled),
        difference_bps=bps,
    )


@pytest.mark.parametrize(
    ("orders", "figures"),
    [
        ([], (0, 0, 0, 0, 0, None, None, None, None)),
        ([an_order(None)], (1, 1, 0, 1, 0, None, None, None, None)),
        ([an_order("-3"), an_order("1")], (2, 2, 0, 2, 2, "-1", "2", "2", "3")),
        (
            [an_order("0"), an_order("-8", equal=False), an_order("2", filled="0.5")],
            (3, 2, 1, 1, 3, "-2", "3.333333333", "2", "8"),
        ),
    ],
)
def test_totals(orders, figures):
    found = totals_of(orders)
    assert (
        found.orders,
        found.equal_decisions,
        found.parted_on_same_book,
        found.equal,
        found.measured,
        found.mean_bps,
        found.mean_abs_bps,
        found.median_abs_bps,
        found.max_abs_bps,
    ) == figures


def test_what_the_backtest_did_not_take_is_never_equal():
    assert not replace(an_order(None), backtest=None).is_equal
