"""What venues report about single orders, turned into events: idempotent, in any order.

Every handler asks one question: does this tell something that is not known yet? If not, nothing
happens and nothing is journaled. None of them refuses: a contradiction is believed where it shows
life or a fill, and told to a person.
"""

from quarterdeck.core.desk.attend import attend, query
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.plan import ask_cancel, plan
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import is_ours
from quarterdeck.core.model.intents import WakeChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus

IN_DOUBT = frozenset({ChildStatus.IN_FLIGHT, ChildStatus.UNKNOWN})
LOST_AFTER_NS = 2_000_000_000
"""A venue may be this slow to show an order in its queries after it acknowledged it."""
QUERIES_APART_NS = 200_000_000
"""Two queries that prove absence are at least this far apart."""
QUERIES_NEEDED = 2

CLOSED_AS = {
    facts.VenueStatus.FILLED: (ChildStatus.FILLED, Reason.COMPLETED),
    facts.VenueStatus.CANCELED: (ChildStatus.CANCELED, Reason.CANCELED_BY_VENUE),
    facts.VenueStatus.EXPIRED: (ChildStatus.EXPIRED, Reason.EXPIRED_AT_VENUE),
}


def accepted(draft: Draft, fact: facts.OrderAccepted) -> None:
    """Note that the venue has an order."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None:
        return _orphan(draft, fact.account, fact.client_order_id)
    if child.status in IN_DOUBT or child.status.is_dead or child.venue_order_id is None:
        _acknowledge(draft, child, fact.venue_order_id, fact.at_ns)
    return None


def rejected(draft: Draft, fact: facts.OrderRejected) -> None:
    """Note a definite no. About an order that works it proves nothing: its state is asked for."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None or not child.status.is_live:
        return
    if child.status not in IN_DOUBT or child.filled:
        query(draft, child)
        return
    draft.emit(
        ev.ChildRejected(client_order_id=child.client_order_id, code=fact.code, text=fact.text)
    )
    plan(draft, child.operation_id)


def not_sent(draft: Draft, fact: facts.OrderNotSent) -> None:
    """Note that our own gateway never sent an order."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None or child.status not in IN_DOUBT or child.filled:
        return
    draft.emit(ev.ChildNotSent(client_order_id=child.client_order_id, why=fact.why))
    plan(draft, child.operation_id)


def unknown(draft: Draft, fact: facts.OrderUnknown) -> None:
    """Note that the one send is over without an answer: from here absence can be measured."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None or child.status not in IN_DOUBT:
        return
    if child.status is ChildStatus.UNKNOWN and child.held_until_ns is not None:
        return  # Told again, as after each query; to ask at each telling would never end.
    if child.status is ChildStatus.IN_FLIGHT:
        draft.emit(
            ev.ChildUnknown(client_order_id=child.client_order_id, why=fact.why, detail=fact.detail)
        )
    if child.held_until_ns is None:
        draft.emit(
            ev.ChildReleased(client_order_id=child.client_order_id, held_until_ns=fact.at_ns)
        )
    attend(draft, draft.state.children[child.client_order_id])


def traded(draft: Draft, trade: facts.Trade) -> None:
    """Book an execution once, whoever's order it was."""
    if trade.instrument not in draft.state.instruments:
        draft.alert(
            Reason.UNKNOWN_INSTRUMENT,
            f"{trade.account} traded {trade.instrument}, which its gateway has not loaded; "
            f"trade {trade.trade_id} is not booked",
        )
        return
    if not _is_a_trade(trade):
        draft.alert(
            Reason.INVALID_VALUE,
            f"{trade.account} reports trade {trade.trade_id} of {trade.quantity} at {trade.px}, "
            f"fee {trade.fee}: no such trade can be; it is not booked",
        )
        return
    child = draft.state.children.get(trade.client_order_id or "")
    if child is None:
        _external_trade(draft, trade)
        return
    if trade.trade_id in child.trade_ids:
        return
    parent_was = draft.state.parents[child.operation_id].status
    draft.emit(ev.ChildFilled(client_order_id=child.client_order_id, trade=trade))
    _take_back_unexplained(draft, trade)
    parent = draft.state.parents[child.operation_id]
    if parent.filled > parent.terms.quantity:
        draft.alert(
            Reason.OVERFILLED,
            f"{parent.id} is filled {parent.filled} of {parent.terms.quantity}",
        )
    if not parent_was.is_live:
        draft.alert(
            Reason.LATE_FILL, f"{parent.id} was {parent_was} when trade {trade.trade_id} arrived"
        )
        if parent_was is not ParentStatus.FILLED and not parent.open_children:
            # What it finished as is no longer true: finish it again with this fill counted.
            draft.emit(ev.ParentReopened(operation_id=parent.id, child_no=child.child_no))
    plan(draft, child.operation_id)


