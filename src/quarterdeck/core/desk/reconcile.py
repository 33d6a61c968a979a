"""Comparing an account with its venue: a pure difference that comes out as named events.

The venue is right about its orders and trades: orders of ours that it lists are adopted, trades
that we lack are booked. It is never taken to say more than it does. An order that it no longer
lists has ended, but how is asked of the venue; a balance or position that differs once may be a
fill on its way, so a difference counts when it is seen twice in a row, and then it is booked
under its own name and told to a person, never turned into a fill.
"""

from decimal import Decimal
from typing import Final

from quarterdeck.core.desk import facts as single
from quarterdeck.core.desk.attend import query
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.plan import ask_cancel
from quarterdeck.core.desk.state import AssetKey, position_key
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model.account import AccountState, ExternalOrder
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import ZERO, sub
from quarterdeck.core.model.ids import is_ours
from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.intents import WakeAccount
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus

OVERLAP_NS: Final = 5_000_000_000
"""Trades are asked for again from this long before the last comparison: clocks differ."""

LOOK_AGAIN_NS: Final = 500_000_000
"""How soon an account that does not add up is compared again."""

TOLERANCE: Final = Decimal("0.00000001")
"""Balances closer than this are equal: venues round what they pay to eight places."""


def reconcile(draft: Draft, snapshot: facts.VenueSnapshot) -> None:
    """Fold what the venue holds; open the account's gate when nothing is missing."""
    account = draft.state.accounts.get(snapshot.account)
    if account is None or snapshot.gateway_epoch != account.gateway_epoch or not account.connected:
        return
    if not account.opened:
        _open(draft, snapshot)
    for trade in snapshot.trades:
        single.traded(draft, trade)
    _fold_orders(draft, snapshot)
    complete = _ask_for_missing(draft, snapshot)
    if complete:
        complete = _compare_figures(draft, snapshot)
    account = draft.state.accounts[snapshot.account]
    if not complete:
        draft.ask(WakeAccount(at_ns=draft.now_ns + LOOK_AGAIN_NS, account=account.account))
        return
    newest_ns = max((trade.at_ns for trade in snapshot.trades), default=0)
    if not account.gate_open or newest_ns > account.trades_from_ns + OVERLAP_NS:
        from_ns = max(account.trades_from_ns, min(newest_ns, snapshot.asked_ns) - OVERLAP_NS)
        draft.emit(ev.AccountReconciled(account=account.account, trades_from_ns=from_ns))


def _open(draft: Draft, snapshot: facts.VenueSnapshot) -> None:
    """Take up an account for the first time: what it holds now is where counting begins."""
    for balance in snapshot.balances:
        if balance.total:
            draft.emit(
                ev.HoldingOpened(
                    account=snapshot.account, asset=balance.asset, quantity=balance.total
                )
            )
    for position in snapshot.positions:
        if position.quantity and position.avg_px and position.instrument in draft.state.instruments:
            draft.emit(
                ev.PositionOpened(
                    account=snapshot.account,
                    instrument=position.instrument,
                    quantity=position.quantity,
                    avg_px=position.avg_px,
                )
            )
    newest_ns = max((trade.at_ns for trade in snapshot.trades), default=0)
    draft.emit(
        ev.AccountOpened(
            account=snapshot.account, trades_from_ns=max(snapshot.trades_from_ns, newest_ns + 1)
        )
    )


def _fold_orders(draft: Draft, snapshot: facts.VenueSnapshot) -> None:
    account = draft.state.accounts[snapshot.account]
    foreign: dict[str, ExternalOrder] = {}
    for report in snapshot.orders:
        child = draft.state.children.get(report.client_order_id or "")
        if child is not None and _is_as_known(child, report):
            continue
        if child is None:
            foreign[report.venue_order_id] = _external(report)
        elif child.status.is_live or child.status.is_dead:
            single.reported(draft, report)
        elif child.updated_ns < report.asked_ns:
            draft.alert(
                Reason.ORDER_DIFFERS,
                f"{child.client_order_id} is {child.status} here and open at {child.account}; "
                "its cancel is asked for",
            )
            ask_cancel(draft, child)
    for id_, order in foreign.items():
        known = account.external_orders.get(id_)
        if known == order:
            continue
        draft.emit(ev.ExternalOrderSeen(account=snapshot.account, order=order))
        if known is None:
            code = Reason.ORDER_DIFFERS if is_ours(order.client_order_id) else Reason.EXTERNAL_ORDER
            draft.alert(
                code,
                f"{snapshot.account} has an open {order.side} of {order.leaves} {order.instrument} "
                f"({order.client_order_id or id_}) that this journal does not know",
            )
    for id_ in tuple(account.external_orders):
        if id_ not in foreign:
            draft.emit(ev.ExternalOrderGone(account=snapshot.account, venue_order_id=id_))


def _is_as_known(child: ChildOrder, report: facts.OrderReport) -> bool:
    """Tell at a glance what is so of nearly every order: it works, filled as far as we know."""
    return (
        child.status is ChildStatus.WORKING
        and report.status is facts.VenueStatus.OPEN
        and report.filled == child.filled
    )


def _external(report: facts.OrderReport) -> ExternalOrder:
    return ExternalOrder(
        venue_order_id=report.venue_order_id,
        client_order_id=report.client_order_id,
        instrument=report.instrument,
        side=report.side,
        leaves=sub(report.quantity, report.filled),
        limit_px=report.limit_px,
    )


