"""How the demonstration's findings are shown: a table and a verdict, or one JSON document."""

from typing import Any

from quarterdeck.app.demo.story import Findings
from quarterdeck.app.printing import print_line, print_rows

VERDICT = "journal verified, positions equal venue"


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
        "decided_the_same": not findings.replay.problems(),
        "positions_equal_venue": not findings.differences,
        "differences": findings.differences,
        "open_at_end": findings.open_at_end,
        "seconds": round(findings.seconds, 1),
    }


def show(findings: Findings) -> None:
    """Print the orders and the verdict."""
    columns = ("operation_id", "state", "reason", "side", "order_type", "quantity", "filled")
    rows = [
        {**_order(detail), **{name: detail["order"][name] for name in columns}}
        for detail in findings.orders
    ]
    print_rows("orders", (*columns, "avg_px", "fees", "children", "fills"), rows)
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
    return {
        "operation_id": order["operation_id"],
        "state": order["state"],
        "reason": order["reason"],
        "side": order["side"],
        "quantity": order["quantity"],
        "filled": order["filled"],
        "avg_px": order["avg_px"],
        "fees": order["fees"],
        "children": len(detail["children"]),
        "fills": len(detail["fills"] or ()),
    }
