"""How events change what is known of an account: its gate, its differences, its opening."""

from typing import assert_never

from msgspec.structs import replace

from quarterdeck.core.desk.ledger import holding_of
from quarterdeck.core.desk.state import AssetKey, DeskState, position_key
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import holding as holdings
from quarterdeck.core.model import position as positions
from quarterdeck.core.model.account import AccountState, Difference
from quarterdeck.core.model.position import Position
from quarterdeck.core.model.reasons import Reason

type Folded = (
    ev.AccountEvent
    | ev.HoldingOpened
    | ev.HoldingUnexplained
    | ev.HoldingExplained
    | ev.PositionOpened
)


def apply(state: DeskState, event: Folded, now_ns: int) -> None:
    """Fold one account's event into the state."""
    match event:
        case ev.AccountConnected():
            state.accounts[event.account] = _connected(state.accounts.get(event.account), event)
        case ev.HoldingOpened():
            key = AssetKey(event.account, event.asset)
            state.holdings[key] = replace(holding_of(state, key), opening=event.quantity)
        case ev.HoldingUnexplained():
            key = AssetKey(event.account, event.asset)
            state.holdings[key] = holdings.left_unexplained(
                holding_of(state, key), event.reference, event.quantity
            )
            account = state.accounts[event.account]
            state.accounts[event.account] = replace(account, unexplained_ns=now_ns)
        case ev.HoldingExplained():
            key = AssetKey(event.account, event.asset)
            state.holdings[key] = holdings.explained(state.holdings[key], event.reference)
        case ev.PositionOpened():
            instrument = state.instruments[event.instrument]
            flat = Position(terms=positions.terms_of(instrument))
            key_ = position_key(event.account, instrument)
            state.positions[key_] = positions.apply_fill(flat, event.quantity, event.avg_px)
        case _:
            account = state.accounts[event.account]
            state.accounts[event.account] = _changed(account, event, now_ns)


def _connected(account: AccountState | None, event: ev.AccountConnected) -> AccountState:
    if account is None:
        return AccountState(
            account=event.account,
            venue=event.venue,
            gateway_epoch=event.gateway_epoch,
            connected=True,
            capabilities=event.capabilities,
            trades_from_ns=event.trades_from_ns,
        )
    return replace(
        account,
        venue=event.venue,
        gateway_epoch=event.gateway_epoch,
        connected=True,
        capabilities=event.capabilities,
        gate_open=False,
        gate_reason=Reason.NOT_RECONCILED,
    )


def _changed(account: AccountState, event: ev.AccountEvent, now_ns: int) -> AccountState:
    match event:
        case ev.AccountLost():
            return replace(account, connected=False, gate_open=False, gate_reason=event.why)
        case ev.AccountOpened():
            return replace(account, opened=True, trades_from_ns=event.trades_from_ns)
        case ev.AccountReconciled():
            return replace(
                account,
                gate_open=True,
                gate_reason=None,
                trades_from_ns=event.trades_from_ns,
                reconciled_ns=now_ns,
            )
        case ev.DifferenceSeen():
            known = account.differences.get(event.key)
            again = known is not None and (known.ours, known.venue) == (event.ours, event.venue)
            seen = Difference(
                ours=event.ours,
                venue=event.venue,
                confirmed=event.confirmed,
                seen_ns=known.seen_ns if known is not None and again else now_ns,
            )
            return replace(account, differences={**account.differences, event.key: seen})
        case ev.DifferenceGone():
            rest = {key: d for key, d in account.differences.items() if key != event.key}
            return replace(account, differences=rest)
        case ev.ExternalOrderSeen():
            orders = {**account.external_orders, event.order.venue_order_id: event.order}
            return replace(account, external_orders=orders)
        case ev.ExternalOrderGone():
            left = {
                id_: o for id_, o in account.external_orders.items() if id_ != event.venue_order_id
            }
            return replace(account, external_orders=left)
        case ev.AccountConnected():
            return account
        case _:
            assert_never(event)