def closed(draft: Draft, fact: facts.OrderClosed) -> None:
    """Note that the venue ended an order; it stays open to us while fills are missing."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None or fact.status not in CLOSED_AS:
        return
    if not child.status.is_live and not child.status.is_dead:
        return
    status, reason = CLOSED_AS[fact.status]
    if (
        child.status is ChildStatus.CLOSING
        and child.close_as is status
        and (fact.filled is None or fact.filled == child.close_filled)
    ):
        return
    if child.status.is_dead and not fact.filled and fact.venue_order_id is None:
        return
    if status is ChildStatus.CANCELED and child.cancel_requested_ns is not None:
        reason = Reason.CANCELED_ON_REQUEST
    draft.emit(
        ev.ChildClosed(
            client_order_id=child.client_order_id,
            status=status,
            filled=fact.filled,
            reason=reason,
        )
    )
    after = draft.state.children[child.client_order_id]
    if after.status is ChildStatus.CLOSING:
        attend(draft, after)
    plan(draft, child.operation_id)


def cancel_rejected(draft: Draft, fact: facts.CancelRejected) -> None:
    """Note a refused cancel and ask for the order's state, which decides."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None or not child.status.is_live:
        return
    draft.emit(
        ev.ChildCancelRejected(
            client_order_id=child.client_order_id, code=fact.code, text=fact.text
        )
    )
    query(draft, child)


def reported(draft: Draft, report: facts.OrderReport) -> None:
    """Fold what the venue's books say of one order."""
    child = draft.state.children.get(report.client_order_id or "")
    if child is None or report.client_order_id is None:
        return
    if report.status is facts.VenueStatus.REJECTED:
        refusal = facts.OrderRejected(
            account=report.account,
            client_order_id=report.client_order_id,
            code="reported",
            text="the venue lists the order as rejected",
            at_ns=report.asked_ns,
        )
        rejected(draft, refusal)
        return
    if child.status in IN_DOUBT or child.status.is_dead:
        # Known to be there from now on, not since the query began: it may have come in between.
        _acknowledge(draft, child, report.venue_order_id, draft.now_ns)
    if report.status is not facts.VenueStatus.OPEN:
        end = facts.OrderClosed(
            account=report.account,
            client_order_id=report.client_order_id,
            venue_order_id=report.venue_order_id,
            status=report.status,
            filled=report.filled,
            at_ns=report.asked_ns,
        )
        closed(draft, end)
        return
    child = draft.state.children[report.client_order_id]
    if report.filled > child.filled and child.status.is_live:
        # Fills are missing: they are never inferred, the account's trades are asked for.
        attend(draft, child, fills_missing=True)


def not_found(draft: Draft, fact: facts.OrderNotFound) -> None:
    """Count a query that found nothing towards the proof of absence, if it can count."""
    child = draft.state.children.get(fact.client_order_id)
    if child is None:
        return
    if child.status is ChildStatus.WORKING:
        _lost(draft, child, fact.asked_ns)
        return
    if child.status is not ChildStatus.UNKNOWN or child.acknowledged_ns is not None:
        return
    account = draft.state.accounts.get(child.account)
    if account is None:
        return
    can = account.capabilities
    provable_ns = _provable_ns(child, can)
    if provable_ns is None:
        return
    if fact.asked_ns < provable_ns:
        # Not at once: the clock that stamped the query may be behind ours.
        again_ns = max(provable_ns, draft.now_ns + QUERIES_APART_NS)
        draft.ask(WakeChild(at_ns=again_ns, client_order_id=child.client_order_id))
        return
    if fact.asked_ns - child.created_ns > can.query_retention_ns:
        return
    if child.not_found_ns and fact.asked_ns - child.not_found_ns[-1] < QUERIES_APART_NS:
        return
    draft.emit(ev.ChildNotFound(client_order_id=child.client_order_id, asked_ns=fact.asked_ns))
    if len(child.not_found_ns) + 1 < QUERIES_NEEDED:
        again_ns = draft.now_ns + QUERIES_APART_NS
        draft.ask(WakeChild(at_ns=again_ns, client_order_id=child.client_order_id))
        return
    draft.emit(ev.ChildAbsent(client_order_id=child.client_order_id))
    plan(draft, child.operation_id)


