"""`quarterdeck kill`: stop everything now."""

from quarterdeck.app.cli.options import Access
from quarterdeck.app.cli.which_desk import desk_client
from quarterdeck.app.printing import print_fields, print_json

ACCESS = Access()


def kill(why: str, *, access: Access = ACCESS) -> None:
    """Halt the desk and cancel every live order; works while the database is away.

    Args:
        why: Kept in the journal.
        access: Which desk, and how to print.
    """
    answer = desk_client(access).post("/api/kill", {"why": why})
    if access.json:
        print_json(answer)
    else:
        print_fields("kill", answer)
