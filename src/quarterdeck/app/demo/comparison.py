"""Desk against venue: every order, every fill, every balance. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from quarterdeck.core.model.status import LIVE

OPEN_AT_VENUE: Final = "OPEN"

type View = Mapping[str, Any]


def differences(details: Iterable[View], holdings: Iterable[View], venue: View) -> list[str]:
    """Return everything in which the desk's account differs from the venue's.

    Args:
        details: every order of the desk, as `GET /api/orders/{id}` shows it.
        holdings: the account's, as `GET /api/positions` shows them.
        venue: the account as the venue shows it to its administrator.
    """
    listed = list(details)
    children = [child for detail in listed for child in detail["children"]]
    fills = [fill for detail in listed for fill in detail["fills"] or ()]
    return [
        *_orders(children, venue["orders"]),
        *_fills(fills, venue["trades"]),
        *_balances(holdings, venue["balances"]),
    ]


def _orders(children: list[View], orders: list[View]) -> list[str]:
    ours = {child["client_order_id"]: child for child in children}
    theirs = {order["client_order_id"]: order for order in orders}
    found = [
        f"the venue has {count} orders {name}"
        for name, count in Counter(order["client_order_id"] for order in orders).items()
        if count > 1
    ]
    found += [f"order {name} is at the venue only" for name in theirs.keys() - ours.keys()]
    for name, child in ours.items():
        order = theirs.get(name)
        if order is None:
            if Decimal(child["filled"]) or child["state"] in LIVE:
                found.append(f"order {name} is {child['state']} here and not at the venue")
            continue
        if Decimal(child["filled"]) != Decimal(order["filled"]):
            found.append(f"order {name}: filled {child['filled']} here, {order['filled']} there")
        if (child["state"] in LIVE) != (order["status"] == OPEN_AT_VENUE):
            found.append(f"order {name}: {child['state']} here, {order['status']} there")
    return found


def _fills(fills: list[View], trades: list[View]) -> list[str]:
    def figures(fill: View) -> tuple[Any, ...]:
        numbers = (Decimal(fill[name]) for name in ("quantity", "price", "fee"))
        return (fill["trade_id"], fill["client_order_id"], *numbers)

    ours, theirs = Counter(map(figures, fills)), Counter(map(figures, trades))
    found = [f"fill {fill[0]} is counted here only" for fill in (ours - theirs).elements()]
    return found + [f"fill {fill[0]} is at the venue only" for fill in (theirs - ours).elements()]


def _balances(holdings: Iterable[View], balances: list[View]) -> list[str]:
    ours = {holding["asset"]: Decimal(holding["total"]) for holding in holdings}
    theirs = {balance["asset"]: Decimal(balance["total"]) for balance in balances}
    return [
        f"{asset}: {ours.get(asset, Decimal(0))} here, {theirs.get(asset, Decimal(0))} there"
        for asset in sorted(ours.keys() | theirs.keys())
        if ours.get(asset, Decimal(0)) != theirs.get(asset, Decimal(0))
    ]
