"""`quarterdeck positions`, `venues` and `health`: what the desk holds and how it is."""

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.command_error import EXIT_REFUSED
from quarterdeck.app.desk_client import RefusalError
from quarterdeck.app.printing import print_fields, print_json, print_rows

ACCESS = Access()
POSITIONS = (
    "account",
    "instrument_key",
    "quantity",
    "avg_px",
    "realised",
    "unrealised",
    "currency",
)
HOLDINGS = ("account", "asset", "total", "reserved", "free", "traded", "fees", "unexplained")
VENUES = ("account", "venue", "simulated", "connected", "gate_open", "gate_reason", "gateway_epoch")


def positions(*, access: Access = ACCESS) -> None:
    """Show positions and holdings."""
    answer = desk_client(access).get("/api/positions")
    if access.json:
        print_json(answer)
        return
    print_rows("positions", POSITIONS, answer["positions"])
    print_rows("holdings", HOLDINGS, answer["holdings"])


def venues(*, access: Access = ACCESS) -> None:
    """Show each account: whether it may trade, and if not why."""
    answer = desk_client(access).get("/api/venues")
    if access.json:
        print_json(answer)
    else:
        print_rows("accounts", VENUES, answer["accounts"])


def health(*, access: Access = ACCESS) -> int:
    """Show how the desk is; exit code 1 unless it is well."""
    try:
        answer = desk_client(access).get("/api/health")
    except RefusalError as refusal:
        if not isinstance(refusal.body, dict) or "status" not in refusal.body:
            raise
        answer = refusal.body  # A frozen desk says so with 503 and tells the same.
    if access.json:
        print_json(answer)
    else:
        print_fields("health", answer)
    return 0 if answer["status"] == "ok" else EXIT_REFUSED
