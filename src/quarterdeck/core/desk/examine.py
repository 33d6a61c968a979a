"""Gathering what risk may look at: for a new order, or for a live one about to change."""

from decimal import Decimal

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.funds import free_for, own_hold, reducible
from quarterdeck.core.desk.placement import fresh_view
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.decimals import ZERO, add, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderTerms, Side
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.routing.consolidated import top_of


def examine(
    draft: Draft, terms: OrderTerms, live: ParentOrder | None = None
) -> OrderCheck | Refused:
    """Return the order under examination, or why there is nothing to examine.

    When the terms are new ones for a live order, what that order holds counts as free.
    """
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
    free = None
    if instrument.settlement is Settlement.SPOT:
        free = free_for(state, tuple(market.account for market in terms.markets), spends)
        if live is not None:
            free = add(free, own_hold(state, live, spends))
    ready, view = _market(draft, terms, account)
    return OrderCheck(
        terms=terms,
        now_ns=draft.now_ns,
        instrument=instrument,
        account=ready,
        trading_state=state.trading_state,
        instrument_halted=state.halted.get((ready.account, terms.instrument)),
        limits=state.limits.get(terms.instrument),
        view=view,
        reducible_qty=_reducible_if_needed(draft, terms, instrument, live),
        free=free,
        filled=live.filled if live is not None else ZERO,
    )


def _market(
    draft: Draft, terms: OrderTerms, named: AccountState
) -> tuple[AccountState, MarketView | None]:
    """Return the account and the market to judge by; for SMART those of all that are ready."""
    if not terms.others:
        return named, draft.view(terms.instrument)
    ready: list[AccountState] = []
    views: list[MarketView] = []
    for market in terms.markets:
        account = draft.state.accounts.get(market.account)
        limits = draft.state.limits.get(market.instrument)
        if account is None or limits is None or not account.gate_open:
            continue
        view = fresh_view(draft, market.instrument, limits, 1)
        if isinstance(view, MarketView):
            ready.append(account)
            views.append(view)
    if not ready:
        return named, draft.view(terms.instrument)
    return ready[0], top_of(views, terms.instrument)


def _reducible_if_needed(
    draft: Draft, terms: OrderTerms, instrument: Instrument, live: ParentOrder | None
) -> Decimal:
    """Count open reducers only for the orders that are judged by them: it walks all live ones."""
    if not terms.reduce_only and draft.state.trading_state != "reducing":
        return ZERO
    but = live.id if live is not None else None
    return total(
        reducible(draft.state, market.account, instrument, terms.side, but=but)
        for market in terms.markets
    )