def _ask_for_missing(draft: Draft, snapshot: facts.VenueSnapshot) -> bool:
    """Ask about orders that the venue should list and does not; True when there are none."""
    listed = {report.client_order_id for report in snapshot.orders}
    complete = True
    for child in tuple(draft.state.children.values()):
        if child.account != snapshot.account or not child.status.is_live:
            continue
        if child.status is ChildStatus.CLOSING:
            complete = False  # Its fills are still on their way.
        elif _should_be_listed(child, snapshot.asked_ns) and child.client_order_id not in listed:
            query(draft, child)
            complete = False
    return complete


def _should_be_listed(child: ChildOrder, asked_ns: int) -> bool:
    return (
        child.status is ChildStatus.WORKING
        and child.acknowledged_ns is not None
        and child.acknowledged_ns < asked_ns
    )


def _compare_figures(draft: Draft, snapshot: facts.VenueSnapshot) -> bool:
    """Compare balances and positions; True unless a difference is waiting to be confirmed."""
    settled = True
    theirs = {balance.asset: balance.total for balance in snapshot.balances}
    held = {key.asset for key in draft.state.holdings if key.account == snapshot.account}
    for asset in sorted(theirs.keys() | held):
        holding = draft.state.holdings.get(AssetKey(snapshot.account, asset))
        ours = holding.total if holding is not None else ZERO
        venue = theirs.get(asset, ZERO)
        if _differs(draft, snapshot.account, f"holding:{asset}", (ours, venue)):
            settled = _confirm_holding(draft, snapshot, asset, (ours, venue)) and settled
    quantities = {p.instrument: p.quantity for p in snapshot.positions}
    for instrument in sorted(draft.state.instruments.values(), key=lambda i: i.id):
        account = draft.state.accounts[snapshot.account]
        if instrument.venue != account.venue or instrument.settlement is Settlement.SPOT:
            continue
        position = draft.state.positions.get(position_key(snapshot.account, instrument))
        ours = position.quantity if position is not None else ZERO
        venue = quantities.get(instrument.id, ZERO)
        if _differs(draft, snapshot.account, f"position:{instrument.id}", (ours, venue)):
            figures, asked_ns = (ours, venue), snapshot.asked_ns
            settled = (
                _confirm_position(draft, account, instrument.id, figures, asked_ns) and settled
            )
        elif (snapshot.account, instrument.id) in draft.state.halted:
            draft.emit(ev.InstrumentReleased(account=snapshot.account, instrument=instrument.id))
    return settled


def _differs(draft: Draft, account: str, key: str, figures: tuple[Decimal, Decimal]) -> bool:
    ours, venue = figures
    if sub(ours, venue).copy_abs() > TOLERANCE:
        return True
    if key in draft.state.accounts[account].differences:
        draft.emit(ev.DifferenceGone(account=account, key=key))
    return False


def _seen_before(account: AccountState, key: str, figures: tuple[Decimal, Decimal]) -> bool:
    known = account.differences.get(key)
    return known is not None and (known.ours, known.venue) == figures


def _confirms(
    account: AccountState, key: str, figures: tuple[Decimal, Decimal], asked_ns: int
) -> bool:
    """Tell whether this is a second sighting; two snapshots on their way at once are one."""
    seen = _seen_before(account, key, figures)
    return seen and asked_ns > account.differences[key].seen_ns


def _confirm_holding(
    draft: Draft,
    snapshot: facts.VenueSnapshot,
    asset: str,
    figures: tuple[Decimal, Decimal],
) -> bool:
    """Note a balance that differs; book it the second time. True once it is booked."""
    ours, venue = figures
    key = f"holding:{asset}"
    account = draft.state.accounts[snapshot.account]
    confirmed = _confirms(account, key, figures, snapshot.asked_ns)
    draft.emit(
        ev.DifferenceSeen(
            account=snapshot.account, key=key, ours=ours, venue=venue, confirmed=confirmed
        )
    )
    if not confirmed:
        draft.ask(WakeAccount(at_ns=draft.now_ns + LOOK_AGAIN_NS, account=snapshot.account))
        return False
    draft.emit(
        ev.HoldingUnexplained(
            account=snapshot.account,
            asset=asset,
            reference=f"snapshot-{snapshot.gateway_epoch}-{snapshot.asked_ns}",
            quantity=sub(venue, ours),
        )
    )
    draft.emit(ev.DifferenceGone(account=snapshot.account, key=key))
    draft.alert(
        Reason.HOLDING_DIFFERS,
        f"{snapshot.account} holds {venue} {asset}, fills explain {ours}; "
        "the rest is booked as unexplained",
    )
    return True


def _confirm_position(
    draft: Draft,
    account: AccountState,
    instrument: str,
    figures: tuple[Decimal, Decimal],
    asked_ns: int,
) -> bool:
    """Note a position that differs; halt its instrument the second time. True once halted."""
    ours, venue = figures
    key = f"position:{instrument}"
    if (account.account, instrument) in draft.state.halted and _seen_before(account, key, figures):
        return True
    confirmed = _confirms(account, key, figures, asked_ns)
    draft.emit(
        ev.DifferenceSeen(
            account=account.account, key=key, ours=ours, venue=venue, confirmed=confirmed
        )
    )
    if not confirmed:
        draft.ask(WakeAccount(at_ns=draft.now_ns + LOOK_AGAIN_NS, account=account.account))
        return False
    if (account.account, instrument) not in draft.state.halted:
        draft.emit(
            ev.InstrumentHalted(
                account=account.account, instrument=instrument, reason=Reason.POSITION_DIFFERS
            )
        )
        draft.alert(
            Reason.POSITION_DIFFERS,
            f"{account.account} says {venue} {instrument}, fills make {ours}; it is halted",
        )
    return True