def _provable_ns(child: ChildOrder, can: Capabilities) -> int | None:
    """Return from when on a query that finds nothing counts as a proof; None while none does."""
    if can.absence_proof is AbsenceProof.NONE:
        return None
    if child.held_until_ns is not None:
        return child.held_until_ns + can.absence_window_ns
    if can.absence_proof is AbsenceProof.VALIDITY_WINDOW:
        # The report that the send is over may be lost. It is over all the same: no request is
        # valid for longer than the window after the send deadline.
        return child.send_by_ns + can.absence_window_ns
    return None


def _acknowledge(draft: Draft, child: ChildOrder, venue_order_id: str, at_ns: int) -> None:
    draft.emit(
        ev.ChildAcknowledged(
            client_order_id=child.client_order_id, venue_order_id=venue_order_id, at_ns=at_ns
        )
    )
    after = draft.state.children[child.client_order_id]
    if after.cancel_requested_ns is not None and after.status.is_live:
        # A cancel that overtook the acknowledgement may have been refused or lost.
        ask_cancel(draft, after)
    if child.status.is_dead:
        plan(draft, child.operation_id)  # It shows life: it may be one too many.


def _lost(draft: Draft, child: ChildOrder, asked_ns: int) -> None:
    if asked_ns < (child.acknowledged_ns or 0) + LOST_AFTER_NS:
        again_ns = draft.now_ns + LOST_AFTER_NS
        draft.ask(WakeChild(at_ns=again_ns, client_order_id=child.client_order_id))
        return
    draft.emit(ev.ChildUnknown(client_order_id=child.client_order_id, why=Reason.LOST_AT_VENUE))
    draft.alert(
        Reason.LOST_AT_VENUE,
        f"{child.account} acknowledged {child.client_order_id} as {child.venue_order_id} and no "
        f"longer knows it; resolve child {child.child_no} of {child.operation_id} by hand",
    )


def _orphan(draft: Draft, account: str, name: str) -> None:
    if is_ours(name):
        draft.alert(
            Reason.ORDER_DIFFERS,
            f"{account} acknowledged {name}, which this journal does not know",
        )


def _is_a_trade(trade: facts.Trade) -> bool:
    """Tell whether the numbers can be true: a gateway that mistranslates must not move money."""
    finite = trade.quantity.is_finite() and trade.px.is_finite() and trade.fee.is_finite()
    return finite and trade.quantity > 0 and trade.px > 0


def _external_trade(draft: Draft, trade: facts.Trade) -> None:
    account = draft.state.accounts.get(trade.account)
    if account is None or not account.opened or trade.at_ns < account.trades_from_ns:
        return  # What came before is part of the opening balance.
    if (trade.account, trade.instrument, trade.trade_id) in draft.state.external_trades:
        return
    draft.emit(ev.ExternalFill(trade=trade))
    _take_back_unexplained(draft, trade)


def _take_back_unexplained(draft: Draft, trade: facts.Trade) -> None:
    """Undo booked differences that this trade, being older, may be the cause of."""
    account = draft.state.accounts.get(trade.account)
    if account is None or account.unexplained_ns is None:
        return
    if trade.at_ns > account.unexplained_ns:
        return
    instrument = draft.state.instruments[trade.instrument]
    touched = {instrument.base, instrument.quote, instrument.settle, trade.fee_asset}
    for asset in sorted(touched):
        holding = draft.state.holdings.get(AssetKey(trade.account, asset))
        for reference in tuple(holding.unexplained) if holding is not None else ():
            draft.emit(ev.HoldingExplained(account=trade.account, asset=asset, reference=reference))
