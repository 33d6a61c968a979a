"""`quarterdeck order preview` and `algorithms`: what an order would do, and what it may choose."""

from collections.abc import Mapping
from typing import Any, Literal

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.order_show import print_preview
from quarterdeck.app.cli.order_terms import TERMS, Terms, message_of
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.command_error import EXIT_REFUSED
from quarterdeck.app.printing import print_json, print_line, print_rows

ACCESS = Access()
PARAMETERS = ("name", "needed", "default", "description")


def preview(
    instrument: str,
    side: Literal["BUY", "SELL"],
    quantity: str,
    *,
    terms: Terms = TERMS,
    access: Access = ACCESS,
) -> int:
    """Show what an order would do and cost now; nothing is sent. Exit code 1 if it were denied.

    Args:
        instrument: Canonical id, for example BINANCE-SPOT:SPOT_PAIR:BTC-USDT.
        side: BUY or SELL.
        quantity: In base units or contracts.
        terms: As for submit.
        access: Which desk, and how to print.
    """
    message = message_of(instrument, side, quantity, terms)
    answer = desk_client(access).post("/api/preview", message)
    if access.json:
        print_json(answer)
    else:
        print_preview(answer)
    return 0 if answer["verdict"]["accepted"] else EXIT_REFUSED


def algorithms(*, access: Access = ACCESS) -> None:
    """Show the execution algorithms and their parameters."""
    answer = desk_client(access).get("/api/algorithms")
    if access.json:
        print_json(answer)
        return
    for one in answer["algorithms"]:
        print_line(f"{one['name']}: {one['text']}")
        if one["parameters"]["properties"]:
            print_rows("parameters", PARAMETERS, _parameters(one["parameters"]))


def _parameters(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "needed": name in schema["required"],
            "default": described.get("default"),
            "description": described["description"],
        }
        for name, described in schema["properties"].items()
    ]
