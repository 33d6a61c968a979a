"""The router against HiGHS: the same fill at the same cost, over many books."""

import random
from decimal import Decimal

import pytest
from tests.core.routing import oracle
from tests.core.routing.random_books import MID_PX, book, limit_far

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.sweep import fractional, sweep

D = Decimal
BOOKS = 2_000
COST_TOLERANCE_BPS = 1e-4
"""HiGHS calls a lot whole within 1e-6, and a row kept within 1e-7 of its bound."""


def test_the_sweep_in_fractions_is_the_linear_programme():
    draw = random.Random(20_261_122)
    for number in range(BOOKS):
        side = draw.choice((Side.BUY, Side.SELL))
        offers = book(side=side, draw=draw, venues=draw.randint(1, 5), levels=12, bounds=True)
        quantity = D(draw.randint(1, 20_000)) / 1_000
        plan = fractional(side, quantity, limit_far(side), offers)
        fill, cost = oracle.linear(side, quantity, offers)
        assert plan.filled_qty == fill == sum(plan.takes), number
        assert side.sign * float(plan.value) == pytest.approx(cost, rel=1e-9), number


@pytest.mark.parametrize(
    ("quantity", "books"), [("0.05", 40), ("0.5", 60), ("1.9", 60), ("2", 40), ("5", 20)]
)
def test_the_sweep_in_lots_is_the_integer_programme(quantity: str, books: int):
    """Far nearer than the 0.2 bps allowed: only the solver's own tolerance is left."""
    draw = random.Random(quantity)
    for number in range(books):
        side = draw.choice((Side.BUY, Side.SELL))
        offers = book(side=side, draw=draw, venues=draw.randint(2, 4), levels=8, bounds=True)
        asked = D(quantity)
        plan = sweep(side, asked, limit_far(side), offers)
        fill, cost = oracle.whole_lots(side, asked, offers, MID_PX)
        assert plan.filled_qty == fill, number
        ours = side.sign * float(plan.value - plan.filled_qty * MID_PX)
        gap_bps = (ours - cost) / float(fill * MID_PX) * 1e4
        assert abs(gap_bps) < COST_TOLERANCE_BPS, (number, gap_bps)
