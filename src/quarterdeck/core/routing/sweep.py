"""SMART: take a slice from several venues at once, as cheaply as their books and rules allow.

The visible books are taken together, each level at its price with the account's fee, from the
cheapest on and never beyond the limit. What is sent to a venue is in its lots, within its
minimums and maximum and within what the account can pay for.

As much as possible is filled first; cost decides between plans that fill as much. Hence a plan is
never worse than the best venue alone that takes the same quantity, and when they cost the same it
is that venue alone. Nothing depends on the order in which the offers are given.

Two offers that draw on the same balance are not known to: each is held to its own `funds_qty`.
"""

from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import PLACES_MAX, ZERO, mul, total
from quarterdeck.core.model.routing import Alternative, Leg
from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.allocation import allocate
from quarterdeck.core.routing.costs import FEE_PLACES, cost_bps
from quarterdeck.core.routing.ladder import Ladder, ladder_of, units
from quarterdeck.core.routing.offer import Offer

_UNIT: Final = Decimal(1).scaleb(-PLACES_MAX)
_VALUE_UNIT: Final = Decimal(1).scaleb(-2 * PLACES_MAX - FEE_PLACES)


class Alone(Struct, frozen=True, kw_only=True, gc=False):
    """What one venue could take of the slice if it were the only one."""

    account: str
    instrument: str
    fee_bps: Decimal
    takes_qty: Decimal
    """Zero when its minimum is more than it can take."""
    avg_px: Decimal | None
    """Before fees; None when it takes nothing."""
    value: Decimal
    """What a buyer would pay or a seller would keep, fees included."""
    side: Side

    def cost_bps(self, mid_px: Decimal | None) -> Decimal | None:
        """Return its cost against the midpoint, fees included; positive is a cost."""
        return cost_bps(self.side, value=self.value, quantity=self.takes_qty, mid_px=mid_px)

    def as_alternative(self, *, mid_px: Decimal | None, view: str | None) -> Alternative:
        """Return it as it is kept with the decision; the view is the hash of its book."""
        return Alternative(
            account=self.account,
            instrument=self.instrument,
            left_out=None,
            takes_qty=self.takes_qty,
            avg_px=self.avg_px,
            fee_bps=self.fee_bps,
            cost_bps=self.cost_bps(mid_px),
            view=view,
        )


class Sweep(Struct, frozen=True, kw_only=True, gc=False):
    """Where a slice goes, and what else was possible."""

    side: Side
    legs: tuple[Leg, ...]
    """Cheapest first, then by account and instrument; empty when no venue takes any of it."""
    filled_qty: Decimal
    """Sum of the legs, at most the quantity asked."""
    value: Decimal
    """What a buyer pays or a seller keeps for the legs, fees included."""
    alone: tuple[Alone, ...]
    """One for each offer, in the order given."""

    def cost_bps(self, mid_px: Decimal | None) -> Decimal | None:
        """Return the cost of the legs against the midpoint, fees included; positive is a cost."""
        return cost_bps(self.side, value=self.value, quantity=self.filled_qty, mid_px=mid_px)

    @property
    def best_single(self) -> Alone | None:
        """The cheapest venue that alone takes as much; None when none does."""
        able = [one for one in self.alone if ZERO < one.takes_qty == self.filled_qty]
        sign = self.side.sign
        return min(
            able, key=lambda one: (sign * one.value, one.account, one.instrument), default=None
        )


class Fractional(Struct, frozen=True, kw_only=True, gc=False):
    """The sweep if any fraction could be sent: what no plan in whole lots can be better than."""

    filled_qty: Decimal
    value: Decimal
    """What a buyer pays or a seller keeps, fees included."""
    takes: tuple[Decimal, ...]
    """For each offer, in the order given."""


def sweep(side: Side, quantity: Decimal, limit_px: Decimal, offers: Sequence[Offer]) -> Sweep:
    """Return the plan that fills most of the quantity within the limit, then costs least."""
    asked = max(units(quantity), 0)
    ladders = [ladder_of(offer, side, asked, limit_px, whole_lots=True) for offer in offers]
    ranks = sorted(range(len(offers)), key=lambda at: (offers[at].account, offers[at].instrument))
    best = allocate([ladders[at] for at in ranks], asked)
    legs = [
        (cost // taken, rank, _leg(offers[at], ladders[at], taken, bare))
        for rank, (at, taken, (cost, bare)) in enumerate(
            zip(ranks, best.taken, best.prices, strict=True)
        )
        if taken
    ]
    legs.sort(key=itemgetter(0, 1))
    return Sweep(
        side=side,
        legs=tuple(leg for _, _, leg in legs),
        filled_qty=total(leg.quantity for _, _, leg in legs),
        value=_value(side, best.cost),
        alone=tuple(
            _alone(side, offer, ladder) for offer, ladder in zip(offers, ladders, strict=True)
        ),
    )


def fractional(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: Sequence[Offer]
) -> Fractional:
    """Return the exact optimum without lots and minimums, the other bounds as they are.

    Cost is linear in each level and one sum couples them, so taking the cheapest level first is
    optimal: the fractional knapsack.
    """
    asked = left = max(units(quantity), 0)
    ladders = [ladder_of(offer, side, asked, limit_px, whole_lots=False) for offer in offers]
    taken, cost = [0] * len(offers), 0
    rungs = [(net, at, size) for at, ladder in enumerate(ladders) for net, size, _ in ladder.rungs]
    for net, at, size in sorted(rungs):
        part = min(size, left)
        taken[at] += part
        cost += net * part
        left -= part
    return Fractional(
        filled_qty=mul(Decimal(asked - left), _UNIT),
        value=_value(side, cost),
        takes=tuple(mul(Decimal(part), _UNIT) for part in taken),
    )


def _leg(offer: Offer, ladder: Ladder, taken: int, bare: int) -> Leg:
    return Leg(
        account=offer.account,
        instrument=offer.instrument,
        quantity=_quantity(offer, ladder, taken),
        expected_px=_avg_px(bare, taken),
        rests=False,
    )


def _alone(side: Side, offer: Offer, ladder: Ladder) -> Alone:
    takes, cost, bare = (ladder.most, ladder.cost, ladder.bare) if ladder.usable else (0, 0, 0)
    return Alone(
        account=offer.account,
        instrument=offer.instrument,
        fee_bps=offer.fee_bps,
        takes_qty=_quantity(offer, ladder, takes),
        avg_px=_avg_px(bare, takes) if takes else None,
        value=_value(side, cost),
        side=side,
    )


def _quantity(offer: Offer, ladder: Ladder, taken: int) -> Decimal:
    return mul(Decimal(taken // ladder.lot), offer.lot_qty)  # In the lot's own places.


def _avg_px(bare: int, taken: int) -> Decimal:
    # To the nearest 1e-18; exactly half goes to the even one.
    px, rest = divmod(bare, taken)
    if 2 * rest > taken or (2 * rest == taken and px % 2):
        px += 1
    return mul(Decimal(px), _UNIT)


def _value(side: Side, cost: int) -> Decimal:
    return mul(Decimal(side.sign * cost), _VALUE_UNIT)
