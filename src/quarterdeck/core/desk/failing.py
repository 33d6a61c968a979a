"""Accounts that have just refused children of an order: its routing leaves them out for a while.

Without this a venue that refuses everything and is the cheapest would get every slice, and an order
that others would gladly fill would end for too many refusals.
"""

from typing import Final

from quarterdeck.core.algos.patience import WAIT_NS, WAIT_NS_MAX
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ChildStatus

LOOK_BACK: Final = 24
"""Children looked at, the newest first."""


def failing_accounts(draft: Draft, parent: ParentOrder) -> frozenset[str]:
    """Return the accounts whose newest children of this order were refused or never sent.

    The pause doubles with each further refusal in a row; a child that was taken ends it.
    """
    if not parent.failures:
        return frozenset()
    refused: dict[str, tuple[int, int]] = {}
    settled: set[str] = set()
    for number in range(parent.children, max(parent.children - LOOK_BACK, parent.fence), -1):
        child = draft.state.children[client_order_id(parent.id, number)]
        if child.account in settled or child.status is ChildStatus.IN_FLIGHT:
            continue
        if not child.status.is_dead:
            settled.add(child.account)
            continue
        count, last_ns = refused.get(child.account, (0, 0))
        refused[child.account] = (count + 1, max(last_ns, child.updated_ns))
    return frozenset(
        account
        for account, (count, last_ns) in refused.items()
        if draft.now_ns < last_ns + min(WAIT_NS << min(count, LOOK_BACK), WAIT_NS_MAX)
    )
