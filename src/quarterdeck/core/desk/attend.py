"""Looking after one child: what should be done about it now, from what is known of it now.

Called when its time has come, when its gateway is back and after a restart, which are the same
case. It keeps no plan: whatever it asks for, it also asks to be woken to look again.
"""

from typing import Final

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.plan import CANCEL_AGAIN_NS, ask_cancel
from quarterdeck.core.desk.release import ANSWER_WITHIN_NS
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, WakeChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus

ASK_AGAIN_MIN_NS: Final = 500_000_000
ASK_AGAIN_MAX_NS: Final = 30_000_000_000


def attend(draft: Draft, child: ChildOrder, *, fills_missing: bool = False) -> None:
    """Decide what to ask about a child, and when to look again."""
    if not child.status.is_live:
        return
    silent = draft.now_ns >= child.created_ns + ANSWER_WITHIN_NS
    if child.status is ChildStatus.IN_FLIGHT and silent:
        draft.emit(ev.ChildUnknown(client_order_id=child.client_order_id, why=Reason.NO_ANSWER))
        child = draft.state.children[child.client_order_id]
    match child.status:
        case ChildStatus.IN_FLIGHT:
            look_ns = child.created_ns + ANSWER_WITHIN_NS
        case ChildStatus.UNKNOWN:
            query(draft, child)
            look_ns = _ask_again_ns(draft, child)
        case ChildStatus.CLOSING:
            fills_missing = True
            look_ns = _ask_again_ns(draft, child)
        case _:
            look_ns = 0
    if fills_missing:
        _ask_for_trades(draft, child)
        look_ns = look_ns or _ask_again_ns(draft, child)
    if child.cancel_requested_ns is not None and child.status is not ChildStatus.CLOSING:
        due_ns = child.cancel_requested_ns + CANCEL_AGAIN_NS
        if draft.now_ns >= due_ns:
            ask_cancel(draft, child)
            if child.status is ChildStatus.WORKING:
                query(draft, child)
        else:
            look_ns = min(look_ns or due_ns, due_ns)
    if look_ns:
        draft.ask(WakeChild(at_ns=look_ns, client_order_id=child.client_order_id))


def query(draft: Draft, child: ChildOrder) -> None:
    """Ask what the venue knows of a child."""
    draft.ask(
        QueryChild(
            account=child.account,
            instrument=child.instrument,
            client_order_id=child.client_order_id,
            venue_order_id=child.venue_order_id,
            gateway_epoch=child.gateway_epoch,
        )
    )


def _ask_for_trades(draft: Draft, child: ChildOrder) -> None:
    account = draft.state.accounts.get(child.account)
    if account is not None and account.connected:
        draft.ask(RequestSnapshot(account=child.account, trades_from_ns=account.trades_from_ns))


def _ask_again_ns(draft: Draft, child: ChildOrder) -> int:
    """Ask often while young and ever more rarely: a quarter of the age, within bounds."""
    age_ns = draft.now_ns - child.created_ns
    return draft.now_ns + min(max(age_ns // 4, ASK_AGAIN_MIN_NS), ASK_AGAIN_MAX_NS)
