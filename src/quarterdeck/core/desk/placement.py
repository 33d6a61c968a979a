"""Where a slice may go now: each allowed market judged by its account, its halt and its freshness.

Risk judged the order when it came. What it relied on is looked at again before every slice, since
a slice may come hours later: a shut gate, an old book or a halted desk holds it back, and it is
tried again by itself.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.funds import reducible
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.decimals import is_multiple, round_down, round_up, total
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import Market, OrderTerms, OrderType, Side
from quarterdeck.core.risk.check import protective_px

NS_PER_MS = 1_000_000


class Place(Struct, frozen=True, kw_only=True, gc=False):
    """A market that takes orders now."""

    market: Market
    instrument: Instrument
    account: AccountState
    view: MarketView
    worst_px: Decimal
    """Furthest price at which a child may trade here, on this market's tick."""


def desk_allows(draft: Draft, parent: ParentOrder, quantity: Decimal) -> Refused | None:
    """Return why the desk as a whole sends nothing for this order now."""
    state = draft.state.trading_state
    if state is TradingState.ACTIVE:
        return None
    if state is TradingState.HALTED:
        return Refused(code=Reason.TRADING_HALTED, text="trading is halted")
    terms = parent.terms
    instrument = draft.state.instruments[terms.instrument]
    may = total(
        reducible(draft.state, market.account, instrument, terms.side, but=parent.id)
        for market in terms.markets
    )
    if quantity <= may:
        return None
    text = f"trading is reducing and a {terms.side} of {may} at most reduces"
    return Refused(code=Reason.TRADING_REDUCING, text=text)


def place_at(draft: Draft, parent: ParentOrder, market: Market, levels: int) -> Place | Refused:
    """Judge one market; a refusal says why nothing is sent there now."""
    state = draft.state
    instrument = state.instruments.get(market.instrument)
    account = state.accounts.get(market.account)
    if instrument is None or account is None or not account.gate_open:
        why = account.gate_reason if account is not None else Reason.UNKNOWN_ACCOUNT
        text = f"account {market.account} is not ready: {why or Reason.NOT_RECONCILED}"
        return Refused(code=Reason.ACCOUNT_NOT_READY, text=text)
    halted = state.halted.get((market.account, market.instrument))
    if halted is not None:
        text = f"{market.instrument} is halted: {halted}"
        return Refused(code=Reason.INSTRUMENT_HALTED, text=text)
    limits = state.limits.get(market.instrument)
    if limits is None:
        text = f"no limits are set for {market.instrument}"
        return Refused(code=Reason.LIMIT_MISSING, text=text)
    view = fresh_view(draft, market.instrument, limits, levels)
    if isinstance(view, Refused):
        return view
    worst_px = worst_px_at(parent.terms, parent.arrival_px, instrument, view, limits)
    return Place(
        market=market, instrument=instrument, account=account, view=view, worst_px=worst_px
    )


def fresh_view(
    draft: Draft, name: str, limits: InstrumentLimits, levels: int
) -> MarketView | Refused:
    """Return the market of an instrument if it is two-sided and young enough to act upon."""
    view = draft.view(name, levels)
    mid_px = view.mid_px if view is not None else None
    if view is None or mid_px is None or mid_px <= 0:
        text = f"there is no two-sided market for {name}"
        return Refused(code=Reason.REFERENCE_MISSING, text=text)
    age_ms = (draft.now_ns - view.at_ns) // NS_PER_MS
    if age_ms > limits.reference_age_ms_max:
        # Without the age: a text that changes at every look would be told at every look.
        text = f"the market of {name} is older than {limits.reference_age_ms_max} ms"
        return Refused(code=Reason.REFERENCE_STALE, text=text)
    return view


def worst_px_at(
    terms: OrderTerms,
    arrival_px: Decimal | None,
    instrument: Instrument,
    view: MarketView,
    limits: InstrumentLimits,
) -> Decimal:
    """Return the furthest price at which a child may trade at this market, on its tick.

    The limit price; for a market order the collar around the present midpoint, and where the
    caller gave `max_slippage_bps`, no further than that from the arrival price.
    """
    side, tick_px = terms.side, instrument.tick_px
    if terms.limit_px is not None:
        if is_multiple(terms.limit_px, tick_px):
            return terms.limit_px
        to_tick = round_down if side is Side.BUY else round_up
        return to_tick(terms.limit_px, tick_px)
    assert terms.order_type is OrderType.MARKET, "only a market order has no price"
    mid_px = view.mid_px
    assert mid_px is not None, "a fresh view has a midpoint"
    px = protective_px(mid_px, limits.collar_bps, side, tick_px)
    if terms.max_slippage_bps is not None and arrival_px is not None:
        bound_px = protective_px(arrival_px, terms.max_slippage_bps, side, tick_px)
        px = min(px, bound_px) if side is Side.BUY else max(px, bound_px)
    return px
