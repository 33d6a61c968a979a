"""Sending a slice: to the one market of a DIRECT order, or wherever the router finds it cheapest.

What waits in the book rests at one venue, since it would be filled twice on two; what takes goes
out everywhere at once, so that nobody is warned by the first leg.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.desk.draft import VIEW_LEVELS, Draft
from quarterdeck.core.desk.grid import least_at
from quarterdeck.core.desk.placement import Place, desk_allows, place_at
from quarterdeck.core.desk.survey import Survey, survey
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.decimals import ZERO, canonical, round_down, sub
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import SendChild, WakeChild
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.routing import Leg
from quarterdeck.core.model.terms import OrderTerms, OrderType, Route, TimeInForce

SEND_WITHIN_NS: Final = 1_000_000_000
"""A gateway may send a child this long after it was decided, and not later."""

ANSWER_WITHIN_NS: Final = 2_000_000_000
"""Silence this long after a child was decided makes its outcome unknown."""


class _Child(Struct, frozen=True, kw_only=True, gc=False):
    """One child about to be decided."""

    place: Place
    quantity: Decimal
    rests: bool


def release(draft: Draft, parent: ParentOrder, quantity: Decimal, *, rests: bool) -> Refused | None:
    """Send a slice, or say why it cannot be sent now.

    With `rests` what is not taken at once waits in the book.
    """
    refused = desk_allows(draft, parent, quantity)
    if refused is not None:
        return refused
    if parent.terms.route is Route.SMART:
        return _smart(draft, parent, quantity, rests=rests)
    place = place_at(draft, parent, parent.terms.markets[0], VIEW_LEVELS)
    if isinstance(place, Refused):
        return place
    most = place.instrument.max_qty
    fits = quantity if most is None else min(quantity, most)
    least = least_at(place.instrument, place.worst_px)
    if fits < least:
        # The market has moved since the order's minimum was judged.
        if parent.available < least:
            text = f"{canonical(fits)} is under the least that {place.market.account} takes now"
            return Refused(code=Reason.NOTIONAL_UNDER_MINIMUM, text=text)
        left = sub(parent.available, least)
        fits = parent.available if left < least else least
    _send(draft, parent, _Child(place=place, quantity=fits, rests=rests))
    return None


def _smart(draft: Draft, parent: ParentOrder, quantity: Decimal, *, rests: bool) -> Refused | None:
    seen = survey(draft, parent, quantity, takes=not parent.terms.post_only)
    children = [
        _Child(place=seen.places[leg.account], quantity=leg.quantity, rests=False)
        for leg in seen.legs
    ]
    if rests:
        resting = _resting(seen, parent.terms, sub(quantity, seen.taken))
        if resting is not None:
            children.append(resting)
    if not children:
        return Refused(code=Reason.NO_VENUE, text=seen.why_none())
    draft.emit(
        ev.SliceRouted(
            operation_id=parent.id,
            quantity=quantity,
            mid_px=seen.mid_px,
            legs=(*seen.legs, *(_as_leg(child) for child in children if child.rests)),
            alternatives=seen.alternatives,
            cost_bps=seen.cost_bps,
            single_bps=seen.single_bps,
        )
    )
    for child in children:
        _send(draft, draft.state.parents[parent.id], child)
    return None


def _resting(seen: Survey, terms: OrderTerms, quantity: Decimal) -> _Child | None:
    """Return what waits in the book: at the named market, or at the first that can take it."""
    for market in terms.markets:
        place = seen.places.get(market.account)
        if place is None:
            continue
        instrument = place.instrument
        bounds = (instrument.max_qty, seen.rest_qty(market.account))
        most = min(quantity, *(bound for bound in bounds if bound is not None))
        fits = round_down(max(most, ZERO), instrument.lot_qty)
        worth = instrument.notional(fits, place.worst_px)
        if 0 < fits >= (instrument.min_qty or ZERO) and worth >= (instrument.min_notional or ZERO):
            return _Child(place=place, quantity=fits, rests=True)
    return None


def _as_leg(child: _Child) -> Leg:
    return Leg(
        account=child.place.market.account,
        instrument=child.place.instrument.id,
        quantity=child.quantity,
        expected_px=None,
        rests=True,
    )


def _send(draft: Draft, parent: ParentOrder, child: _Child) -> None:
    number = parent.children + 1
    name = client_order_id(parent.id, number)
    tif = _tif(parent.terms, child)
    draft.emit(
        ev.ChildCreated(
            operation_id=parent.id,
            child_no=number,
            client_order_id=name,
            account=child.place.market.account,
            instrument=child.place.instrument.id,
            quantity=child.quantity,
            order_type=OrderType.LIMIT,
            limit_px=child.place.worst_px,
            tif=tif,
            expire_ns=parent.terms.expire_ns if tif is TimeInForce.GTD else None,
            send_by_ns=draft.now_ns + SEND_WITHIN_NS,
            gateway_epoch=child.place.account.gateway_epoch,
        )
    )
    draft.ask(SendChild(child=draft.state.children[name]))
    draft.ask(WakeChild(at_ns=draft.now_ns + ANSWER_WITHIN_NS, client_order_id=name))


def _tif(terms: OrderTerms, child: _Child) -> TimeInForce:
    """Return how long a child may rest; where a venue has no expiry, the desk ends it itself."""
    if not child.rests:
        return TimeInForce.FOK if terms.tif is TimeInForce.FOK else TimeInForce.IOC
    if terms.tif is TimeInForce.GTD:
        offered = child.place.account.capabilities.times_in_force
        return TimeInForce.GTD if TimeInForce.GTD in offered else TimeInForce.GTC
    return terms.tif
