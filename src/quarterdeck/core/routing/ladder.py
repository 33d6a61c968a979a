"""One offer in exact integers: what its levels cost with the fee, and which quantities it takes.

Quantities and prices are counted in units of 1e-18, the finest that an amount can have; places
beyond that are cut. A ladder is convex by construction (each rung costs at least as much as the
one before), which is all that the exactness of the allocation rests on.
"""

from collections.abc import Iterator
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import PLACES_MAX, ZERO, mul
from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.costs import FEE_PLACES, net_px
from quarterdeck.core.routing.offer import Offer

_UNIT: Final = Decimal(10) ** PLACES_MAX
_SHIFT: Final = Decimal(PLACES_MAX)
# Called twice for each level: the bound method of an exact context, and nothing around it.
_scaled: Final = Context(prec=160, traps=[InvalidOperation, Overflow, Inexact]).scaleb
_FEE_UNIT: Final = Decimal(10) ** (FEE_PLACES - 4)

type Rung = tuple[int, int, int]
"""Cost of one unit with its fee (`costs.net_px`), units shown, and the bare price."""


class Ladder(Struct, frozen=True, kw_only=True, gc=False):
    """An offer's levels within the limit, best first, cut where the venue or the slice ends."""

    rungs: list[Rung]
    lot: int
    least: int
    """Fewest units that may be sent, in whole lots; zero for no bound."""
    most: int
    """Most units that it takes of the slice alone, in whole lots; below `least` it takes none."""
    cost: int
    """Of `most` units, with fees."""
    bare: int
    """Of `most` units, without."""

    @property
    def usable(self) -> bool:
        """Whether it takes anything at all."""
        return self.least <= self.most > 0

    def price(self, quantity: int) -> tuple[int, int]:
        """Return what the first so many units cost with fees, and without."""
        return (self.cost, self.bare) if quantity == self.most else climb(self.rungs, quantity)


def units(amount: Decimal) -> int:
    """Return the amount in units of 1e-18, what is finer cut.

    Raises:
        ArithmeticError or ValueError: if it is not finite.
    """
    return int(_scaled(amount, _SHIFT))


def ladder_of(
    offer: Offer, side: Side, quantity: int, limit_px: Decimal, *, whole_lots: bool
) -> Ladder:
    """Return what the offer can take of so many units within the limit.

    Without whole lots it is the relaxation: any quantity up to the same upper bounds.
    Levels that are no market (a price or size not finite or not above zero) are passed over.
    """
    cap = quantity
    for bound in (offer.max_qty, offer.funds_qty):
        if bound is not None:
            cap = min(cap, max(units(bound), 0))
    lot = units(offer.lot_qty) if whole_lots else 1
    if lot <= 0:
        raise ValueError(f"{offer.instrument}: a lot is at least 1e-18, not {offer.lot_qty}")
    rungs, shown = _rungs(offer, side, units(limit_px), cap)
    most = min(shown, cap)
    most -= most % lot
    # The last rung is shortened, so that nothing beyond `most` can be taken.
    while rungs and shown - rungs[-1][1] >= most:
        shown -= rungs.pop()[1]
    if shown > most:
        net, size, px = rungs[-1]
        rungs[-1] = (net, size - (shown - most), px)
    cost, bare = climb(rungs, most)
    least = _least(offer, lot) if whole_lots else 0
    return Ladder(rungs=rungs, lot=lot, least=least, most=most, cost=cost, bare=bare)


def climb(rungs: list[Rung], quantity: int) -> tuple[int, int]:
    """Return the cost with fees, and without them, of the first so many units."""
    net_total = px_total = 0
    for net, size, px in rungs:
        if size >= quantity:
            return net_total + net * quantity, px_total + px * quantity
        net_total += net * size
        px_total += px * size
        quantity -= size
    return net_total, px_total


def between(rungs: list[Rung], start: int, quantity: int) -> Iterator[tuple[int, int]]:
    """Yield cost and size of the rungs for so many units after the first `start`."""
    for net, size, _ in rungs:
        if start >= size:
            start -= size
            continue
        part = min(size - start, quantity)
        if not part:
            return
        yield net, part
        quantity -= part
        start = 0


def _rungs(offer: Offer, side: Side, limit: int, cap: int) -> tuple[list[Rung], int]:
    factor = net_px(side, 1, int(mul(offer.fee_bps, _FEE_UNIT)))
    worst = limit * factor
    rungs: list[Rung] = []
    shown = 0
    for level_px, level_qty in offer.levels:
        if shown >= cap:
            break
        if not (level_px.is_finite() and level_qty.is_finite()):
            continue
        px, size = int(_scaled(level_px, _SHIFT)), int(_scaled(level_qty, _SHIFT))
        net = px * factor
        if net <= worst and size > 0 and px > 0:
            rungs.append((net, size, px))
            shown += size
    rungs.sort()  # In order already, unless a gateway broke its promise.
    return rungs, shown


def _least(offer: Offer, lot: int) -> int:
    least = units(offer.min_qty) if offer.min_qty is not None else 0
    if offer.min_notional is not None and offer.min_notional > ZERO:
        check = units(offer.check_px)
        if check <= 0:
            raise ValueError(f"{offer.instrument}: judged at {offer.check_px}, not above zero")
        least = max(least, -(-units(mul(offer.min_notional, _UNIT)) // check))
    return -(-least // lot) * lot
