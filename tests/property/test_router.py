"""What holds of every plan, whatever the books and the rules of the venues are.

The bounds are drawn small and close together, so that lots, minimums, maximums and funds collide;
lots need not divide each other. On the smallest, every possible plan is tried.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from tests.property.effort import PROFILE

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.offer import Offer
from quarterdeck.core.routing.sweep import Sweep, fractional, sweep

D = Decimal
SIDES = st.sampled_from(Side)
TENTHS = st.integers(1, 12).map(lambda n: D(n) / 10)
"""Lots that do and do not divide each other."""


def amounts(least: int, most: int, places: int = 1) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(lambda n: D(n).scaleb(-places))


@st.composite
def offer_lists(draw: st.DrawFn, venues: int = 4, lots: st.SearchStrategy[Decimal] = TENTHS):
    return [
        Offer(
            account=f"acc{number % 3}",
            instrument=f"V{number}:SPOT_PAIR:A-B",
            levels=tuple(draw(st.lists(st.tuples(amounts(90, 110), amounts(1, 30)), max_size=4))),
            fee_bps=draw(amounts(-20, 100, places=0)),
            lot_qty=draw(lots),
            min_qty=draw(st.none() | amounts(1, 30)),
            max_qty=draw(st.none() | amounts(1, 60)),
            min_notional=draw(st.none() | amounts(1, 300)),
            check_px=draw(amounts(90, 110)),
            funds_qty=draw(st.none() | amounts(-5, 60)),
        )
        for number in range(draw(st.integers(0, venues)))
    ]


def sorted_books(side: Side, offers: Sequence[Offer]) -> list[Offer]:
    sells = side is Side.SELL
    return [
        Offer(
            **{
                **{name: getattr(offer, name) for name in offer.__struct_fields__},
                "levels": tuple(sorted(offer.levels, reverse=sells)),
            }
        )
        for offer in offers
    ]


def within(side: Side, offer: Offer, limit_px: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Return the levels that the limit allows."""
    return [level for level in offer.levels if side.sign * (limit_px - level[0]) >= 0]


def value_of(side: Side, offer: Offer, limit_px: Decimal, quantity: Decimal) -> Fraction:
    """Return what so much costs or brings at one venue, from its book alone."""
    value, left = Fraction(0), Fraction(quantity)
    for px, size in within(side, offer, limit_px):
        part = min(left, Fraction(size))
        value += part * Fraction(px) * (1 + side.sign * Fraction(offer.fee_bps) / 10_000)
        left -= part
    assert left == 0, "more than the book shows"
    return value


def legal(side: Side, offer: Offer, limit_px: Decimal, quantity: Decimal) -> bool:
    """Say whether a child of so much may be sent, as the venue and the account would judge."""
    return (
        quantity % offer.lot_qty == 0
        and quantity <= sum((size for _, size in within(side, offer, limit_px)), D(0))
        and quantity >= (offer.min_qty or 0)
        and (offer.max_qty is None or quantity <= offer.max_qty)
        and (offer.funds_qty is None or quantity <= offer.funds_qty)
        and quantity * offer.check_px >= (offer.min_notional or 0)
    )


def by_name(offers: Sequence[Offer]) -> dict[tuple[str, str], Offer]:
    return {(offer.account, offer.instrument): offer for offer in offers}


def check_plan(
    plan: Sweep, side: Side, quantity: Decimal, limit_px: Decimal, offers: Sequence[Offer]
) -> None:
    known = by_name(offers)
    value = Fraction(0)
    for leg in plan.legs:
        offer = known.pop((leg.account, leg.instrument))  # At most one leg for each.
        assert leg.quantity > 0
        assert legal(side, offer, limit_px, leg.quantity), (leg, offer)
        value += value_of(side, offer, limit_px, leg.quantity)
    assert plan.filled_qty == sum((leg.quantity for leg in plan.legs), D(0)) <= quantity
    assert Fraction(plan.value) == value


