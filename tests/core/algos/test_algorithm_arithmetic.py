"""What algorithms count and vary with: lots, remainders, and chance that is computed."""

from collections import Counter
from decimal import Decimal

import pytest

from quarterdeck.core.algos import lots
from quarterdeck.core.algos.chance import uniform
from quarterdeck.core.algos.contract import Grid

D = Decimal


@pytest.mark.parametrize(
    ("wanted", "available", "fewest", "sent"),
    [
        (5, 20, 3, 5),
        (3, 20, 3, 3),
        (2, 20, 3, 0),
        (-4, 20, 3, 0),
        (5, 8, 3, 5),
        (5, 7, 3, 7),
        (9, 7, 3, 7),
        (9, 2, 3, 0),
        (1, -1, 1, 0),
    ],
)
def test_what_is_sendable(wanted: int, available: int, fewest: int, sent: int):
    assert lots.sendable(wanted, available, fewest) == sent


def test_quantities_in_lots():
    grid = Grid(lot_qty=D("0.2"), min_qty=D("0.5"))
    assert lots.least(grid) == 3, "a minimum off the lot is rounded up"
    assert lots.least(Grid(lot_qty=D("0.2"), min_qty=D(0))) == 1
    assert [lots.count(D(text), grid) for text in ("0.59", "0.6", "-0.1", "0")] == [2, 3, -1, 0]
    assert lots.quantity(3, grid) == D("0.6")


@pytest.mark.parametrize("bound", [1, 2, 7, 10**12])
def test_chance_stays_within_its_bound_and_depends_on_all_that_is_asked(bound: int):
    def drawn(seed: int = 1, operation_id: str = "op", what: str = "size") -> list[int]:
        return [
            uniform(bound, seed=seed, operation_id=operation_id, number=number, what=what)
            for number in range(700)
        ]

    first = drawn()
    assert first == drawn()
    assert 0 <= min(first) <= max(first) < bound
    if bound == 1:
        return
    others = [drawn(seed=2), drawn(operation_id="op2"), drawn(what="time")]
    assert all(first != other for other in others)
    tenths = Counter(number * 2 // bound for number in first)
    assert all(250 < count < 450 for count in tenths.values()), "both halves come as often"


def test_chance_is_the_same_on_every_machine():
    """A pinned number: if it changes, the plans of all orders that run change with it."""
    assert uniform(10**6, seed=42, operation_id="OP-1", number=3, what="size") == 1473
