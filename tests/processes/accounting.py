"""Comparing what the desk says with what the venue did, order by order and asset by asset."""

from collections import Counter
from decimal import Decimal

from tests.processes.running import ACCOUNT, Running, until

from quarterdeck.core.model.ids import client_order_id

ENDED = {"filled", "canceled", "rejected", "expired", "denied"}


def quiesce(system: Running, operation_ids: list[str]) -> dict[str, dict]:
    """Cancel what is live, wait until every order has ended, and return them all."""
    until(system.gate_is_open, "the account's gate opens")
    for operation_id in operation_ids:
        assert system.cancel(operation_id) in {202, 200, 409}, operation_id
    orders: dict[str, dict] = {}
    for operation_id in operation_ids:
        until(
            lambda operation_id=operation_id: system.order(operation_id)["state"] in ENDED,
            f"{operation_id} ends: {system.order(operation_id)}",
        )
        orders[operation_id] = system.order(operation_id)
    return orders


def assert_desk_equals_venue(system: Running, orders: dict[str, dict]) -> None:
    """Every order once, every fill once, every asset equal."""
    venue = system.venue()
    at_venue = {order["client_order_id"]: order for order in venue["orders"]}
    assert len(at_venue) == len(venue["orders"]), "a client order id twice at the venue"
    trades = Counter(trade["trade_id"] for trade in venue["trades"])
    assert set(trades.values()) <= {1}
    for operation_id, order in orders.items():
        names = [client_order_id(operation_id, n + 1) for n in range(len(order["children"]))]
        there = [at_venue[name] for name in names if name in at_venue]
        assert len(there) <= 1, f"{operation_id} reached the venue {len(there)} times"
        filled = sum((Decimal(one["filled"]) for one in there), Decimal(0))
        assert Decimal(order["filled"]) == filled, (operation_id, order, there)
        assert all(one["status"] != "open" for one in there), there
        if order["state"] == "filled":
            assert filled == Decimal(order["quantity"])
        booked = {fill["trade_id"] for fill in order["fills"]}
        done = {t["trade_id"] for t in venue["trades"] if t["client_order_id"] in names}
        assert booked == done, operation_id
    until(lambda: holdings_equal(system), f"holdings equal: {holdings(system)}")


def holdings_equal(system: Running) -> bool:
    ours, theirs = holdings(system)
    return ours == theirs


def holdings(system: Running) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    answer = system.surely("GET", "/api/positions").json()
    ours = {
        holding["asset"]: Decimal(holding["total"])
        for holding in answer["holdings"]
        if holding["account"] == ACCOUNT
    }
    assert all(Decimal(h["unexplained"]) == 0 for h in answer["holdings"]), answer["holdings"]
    assert all(Decimal(h["reserved"]) == 0 for h in answer["holdings"]), answer["holdings"]
    theirs = {b["asset"]: Decimal(b["total"]) for b in system.venue()["balances"]}
    return ours, theirs
