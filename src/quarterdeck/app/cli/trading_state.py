"""`quarterdeck trading-state`: the switch of the whole desk."""

from typing import Literal

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.printing import print_fields, print_json

ACCESS = Access()


def trading_state(
    state: Literal["active", "reducing", "halted"], why: str, *, access: Access = ACCESS
) -> None:
    """Set the trading state.

    Args:
        state: active; reducing: only orders that bring positions closer to zero; halted: none.
        why: Kept in the journal.
        access: Which desk, and how to print.
    """
    answer = desk_client(access).post("/api/trading-state", {"state": state, "why": why})
    if access.json:
        print_json(answer)
    else:
        print_fields("trading state", answer)
