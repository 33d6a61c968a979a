"""What a routing decision saw and chose, as the API shows it: the answer to "why this venue"."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.core.model.decimals import ZERO, total
from quarterdeck.core.model.events import SliceRouted
from quarterdeck.core.model.instrument import venue_of
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.routing import Alternative, Leg


class LegView(Struct, frozen=True, kw_only=True):
    """One child that the decision sends."""

    venue: str
    account: str
    instrument_key: str
    quantity: Amount
    expected_px: Amount | None
    """Average over the levels it was planned on, before fees; None for one that rests."""
    rests: bool


class AlternativeView(Struct, frozen=True, kw_only=True):
    """One allowed venue as the decision saw it."""

    venue: str
    account: str
    instrument_key: str
    left_out: Reason | None
    """Why it was not considered; None when it was."""
    takes: Amount
    """What it alone could take of the slice."""
    avg_px: Amount | None
    fee_bps: Amount | None
    cost_bps: Amount | None
    """Price and fee of that against the midpoint; positive is a cost."""
    view: str | None
    """Hash of the book it showed: `GET /api/views/{hash}`."""


class RoutingView(Struct, frozen=True, kw_only=True):
    """One slice and where it went."""

    seq: int
    """The journal's entry."""
    at_ns: int
    quantity: Amount
    """Of the slice; the legs may add up to less."""
    mid_px: Amount | None
    """Midpoint of the best bid and offer over the venues considered."""
    legs: list[LegView]
    alternatives: list[AlternativeView]
    cost_bps: Amount | None
    """Expected price and fees of the legs that take; positive is a cost."""
    best_single: str | None
    """The account that alone would have taken as much most cheaply; None when none could."""
    best_single_bps: Amount | None


def routing_view(routed: SliceRouted, seq: int, at_ns: int) -> RoutingView:
    """Return a routing decision as it is shown."""
    return RoutingView(
        seq=seq,
        at_ns=at_ns,
        quantity=amount(routed.quantity),
        mid_px=amount_or_none(routed.mid_px),
        legs=[leg_view(leg) for leg in routed.legs],
        alternatives=[alternative_view(one) for one in routed.alternatives],
        cost_bps=amount_or_none(routed.cost_bps),
        best_single=best_single(routed.legs, routed.alternatives),
        best_single_bps=amount_or_none(routed.single_bps),
    )


def leg_view(leg: Leg) -> LegView:
    """Return a leg as it is shown."""
    return LegView(
        venue=venue_of(leg.instrument),
        account=leg.account,
        instrument_key=leg.instrument,
        quantity=amount(leg.quantity),
        expected_px=amount_or_none(leg.expected_px),
        rests=leg.rests,
    )


def alternative_view(seen: Alternative) -> AlternativeView:
    """Return an allowed venue as it is shown."""
    return AlternativeView(
        venue=venue_of(seen.instrument),
        account=seen.account,
        instrument_key=seen.instrument,
        left_out=seen.left_out,
        takes=amount(seen.takes_qty),
        avg_px=amount_or_none(seen.avg_px),
        fee_bps=amount_or_none(seen.fee_bps),
        cost_bps=amount_or_none(seen.cost_bps),
        view=seen.view,
    )


def best_single(legs: Iterable[Leg], alternatives: Iterable[Alternative]) -> str | None:
    """Return the account that alone takes as much as the taking legs at the least cost."""
    taken = total(leg.quantity for leg in legs if not leg.rests)
    able: list[tuple[Decimal, str]] = [
        (seen.cost_bps, seen.account)
        for seen in alternatives
        if seen.cost_bps is not None and ZERO < seen.takes_qty == taken
    ]
    return min(able)[1] if able else None
