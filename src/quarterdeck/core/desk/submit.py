"""Taking an order: told apart from its repeats, judged by risk, then planned and sent.

Order matters. A repeat is answered before risk looks, so that sending the same message again is
safe whatever the market did in between. Everything that can fail comes before `ParentAccepted`.
"""

from decimal import Decimal

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.plan import plan
from quarterdeck.core.desk.state import AssetKey, DeskState, position_key
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.decimals import ZERO, sub, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderTerms, Side
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.risk.gate import judge


def submit(draft: Draft, command: SubmitOrder) -> Refused | None:
    """Decide about one order; None means that it is durable from here on, denied or accepted."""
    terms = command.terms
    existing = draft.state.parents.get(terms.operation_id)
    if existing is not None:
        return None if existing.body_hash == command.body_hash else _reused(terms)
    check = _gather(draft, terms)
    if isinstance(check, Refused):
        return check
    verdict = judge(check)
    if isinstance(verdict, Refused):
        draft.emit(
            ev.ParentDenied(
                terms=terms,
                body_hash=command.body_hash,
                reason=verdict.code,
                detail=verdict.text,
                by=command.by,
            )
        )
        return None
    draft.emit(
        ev.ParentAccepted(
            terms=terms,
            body_hash=command.body_hash,
            arrival_px=verdict.arrival_px,
            reserved_px=verdict.working_px,
            by=command.by,
        )
    )
    plan(draft, terms.operation_id)
    return None


def reducible(state: DeskState, account: str, instrument: Instrument, side: Side) -> Decimal:
    """Return how much a side may trade without opening or flipping, less what is out already."""
    if instrument.settlement is Settlement.SPOT:
        held = free_of(state, account, instrument.base)
        return max(held, ZERO) if side is Side.SELL else ZERO
    position = state.positions.get(position_key(account, instrument))
    quantity = position.quantity if position is not None else ZERO
    against = quantity.copy_negate() if side is Side.BUY else quantity
    out = total(
        parent.leaves
        for parent in state.parents.values()
        if parent.status.is_live
        and parent.terms.side is side
        and parent.terms.instrument == instrument.id
        and parent.terms.account == account
    )
    return max(sub(against, out), ZERO)


def free_of(state: DeskState, account: str, asset: str) -> Decimal:
    """Return what an account holds of an asset, less what live orders have reserved."""
    key = AssetKey(account, asset)
    holding = state.holdings.get(key)
    held = holding.total if holding is not None else ZERO
    return sub(held, state.reserved.get(key, ZERO))


def _gather(draft: Draft, terms: OrderTerms) -> OrderCheck | Refused:
    state = draft.state
    instrument = state.instruments.get(terms.instrument)
    if instrument is None:
        return Refused(
            code=Reason.UNKNOWN_INSTRUMENT,
            field="instrument_key",
            text=f"no connected gateway has loaded {terms.instrument}",
        )
    account = state.accounts.get(terms.account)
    if account is None or account.venue != instrument.venue:
        return Refused(
            code=Reason.UNKNOWN_ACCOUNT,
            field="account",
            text=f"account {terms.account} does not trade at {instrument.venue}",
        )
    spends = instrument.quote if terms.side is Side.BUY else instrument.base
    return OrderCheck(
        terms=terms,
        now_ns=draft.now_ns,
        instrument=instrument,
        account=account,
        trading_state=state.trading_state,
        instrument_halted=state.halted.get((terms.account, terms.instrument)),
        limits=state.limits.get(terms.instrument),
        view=draft.view(terms.instrument),
        reducible_qty=_reducible_if_needed(state, terms, instrument),
        free=free_of(state, terms.account, spends)
        if instrument.settlement is Settlement.SPOT
        else None,
    )


def _reducible_if_needed(state: DeskState, terms: OrderTerms, instrument: Instrument) -> Decimal:
    """Count open reducers only for the orders that are judged by them: it walks all live ones."""
    if not terms.reduce_only and state.trading_state != "reducing":
        return ZERO
    return reducible(state, terms.account, instrument, terms.side)


def _reused(terms: OrderTerms) -> Refused:
    return Refused(
        code=Reason.ID_REUSED,
        field="operation_id",
        text=f"operation_id {terms.operation_id} is taken by an order with another body; "
        "an id is never used twice",
    )
