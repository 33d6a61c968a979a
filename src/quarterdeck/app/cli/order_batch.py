"""`quarterdeck order batch`: many orders from a file, each taken or refused by itself."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.app.desk_client import DeskClient
from quarterdeck.app.printing import print_json, print_rows

ACCESS = Access()
AT_ONCE_MAX: Final = 100
"""How many orders the desk takes in one call."""
COLUMNS = ("operation_id", "status", "state", "reason", "field", "text")
ACCEPTED: Final = 202


def batch(file: Path, *, access: Access = ACCESS) -> int:
    """Submit the orders of a file; exit code 1 unless all are accepted.

    Each must name its own operation_id: with those the same file can safely be sent again.

    Args:
        file: JSON array of order messages, or one message a line (JSONL); - reads standard input.
        access: Which desk, and how to print.
    """
    orders = _orders(file)
    results = _submitted(desk_client(access), orders)
    if access.json:
        print_json({"results": results})
    else:
        print_rows("orders", COLUMNS, map(_row, results))
    return 0 if all(map(_accepted, results)) else EXIT_REFUSED


def _submitted(client: DeskClient, orders: list[Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for start in range(0, len(orders), AT_ONCE_MAX):
        body = {"orders": orders[start : start + AT_ONCE_MAX]}
        try:
            results += client.post("/api/orders/batch", body)["results"]
        except CommandError as error:
            text = f"{error}; {start} of {len(orders)} orders were answered before that, and it is "
            text += "safe to send the same file again"
            raise CommandError(text, error.code) from error
    return results


def _orders(file: Path) -> list[Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}", EXIT_USAGE) from error
    if text.lstrip().startswith("["):
        whole = _decoded(text, str(file))
        orders = whole if isinstance(whole, list) else [whole]
    else:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        orders = [_decoded(line, f"{file} line {number}") for number, line in lines]
    if not orders:
        raise CommandError(f"{file} holds no orders", EXIT_USAGE)
    return orders


def _decoded(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{where} is not JSON: {error}", EXIT_USAGE) from error


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    order, error = result["order"] or {}, result["error"] or {}
    return {
        "operation_id": result["operation_id"],
        "status": result["status"],
        "state": order.get("state"),
        "reason": order.get("reason") or error.get("code"),
        "field": error.get("field"),
        "text": order.get("detail") or error.get("text"),
    }


def _accepted(result: Mapping[str, Any]) -> bool:
    return bool(result["status"] == ACCEPTED and result["order"]["state"] != "denied")