@PROFILE
@given(side=SIDES, quantity=amounts(0, 150), limit_px=amounts(90, 110), offers=offer_lists())
def test_every_plan_is_legal_and_no_worse_than_one_venue(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: list[Offer]
):
    offers = sorted_books(side, offers)
    plan = sweep(side, quantity, limit_px, offers)
    check_plan(plan, side, quantity, limit_px, offers)
    for one, offer in zip(plan.alone, offers, strict=True):
        assert one.takes_qty <= plan.filled_qty
        if one.takes_qty:
            assert legal(side, offer, limit_px, one.takes_qty)
            assert Fraction(one.value) == value_of(side, offer, limit_px, one.takes_qty)
        if one.takes_qty == plan.filled_qty:
            assert side.sign * plan.value <= side.sign * one.value
    best = plan.best_single
    if best is not None and best.value == plan.value:
        assert len(plan.legs) == 1, "one child does as well"


@PROFILE
@given(
    side=SIDES,
    quantity=amounts(0, 150),
    limit_px=amounts(90, 110),
    offers=offer_lists(),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_offers_does_not_matter(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: list[Offer], order
):
    offers = sorted_books(side, offers)
    shuffled = list(offers)
    order.shuffle(shuffled)
    plan = sweep(side, quantity, limit_px, offers)
    again = sweep(side, quantity, limit_px, shuffled)
    assert (plan.legs, plan.value) == (again.legs, again.value)
    assert plan.best_single == again.best_single


@PROFILE
@given(side=SIDES, quantity=amounts(0, 150), limit_px=amounts(90, 110), offers=offer_lists())
def test_no_plan_beats_the_fractional_one(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: list[Offer]
):
    offers = sorted_books(side, offers)
    plan = sweep(side, quantity, limit_px, offers)
    ideal = fractional(side, plan.filled_qty, limit_px, offers)
    assert ideal.filled_qty == plan.filled_qty
    assert side.sign * ideal.value <= side.sign * plan.value
    assert fractional(side, quantity, limit_px, offers).filled_qty >= plan.filled_qty


def best_of_all(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: Sequence[Offer]
) -> tuple[Decimal, Fraction]:
    """Return the most that can be filled and the least cost of it, by trying every plan.

    Venue by venue, the cheapest way to every total that can be reached is kept.
    """
    reached = {D(0): Fraction(0)}
    for offer in offers:
        sizes = [offer.lot_qty * step for step in range(1, int(quantity // offer.lot_qty) + 1)]
        choices = [
            (size, side.sign * value_of(side, offer, limit_px, size))
            for size in sizes
            if legal(side, offer, limit_px, size)
        ]
        further = dict(reached)
        for (filled, cost), (size, more) in product(reached.items(), choices):
            after = filled + size
            if after <= quantity and cost + more < further.get(after, Fraction(10**9)):
                further[after] = cost + more
        reached = further
    most = max(reached)
    return most, reached[most]


@PROFILE
@given(
    side=SIDES,
    quantity=amounts(0, 90),
    limit_px=amounts(95, 110),
    offers=offer_lists(lots=st.sampled_from([D("0.1"), D("0.2"), D("0.4"), D("1.2")])),
)
def test_lots_that_divide_each_other_are_planned_as_well_as_can_be(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: list[Offer]
):
    offers = sorted_books(side, offers)
    plan = sweep(side, quantity, limit_px, offers)
    assert (plan.filled_qty, side.sign * Fraction(plan.value)) == best_of_all(
        side, quantity, limit_px, offers
    )


@PROFILE
@given(
    side=SIDES,
    quantity=amounts(0, 60),
    limit_px=amounts(95, 110),
    offers=offer_lists(venues=3, lots=st.sampled_from([D("0.2"), D("0.3"), D("0.5"), D("0.4")])),
)
def test_so_are_lots_that_do_not(
    side: Side, quantity: Decimal, limit_px: Decimal, offers: list[Offer]
):
    offers = sorted_books(side, offers)
    plan = sweep(side, quantity, limit_px, offers)
    assert (plan.filled_qty, side.sign * Fraction(plan.value)) == best_of_all(
        side, quantity, limit_px, offers
    )
