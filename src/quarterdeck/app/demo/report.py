"""How the demonstration's findings are shown: a table and a verdict, or one JSON document."""

from decimal import Decimal
from typing import Any, Final

from quarterdeck.app.demo.findings import Findings
from quarterdeck.app.printing import print_line, print_rows
from quarterdeck.backtest.study.difference import OrderStudy
from quarterdeck.core.model.decimals import canonical, to_places

VERDICT: Final = "journal verified, positions equal venue"
PLACES: Final = 4
"""Decimal places of a price or difference as it is shown."""
COMPARED: Final = (
    "operation_id",
    "decisions_equal",
    "filled_live",
    "filled_backtest",
    "avg_px_live",
    "avg_px_backtest",
    "difference_bps",
)


def document(findings: Findings) -> dict[str, Any]:
    """Return the findings as JSON values."""
    return {
        "data": findings.data,
        "orders": [_order(detail) for detail in findings.orders],
        "refused": findings.refused,
        "refused_detail": findings.refused_detail,
        "kills": [{"what": kill.what, "seconds": kill.seconds} for kill in findings.kills],
        "journal_rows": findings.journal.chain.rows,
        "journal_verified": findings.journal.ok,
        "decided_again": findings.replay.decided,
        "replay_decide_equal": not findings.replay.problems(),
        "positions_equal_venue": not findings.differences,
        "differences": findings.differences,
        "open_at_end": findings.open_at_end,
        "backtest": [_compared(study) for study in findings.study.orders],
        "backtest_left_out": {left.operation_id: left.why for left in findings.study.left_out},
        "seconds": round(findings.seconds, 1),
    }


def show(findings: Findings) -> None:
    """Print the orders, the backtest beside them, and the verdict."""
    columns = ("operation_id", "state", "reason", "side", "algorithm", "quantity", "filled")
    rows = [_order(detail) for detail in findings.orders]
    print_rows("orders", (*columns, "avg_px", "shortfall_bps", "children", "fills"), rows)
    compared = [_compared(study) for study in findings.study.orders]
    print_rows("the same orders in a backtest over the captured market", COMPARED, compared)
    for left in findings.study.left_out:
        print_line(f"left out of the backtest: {left.operation_id}: {left.why}")
    for kill in findings.kills:
        print_line(f"{kill.what} killed: took orders again after {kill.seconds:.1f} s")
    journal = "journal verified" if findings.journal.ok else "JOURNAL NOT VERIFIED"
    if problems := findings.replay.problems():
        print_line("\n".join(problems))
    venue = "POSITIONS DIFFER FROM VENUE" if findings.differences else "positions equal venue"
    print_line(
        VERDICT if findings.ok else f"{journal}, {venue}, {findings.open_at_end} orders open"
    )


def _order(detail: dict[str, Any]) -> dict[str, Any]:
    order = detail["order"]
    cost = order["cost"]
    return {
        "operation_id": order["operation_id"],
        "state": order["state"],
        "reason": order["reason"],
        "side": order["side"],
        "algorithm": f"{order['exec_algorithm']} {order['route']}",
        "quantity": order["quantity"],
        "filled": order["filled"],
        "avg_px": order["avg_px"],
        "arrival_px": order["arrival_px"],
        "shortfall_bps": None if cost is None else cost["shortfall_bps"],
        "fees": order["fees"],
        "children": len(detail["children"]),
        "venues": sorted({child["account"] for child in detail["children"]}),
        "fills": len(detail["fills"] or ()),
    }


def _compared(study: OrderStudy) -> dict[str, Any]:
    backtest = study.backtest
    return {
        "operation_id": study.operation_id,
        "decisions_equal": study.decisions_equal,
        "filled_live": study.live.filled,
        "filled_backtest": None if backtest is None else backtest.filled,
        "avg_px_live": _short(study.live.avg_px),
        "avg_px_backtest": None if backtest is None else _short(backtest.avg_px),
        "difference_bps": _short(study.difference_bps),
    }


def _short(value: str | None) -> str | None:
    return None if value is None else canonical(to_places(Decimal(value), PLACES))
