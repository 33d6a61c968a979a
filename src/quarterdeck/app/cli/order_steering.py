"""`quarterdeck order amend`, `pause`, `resume`, `expire`: steering an order that lives."""

from typing import Annotated, Any

from cyclopts import Parameter

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.order_terms import Pairs, pairs
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.desk_client import segment
from quarterdeck.app.printing import print_fields, print_json

ACCESS = Access()


def amend(
    operation_id: str,
    *,
    quantity: str | None = None,
    price: str | None = None,
    expire_time: str | None = None,
    param: Annotated[Pairs, Parameter(name="--param")] = (),
    max_slippage_bps: str | None = None,
    access: Access = ACCESS,
) -> None:
    """Change the terms of a live order; what is out beyond them is canceled.

    Args:
        operation_id: The order.
        quantity: The new total, what is filled included.
        price: New limit price of a LIMIT order.
        expire_time: New end of a GTD order, RFC 3339 with an offset.
        param: A parameter of the algorithm, as name=value, may be given again; all are set anew,
            and what is left out gets its default.
        max_slippage_bps: New bound of a MARKET order.
        access: Which desk, and how to print.
    """
    given = {
        "quantity": quantity,
        "price": price,
        "expire_time": expire_time,
        "exec_algorithm_params": pairs("--param", param) or None,
        "max_slippage_bps": max_slippage_bps,
    }
    body = {name: value for name, value in given.items() if value is not None}
    _steer(operation_id, "amend", body, access)


def pause(operation_id: str, why: str = "requested", *, access: Access = ACCESS) -> None:
    """Send nothing more for an order and cancel what is out, until it is resumed."""
    _steer(operation_id, "pause", {"why": why}, access)


def resume(operation_id: str, *, access: Access = ACCESS) -> None:
    """Go on with a paused order."""
    _steer(operation_id, "resume", {}, access)


def expire(operation_id: str, why: str = "requested", *, access: Access = ACCESS) -> None:
    """End an order's time now: as a cancel, but it ends as expired."""
    _steer(operation_id, "expire", {"why": why}, access)


def _steer(operation_id: str, call: str, body: dict[str, Any], access: Access) -> None:
    answer = desk_client(access).post(f"/api/orders/{segment(operation_id)}/{call}", body)
    if access.json:
        print_json(answer)
    else:
        print_fields("order", answer)
