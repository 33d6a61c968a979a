"""How orders are printed for people: one with everything that belongs to it, or many in a table."""

from collections.abc import Mapping
from typing import Any

from quarterdeck.app.printing import print_fields, print_line, print_rows

SHOWN = (
    "operation_id",
    "state",
    "reason",
    "detail",
    "held",
    "instrument_key",
    "account",
    "side",
    "order_type",
    "quantity",
    "price",
    "route",
    "venues",
    "exec_algorithm",
    "exec_algorithm_params",
    "filled",
    "avg_px",
    "fees",
    "created_ns",
)
LISTED = (
    "operation_id",
    "created_ns",
    "state",
    "side",
    "quantity",
    "price",
    "filled",
    "avg_px",
    "shortfall_bps",
    "instrument_key",
)
CHILDREN = (
    "child_no",
    "account",
    "state",
    "reason",
    "quantity",
    "price",
    "filled",
    "avg_px",
    "venue_order_id",
)
FILLS = ("trade_id", "account", "side", "quantity", "price", "fee", "fee_asset", "maker", "at_ns")
EVENTS = ("seq", "at_ns", "cause", "event")
ROUTING = (
    "seq",
    "at_ns",
    "quantity",
    "mid_px",
    "to",
    "cost_bps",
    "best_single",
    "best_single_bps",
    "left_out",
)
ALTERNATIVES = ("account", "left_out", "takes", "avg_px", "fee_bps", "cost_bps", "view")
WOULD_SEND = ("child_no", "account", "quantity", "order_type", "price", "time_in_force")
SCHEDULE = ("after_s", "quantity", "cumulative")


def print_order(answer: Mapping[str, Any]) -> None:
    """Print an order's detail."""
    order = answer["order"]
    print_fields("order", {name: order[name] for name in SHOWN})
    if order["cost"] is not None:
        print_fields("cost", order["cost"])
    if answer["schedule_error"] is not None:
        print_fields("distance from the schedule", answer["schedule_error"])
    print_rows("children", CHILDREN, answer["children"])
    if answer["routing"]:
        print_rows("routing", ROUTING, map(_routed, answer["routing"]))
    for name, columns in (("fills", FILLS), ("events", EVENTS)):
        if answer[name] is not None:
            print_rows(name, columns, answer[name])
        else:
            print_line(f"{name}: the database cannot be read now")


def print_orders(answer: Mapping[str, Any]) -> None:
    """Print a page of orders."""
    rows = ({**(order["cost"] or {}), **order} for order in answer["orders"])
    print_rows("orders", LISTED, rows)


def print_preview(answer: Mapping[str, Any]) -> None:
    """Print what an order would do."""
    names = ("cost_bps", "best_single", "best_single_bps")
    verdict = answer["verdict"]
    print_fields("preview", {**verdict, **{name: answer[name] for name in names}})
    if answer["held"] is not None:
        print_line(f"nothing would be sent now: {answer['held']['text']}")
    print_rows("would send now", WOULD_SEND, answer["children"])
    if answer["alternatives"]:
        print_rows("venues for the first slice", ALTERNATIVES, answer["alternatives"])
    if answer["schedule"]:
        print_rows("schedule", SCHEDULE, map(_planned, answer["schedule"]))


def _routed(routing: Mapping[str, Any]) -> dict[str, Any]:
    """Fold a routing decision into one line."""
    to = [f"{leg['account']} {leg['quantity']}{_how(leg)}" for leg in routing["legs"]]
    out = [seen for seen in routing["alternatives"] if seen["left_out"] is not None]
    left_out = [f"{seen['account']}: {seen['left_out']}" for seen in out]
    return {**routing, "to": to, "left_out": left_out}


def _how(leg: Mapping[str, Any]) -> str:
    return " resting" if leg["rests"] else f" at {leg['expected_px']}"


def _planned(planned: Mapping[str, Any]) -> dict[str, Any]:
    return {**planned, "after_s": f"{planned['after_ns'] / 1e9:g}"}
