"""The router's answers found another way: HiGHS for the linear and the integer programme."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.offer import Offer

D = Decimal


def net(side: Side, px: Decimal, fee_bps: Decimal) -> Decimal:
    """Return the price with its fee, a seller's negated."""
    return side.sign * px * (1 + side.sign * fee_bps / 10_000)


def cap(offer: Offer) -> Decimal:
    """Return the most that an offer takes, lots left out."""
    bounds = [sum(size for _, size in offer.levels), offer.max_qty, offer.funds_qty]
    return min(bound for bound in bounds if bound is not None)


def linear(side: Side, quantity: Decimal, offers: Sequence[Offer]) -> tuple[Decimal, float]:
    """Return the most that can be filled and the least cost of that, any fraction allowed."""
    fill = min(quantity, sum((cap(offer) for offer in offers), D(0)))
    rungs = [
        (rank, float(net(side, px, offer.fee_bps)), float(size))
        for rank, offer in enumerate(offers)
        for px, size in offer.levels
    ]
    owners = np.array([rank for rank, _, _ in rungs])
    solved = linprog(
        [cost for _, cost, _ in rungs],
        A_ub=np.array([owners == rank for rank in range(len(offers))], dtype=float),
        b_ub=[float(cap(offer)) for offer in offers],
        A_eq=np.ones((1, len(rungs))),
        b_eq=[float(fill)],
        bounds=[(0, size) for _, _, size in rungs],
        method="highs-ds",
    )
    assert solved.status == 0, solved.message
    return fill, solved.fun


def whole_lots(
    side: Side, quantity: Decimal, offers: Sequence[Offer], reference_px: Decimal
) -> tuple[Decimal, float]:
    """Return the most that can be filled in lots, and the least cost of it.

    The cost is counted from the reference price, so that the solver's tolerance is small against
    a basis point. Variables: units at each level, lots of each venue, whether it is used.
    """
    unit = min(offer.lot_qty for offer in offers)
    rungs = [
        (rank, net(side, px, offer.fee_bps) - side.sign * reference_px, size / unit)
        for rank, offer in enumerate(offers)
        for px, size in offer.levels
    ]
    venues = len(offers)
    width = len(rungs) + 2 * venues
    rows, lower, upper = [], [], []
    for rank, offer in enumerate(offers):
        lot = offer.lot_qty
        least = max(offer.min_qty or D(0), (offer.min_notional or D(0)) / offer.check_px)
        least = (least / lot).to_integral_value(ROUND_CEILING)
        most = (min(cap(offer), quantity) / lot).to_integral_value(ROUND_FLOOR)
        is_lots, is_used = len(rungs) + rank, len(rungs) + venues + rank
        same = np.array([float(owner == rank) for owner, _, _ in rungs] + [0.0] * 2 * venues)
        same[is_lots] = -float(lot / unit)
        over, under = np.zeros(width), np.zeros(width)
        over[is_lots], over[is_used] = 1, -float(max(least, D(0)))
        under[is_lots], under[is_used] = 1, -float(max(most, D(0)))
        rows += [same, over, under]
        lower += [0, 0, -np.inf]
        upper += [0, np.inf, 0]
    total = np.array([1.0] * len(rungs) + [0.0] * 2 * venues)
    kinds = np.array([0] * len(rungs) + [1] * 2 * venues)
    bounds = Bounds(
        np.zeros(width),
        [float(size) for _, _, size in rungs] + [np.inf] * venues + [1.0] * venues,
    )
    costs = np.array([float(cost) for _, cost, _ in rungs] + [0.0] * 2 * venues)
    rule = LinearConstraint(np.array(rows), lower, upper)
    exact = {"mip_rel_gap": 0.0}
    most_units = milp(
        -total,
        constraints=[rule, LinearConstraint(total, 0, float(quantity / unit))],
        integrality=kinds,
        bounds=bounds,
        options=exact,
    )
    assert most_units.status == 0, most_units.message
    fill = round(-most_units.fun)
    cheapest = milp(
        costs,
        constraints=[rule, LinearConstraint(total, fill, fill)],
        integrality=kinds,
        bounds=bounds,
        options=exact,
    )
    assert cheapest.status == 0, cheapest.message
    return fill * unit, cheapest.fun * float(unit)
