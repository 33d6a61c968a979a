"""What SMART sees before it sends a slice: every allowed venue, judged, priced and compared.

The venues that cannot be used now are kept with the reason, and every book that was looked at by
its hash, so that the decision can be explained and made again.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.failing import failing_accounts
from quarterdeck.core.desk.funds import free_of
from quarterdeck.core.desk.placement import Place, place_at
from quarterdeck.core.model.decimals import ONE, ZERO, add, div, mul, round_down, sub, total
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import Level, MarketView, encode_view, view_hash
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.routing import Alternative, Leg
from quarterdeck.core.model.terms import Market, OrderTerms, Side
from quarterdeck.core.risk.check import BPS
from quarterdeck.core.routing.consolidated import mid_px_of
from quarterdeck.core.routing.offer import Offer
from quarterdeck.core.routing.sweep import Sweep, sweep

SMART_LEVELS: Final = 20
"""How much of each book is considered."""


class Survey(Struct, frozen=True, kw_only=True):
    """Everything that one routing decision saw, and what it leads to."""

    places: dict[str, Place]
    """Usable markets by account."""
    offers: dict[str, Offer]
    """What they offer, by account."""
    legs: tuple[Leg, ...]
    """What is taken at once."""
    alternatives: tuple[Alternative, ...]
    mid_px: Decimal | None
    cost_bps: Decimal | None
    single_bps: Decimal | None

    @property
    def taken(self) -> Decimal:
        """Quantity of all legs."""
        return total(leg.quantity for leg in self.legs)

    def rest_qty(self, account: str) -> Decimal | None:
        """Return how much an account can still pay for beside its legs; None is no limit."""
        funds = self.offers[account].funds_qty
        if funds is None:
            return None
        return sub(funds, total(leg.quantity for leg in self.legs if leg.account == account))

    def why_none(self) -> str:
        """Say of each venue why it takes nothing."""
        return "; ".join(
            f"{seen.account}: {seen.left_out or 'nothing within price, size and funds'}"
            for seen in self.alternatives
        )


def survey(draft: Draft, parent: ParentOrder, quantity: Decimal, *, takes: bool) -> Survey:
    """Look at every market that an order may use and decide what is taken where.

    Nothing is for an order that must not take.
    """
    terms = parent.terms
    failing = failing_accounts(draft, parent)
    judged = [(market, _judge(draft, parent, market, failing)) for market in terms.markets]
    places = {at.market.account: at for _, at in judged if isinstance(at, Place)}
    offers = {name: _offer(draft, terms, place) for name, place in places.items()}
    mid_px = mid_px_of([place.view for place in places.values()])
    swept = sweep(
        terms.side,
        quantity if takes else ZERO,
        _furthest(terms.side, [place.worst_px for place in places.values()]),
        tuple(offers.values()),
    )
    single = swept.best_single
    return Survey(
        places=places,
        offers=offers,
        legs=swept.legs,
        alternatives=tuple(_alternative(draft, at, swept, mid_px) for at in judged),
        mid_px=mid_px,
        cost_bps=swept.cost_bps(mid_px),
        single_bps=None if single is None else single.cost_bps(mid_px),
    )


def _furthest(side: Side, prices: list[Decimal]) -> Decimal:
    """Return a price that every market's own worst price is within; each book is cut to its own."""
    return max(prices, default=ZERO) if side is Side.BUY else min(prices, default=ZERO)


def _judge(
    draft: Draft, parent: ParentOrder, market: Market, failing: frozenset[str]
) -> Place | Refused:
    if market.account in failing:
        text = f"{market.account} has just refused children of this order"
        return Refused(code=Reason.VENUE_FAILING, text=text)
    place = place_at(draft, parent, market, SMART_LEVELS)
    if isinstance(place, Place) and place.instrument.taker_fee_bps is None:
        text = f"the taker fee of {market.account} is not known"
        return Refused(code=Reason.FEE_UNKNOWN, text=text)
    return place


def _offer(draft: Draft, terms: OrderTerms, place: Place) -> Offer:
    instrument, worst_px = place.instrument, place.worst_px
    fee_bps = instrument.taker_fee_bps
    assert fee_bps is not None, "a place without a fee is left out"
    book = place.view.asks if terms.side is Side.BUY else place.view.bids
    levels = tuple(level for level in book if _within(level, worst_px, terms.side))
    return Offer(
        account=place.market.account,
        instrument=instrument.id,
        levels=levels,
        fee_bps=fee_bps,
        lot_qty=instrument.lot_qty,
        min_qty=instrument.min_qty,
        max_qty=_most_qty(instrument, max(worst_px, levels[0][0]) if levels else worst_px),
        min_notional=instrument.min_notional,
        check_px=min(levels[0][0], worst_px) if levels else worst_px,
        funds_qty=_funds_qty(draft, place, terms.side, fee_bps),
    )


def _within(level: Level, worst_px: Decimal, side: Side) -> bool:
    return level[0] <= worst_px if side is Side.BUY else level[0] >= worst_px


def _most_qty(instrument: Instrument, px: Decimal) -> Decimal | None:
    """Return the most that one child may have, by quantity and by its value at a price."""
    bounds = [] if instrument.max_qty is None else [instrument.max_qty]
    if instrument.max_notional is not None:
        worth = instrument.notional(instrument.lot_qty, px)
        lots = round_down(div(instrument.max_notional, worth), ONE)
        bounds.append(mul(lots, instrument.lot_qty))
    return min(bounds, default=None)


def _funds_qty(draft: Draft, place: Place, side: Side, fee_bps: Decimal) -> Decimal | None:
    """Return how much a spot account can pay for at the worst price, a positive fee included."""
    instrument, account = place.instrument, place.market.account
    if instrument.settlement is not Settlement.SPOT:
        return None
    if side is Side.SELL:
        held = free_of(draft.state, account, instrument.base)
        return max(round_down(held, instrument.lot_qty), ZERO)
    free = free_of(draft.state, account, instrument.quote)
    part = div(max(fee_bps, ZERO), BPS)
    each = mul(mul(place.worst_px, instrument.multiplier), add(ONE, part))
    return max(round_down(div(free, each), instrument.lot_qty), ZERO)


def _alternative(
    draft: Draft, judged: tuple[Market, Place | Refused], swept: Sweep, mid_px: Decimal | None
) -> Alternative:
    market, at = judged
    if isinstance(at, Place):
        alone = next(one for one in swept.alone if one.account == market.account)
        return alone.as_alternative(mid_px=mid_px, view=_hash(at.view))
    view = draft.view(market.instrument, SMART_LEVELS)
    instrument = draft.state.instruments.get(market.instrument)
    return Alternative(
        account=market.account,
        instrument=market.instrument,
        left_out=at.code,
        takes_qty=ZERO,
        avg_px=None,
        fee_bps=None if instrument is None else instrument.taker_fee_bps,
        cost_bps=None,
        view=None if view is None else _hash(view),
    )


def _hash(view: MarketView) -> str:
    return view_hash(encode_view(view)).hex()
