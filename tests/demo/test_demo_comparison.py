"""The demonstration's proof must be able to fail: every kind of difference is found and named."""

import pytest

from quarterdeck.app.demo.comparison import differences

CHILD = {"client_order_id": "QD1", "state": "filled", "filled": "0.3"}
FILL = {
    "trade_id": "T1",
    "client_order_id": "QD1",
    "quantity": "0.3",
    "price": "100",
    "fee": "0.03",
}
ORDER = {"client_order_id": "QD1", "status": "FILLED", "filled": "0.30000"}
TRADE = FILL | {"quantity": "0.30", "fee": "0.030"}
HOLDING = {"asset": "BTC", "total": "20.3"}
BALANCE = {"asset": "BTC", "total": "20.30"}


def compared(children=(CHILD,), fills=(FILL,), holdings=(HOLDING,), **venue):
    held = {"orders": [ORDER], "trades": [TRADE], "balances": [BALANCE], **venue}
    return differences([{"children": children, "fills": fills}], holdings, held)


def test_equal_figures_are_equal_however_they_are_written():
    assert compared() == []


def test_a_denied_order_has_no_child_and_is_no_difference():
    detail = {"children": [], "fills": []}
    assert differences([detail], [], {"orders": [], "trades": [], "balances": []}) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"orders": [ORDER, ORDER]}, "the venue has 2 orders QD1"),
        ({"children": ()}, "order QD1 is at the venue only"),
        ({"orders": []}, "order QD1 is filled here and not at the venue"),
        ({"orders": [ORDER | {"filled": "0.2"}]}, "order QD1: filled 0.3 here, 0.2 there"),
        ({"orders": [ORDER | {"status": "OPEN"}]}, "order QD1: filled here, OPEN there"),
        ({"children": [CHILD | {"state": "working"}]}, "order QD1: working here, FILLED there"),
        ({"children": [CHILD | {"state": "unknown"}]}, "order QD1: unknown here, FILLED there"),
        ({"fills": []}, "fill T1 is at the venue only"),
        ({"fills": [FILL, FILL]}, "fill T1 is counted here only"),
        ({"trades": []}, "fill T1 is counted here only"),
        ({"balances": [BALANCE | {"total": "20"}]}, "BTC: 20.3 here, 20 there"),
        ({"balances": []}, "BTC: 20.3 here, 0 there"),
        ({"holdings": ()}, "BTC: 0 here, 20.30 there"),
    ],
)
def test_each_difference_is_found(changed, found):
    assert compared(**changed) == [found]


@pytest.mark.parametrize("field", ["quantity", "price", "fee"])
def test_a_fill_that_differs_in_a_figure_is_found_on_both_sides(field):
    assert compared(fills=[FILL | {field: "7"}]) == [
        "fill T1 is counted here only",
        "fill T1 is at the venue only",
    ]


def test_an_order_that_never_left_is_no_difference():
    child = {"client_order_id": "QD2", "state": "not_sent", "filled": "0"}
    assert compared(children=[CHILD, child]) == []
