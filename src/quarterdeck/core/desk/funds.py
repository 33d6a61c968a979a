"""What an account can still spend, and how much of a position can still be reduced."""

from decimal import Decimal

from quarterdeck.core.desk.state import AssetKey, DeskState, position_key
from quarterdeck.core.model.decimals import ZERO, add, sub, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import Side
from quarterdeck.core.risk.reserve import POOL, held_by


def free_of(state: DeskState, account: str, asset: str) -> Decimal:
    """Return what an account holds of an asset, less what live orders have reserved there."""
    key = AssetKey(account, asset)
    holding = state.holdings.get(key)
    held = holding.total if holding is not None else ZERO
    return sub(held, state.reserved.get(key, ZERO))


def free_for(state: DeskState, accounts: tuple[str, ...], asset: str) -> Decimal:
    """Return what several accounts can spend of an asset on a new order.

    What SMART orders hold over all accounts together is not theirs to give: where the rest of the
    desk's accounts does not cover it, it is taken off here.
    """
    here = total(free_of(state, account, asset) for account in accounts)
    promised = state.reserved.get(AssetKey(POOL, asset), ZERO)
    if not promised:
        return here
    elsewhere = total(
        max(free_of(state, key.account, asset), ZERO)
        for key in state.holdings
        if key.asset == asset and key.account not in accounts
    )
    return sub(here, max(sub(promised, elsewhere), ZERO))


def own_hold(state: DeskState, parent: ParentOrder, asset: str) -> Decimal:
    """Return what a live parent itself holds of an asset, wherever."""
    instrument = state.instruments[parent.terms.instrument]
    return total(qty for _, name, qty in held_by(parent, instrument) if name == asset)


def reducible(
    state: DeskState, account: str, instrument: Instrument, side: Side, *, but: str | None = None
) -> Decimal:
    """Return how much a side may trade without opening or flipping, less what is out already.

    The quantity of the order `but` does not count as out.
    """
    own = state.parents.get(but) if but is not None else None
    if instrument.settlement is Settlement.SPOT:
        if side is Side.BUY:
            return ZERO
        held = free_of(state, account, instrument.base)
        if own is not None:
            for at, asset, quantity in held_by(own, instrument):
                if (at, asset) == (account, instrument.base):
                    held = add(held, quantity)
        return max(held, ZERO)
    position = state.positions.get(position_key(account, instrument))
    quantity = position.quantity if position is not None else ZERO
    against = quantity.copy_negate() if side is Side.BUY else quantity
    out = total(
        parent.leaves
        for parent in state.parents.values()
        if parent.status.is_live
        and parent.id != but
        and parent.terms.side is side
        and parent.terms.instrument == instrument.id
        and parent.terms.account == account
    )
    return max(sub(against, out), ZERO)
