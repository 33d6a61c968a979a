"""Quantities as whole numbers of lots, and the rule that no unsendable remainder is left behind.

Splitting is done on integers: a quantity that is cut in lots adds up again, exactly.
"""

from decimal import Decimal

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.model.decimals import div, mul, round_down, round_up


def count(quantity: Decimal, grid: Grid) -> int:
    """Return how many whole lots a quantity holds; a negative one is rounded down as well."""
    return int(div(round_down(quantity, grid.lot_qty), grid.lot_qty, places=0))


def least(grid: Grid) -> int:
    """Return the fewest lots that one child may have; at least one."""
    return max(int(div(round_up(grid.min_qty, grid.lot_qty), grid.lot_qty, places=0)), 1)


def quantity(lots: int, grid: Grid) -> Decimal:
    """Return the quantity of so many lots."""
    return mul(Decimal(lots), grid.lot_qty)


def sendable(wanted: int, available: int, fewest: int) -> int:
    """Return how many lots to send of those wanted, all counted in lots; zero for none.

    Never more than is available and never fewer than may be sent. What would be left but could not
    be sent by itself goes along, which is less than `fewest` more than was wanted.
    """
    sent = min(wanted, available)
    if sent < fewest:
        return 0
    return available if available - sent < fewest else sent
