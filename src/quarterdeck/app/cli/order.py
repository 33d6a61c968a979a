"""`quarterdeck order`: submit, cancel, show, list, resolve."""

import secrets
import time
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_UNREACHABLE, CommandError
from quarterdeck.app.desk_client import segment
from quarterdeck.app.printing import print_fields, print_json, print_rows

app = App(name="order", help="Submit, cancel and look at parent orders.")

Flag = Annotated[bool, Parameter(negative="")]
ACCESS = Access()

SHOWN = (
    "operation_id",
    "state",
    "reason",
    "detail",
    "instrument_key",
    "account",
    "side",
    "order_type",
    "quantity",
    "price",
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
    "instrument_key",
)
CHILDREN = (
    "child_no",
    "state",
    "reason",
    "quantity",
    "price",
    "filled",
    "avg_px",
    "venue_order_id",
)
FILLS = ("trade_id", "side", "quantity", "price", "fee", "fee_asset", "maker", "at_ns")
EVENTS = ("seq", "at_ns", "cause", "event")


@app.command
def submit(
    instrument: str,
    side: Literal["BUY", "SELL"],
    quantity: str,
    *,
    price: str | None = None,
    tif: Literal["GTC", "IOC", "FOK", "GTD"] = "GTC",
    expire_time: str | None = None,
    post_only: Flag = False,
    reduce_only: Flag = False,
    account: str | None = None,
    strategy_id: str | None = None,
    max_slippage_bps: str | None = None,
    operation_id: str | None = None,
    access: Access = ACCESS,
) -> int:
    """Submit a parent order: LIMIT when a price is given, MARKET otherwise.

    Prints the operation id that was used; sending it again with the same terms is safe.

    Args:
        instrument: Canonical id, for example BINANCE-SPOT:SPOT_PAIR:BTC-USDT.
        side: BUY or SELL.
        quantity: In base units or contracts.
        price: Limit price in quote currency.
        tif: How long it may rest.
        expire_time: RFC 3339 time with an offset, for GTD.
        post_only: Never take liquidity.
        reduce_only: Only bring a position closer to zero.
        account: Needed where a venue has several.
        strategy_id: For whom.
        max_slippage_bps: For MARKET: worst price from the arrival price.
        operation_id: Your own id for the order; drawn when left out.
        access: Which desk, and how to print.
    """
    chosen_id = operation_id or new_operation_id()
    given = {
        "operation_id": chosen_id,
        "instrument_key": instrument,
        "side": side,
        "quantity": quantity,
        "order_type": "LIMIT" if price is not None else "MARKET",
        "price": price,
        "time_in_force": tif,
        "expire_time": expire_time,
        "post_only": post_only or None,
        "reduce_only": reduce_only or None,
        "account": account,
        "strategy_id": strategy_id,
        "max_slippage_bps": max_slippage_bps,
    }
    body = {name: value for name, value in given.items() if value is not None}
    try:
        answer = desk_client(access).post("/api/orders", body)
    except CommandError as error:
        raise _UndoneError(error, chosen_id) from error
    _show(answer, access)
    return EXIT_REFUSED if answer["state"] == "denied" else 0


@app.command
def cancel(operation_id: str, *, access: Access = ACCESS) -> None:
    """Cancel an order and what of it is out at venues."""
    _show(desk_client(access).post(f"/api/orders/{segment(operation_id)}/cancel", {}), access)


@app.command
def show(operation_id: str, *, access: Access = ACCESS) -> None:
    """Show an order with its children, fills and history."""
    answer = desk_client(access).get(f"/api/orders/{segment(operation_id)}")
    if access.json:
        print_json(answer)
        return
    print_fields("order", {name: answer["order"][name] for name in SHOWN})
    print_rows("children", CHILDREN, answer["children"])
    for name, columns in (("fills", FILLS), ("events", EVENTS)):
        if answer[name] is not None:
            print_rows(name, columns, answer[name])
        else:
            print(f"{name}: the database cannot be read now")


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
        print_rows("orders", LISTED, answer["orders"])


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
