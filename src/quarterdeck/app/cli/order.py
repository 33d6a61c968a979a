"""`quarterdeck order`: submit, cancel, show, list, resolve; and the way to its other commands."""

import secrets
import time
from typing import Any, Literal

from cyclopts import App

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.order_show import print_order, print_orders
from quarterdeck.app.cli.order_terms import TERMS, Terms, message_of
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, CommandError
from quarterdeck.app.desk_client import segment
from quarterdeck.app.printing import print_fields, print_json

app = App(name="order", help="Submit, steer and look at parent orders.")
ACCESS = Access()

# Imported when they are used, as the commands of the whole program are.
FOLDER = "quarterdeck.app.cli"
for name, target, text in (
    ("batch", "order_batch:batch", "Submit the orders of a file."),
    ("preview", "order_preview:preview", "Show what an order would do and cost; nothing is sent."),
    ("algorithms", "order_preview:algorithms", "Show the algorithms and their parameters."),
    ("amend", "order_steering:amend", "Change the terms of a live order."),
    ("pause", "order_steering:pause", "Send nothing more for an order until it is resumed."),
    ("resume", "order_steering:resume", "Go on with a paused order."),
    ("expire", "order_steering:expire", "End an order's time now."),
):
    app.command(f"{FOLDER}.{target}", name=name, help=text)


@app.command
def submit(
    instrument: str,
    side: Literal["BUY", "SELL"],
    quantity: str,
    *,
    terms: Terms = TERMS,
    access: Access = ACCESS,
) -> int:
    """Submit a parent order: LIMIT when a price is given, MARKET otherwise.

    Prints the operation id that was used; sending it again with the same terms is safe.

    Args:
        instrument: Canonical id, for example BINANCE-SPOT:SPOT_PAIR:BTC-USDT.
        side: BUY or SELL.
        quantity: In base units or contracts.
        terms: How it is to be worked.
        access: Which desk, and how to print.
    """
    body = {
        "operation_id": new_operation_id(),
        **message_of(instrument, side, quantity, terms),
    }
    try:
        answer = desk_client(access).post("/api/orders", body)
    except CommandError as error:
        raise _UndoneError(error, body["operation_id"]) from error
    _show(answer, access)
    return EXIT_REFUSED if answer["state"] == "denied" else 0


@app.command
def cancel(operation_id: str, *, access: Access = ACCESS) -> None:
    """Cancel an order and what of it is out at venues."""
    _show(desk_client(access).post(f"/api/orders/{segment(operation_id)}/cancel", {}), access)


@app.command
def show(operation_id: str, *, access: Access = ACCESS) -> None:
    """Show an order with its children, fills, routing, cost and history."""
    answer = desk_client(access).get(f"/api/orders/{segment(operation_id)}")
    if access.json:
        print_json(answer)
    else:
        print_order(answer)


@app.command(name="list")
def list_(
    *,
    live: bool | None = None,
    state: str | None = None,
    strategy_id: str | None = None,
    instrument: str | None = None,
    limit: int = 50,
    access: Access = ACCESS,
) -> None:
    """List orders, newest first.

    Args:
        live: Only orders that may still change; --no-live for the others.
        state: Only orders in this state.
        strategy_id: Only orders of this strategy.
        instrument: Only orders in this instrument.
        limit: How many at most.
        access: Which desk, and how to print.
    """
    answer = desk_client(access).get(
        "/api/orders",
        live=live,
        state=state,
        strategy_id=strategy_id,
        instrument=instrument,
        limit=limit,
    )
    if access.json:
        print_json(answer)
    else:
        print_orders(answer)


@app.command
def resolve(
    operation_id: str,
    child_no: int,
    outcome: Literal["absent", "canceled"],
    evidence: str,
    *,
    access: Access = ACCESS,
) -> None:
    """Settle a child of unknown outcome by hand.

    Args:
        operation_id: The order.
        child_no: Which of its children.
        outcome: absent: it never reached the venue. canceled: it is gone, all fills are known.
        evidence: What you saw and where; kept for ever.
        access: Which desk, and how to print.
    """
    path = f"/api/orders/{segment(operation_id)}/children/{child_no}/resolve"
    body = {"outcome": outcome, "evidence": evidence}
    _show(desk_client(access).post(path, body), access)


class _UndoneError(CommandError):
    """A submit without an order to show: says which id it used, so that it can be sent again."""

    def __init__(self, error: CommandError, operation_id: str) -> None:
        self._document = error.document() | {"operation_id": operation_id}
        again = ""
        if error.code == EXIT_UNREACHABLE:
            again = f"; what became of it is not known: send it again with the id {operation_id}"
        super().__init__(f"{error}{again}", error.code)

    def document(self) -> dict[str, object]:
        return self._document


def new_operation_id() -> str:
    """Return an id that sorts by time and is not used twice: milliseconds and 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | secrets.randbits(76)
    value = value & ~(3 << 62) | 2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _show(answer: Any, access: Access) -> None:
    if access.json:
        print_json(answer)
    else:
        print_fields("order", answer)
