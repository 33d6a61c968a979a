"""How long SMART takes to plan a slice, and how far simpler plans would be from its cost.

Run `python benchmarks/run.py routing`. Pure computation on seeded books with fees, lots and least
notionals that differ by venue. Slices of a tenth, half and nine
tenths of all that is shown.
"""

import random
import time
from decimal import Decimal

from benchmarks.conditions import percentile, print_conditions, print_table, verdict
from tests.core.routing.random_books import MID_PX, book, limit_far

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.offer import Offer
from quarterdeck.core.routing.sweep import sweep

SHAPES = ((3, 20, 150.0), (5, 50, 300.0))
"""Venues, levels of each, and the target for the median in microseconds."""
SHARES = (Decimal("0.1"), Decimal("0.5"), Decimal("0.9"))
BOOKS = 300
ROUNDS = 3
QUANTITIES = ("0.05", "0.5", "2", "5", "10")


def shown(offers: list[Offer]) -> Decimal:
    """Return all that the books show."""
    return sum((size for offer in offers for _, size in offer.levels), Decimal(0))


def times_us(venues: int, levels: int, share: Decimal) -> list[float]:
    """Return the time of each plan; of several rounds the fastest, as the books are few."""
    draw = random.Random(venues)
    taken = []
    for number in range(BOOKS):
        side = (Side.BUY, Side.SELL)[number % 2]
        offers, limit_px = book(draw, side, venues, levels), limit_far(side)
        quantity = shown(offers) * share
        rounds = []
        for _ in range(ROUNDS):
            start = time.perf_counter_ns()
            sweep(side, quantity, limit_px, offers)
            rounds.append((time.perf_counter_ns() - start) / 1e3)
        taken.append(min(rounds))
    return taken


def savings_bps(quantity: Decimal) -> tuple[str, str, str]:
    """Return what the sweep saves against the best venue alone: share of books, mean, most."""
    draw, saved, unable = random.Random(7), [], 0
    for _ in range(BOOKS):
        plan = sweep(Side.BUY, quantity, limit_far(Side.BUY), book(draw))
        ours, single = plan.cost_bps(MID_PX), plan.best_single
        theirs = single.cost_bps(MID_PX) if single is not None else None
        if ours is None or theirs is None:
            unable += 1
        else:
            saved.append(theirs - ours)
    if not saved:
        return f"{unable} of {BOOKS}", "", ""
    mean = sum(saved, Decimal(0)) / len(saved)
    return f"{unable} of {BOOKS}", f"{mean:.2f}", f"{max(saved):.2f}"


def main() -> None:
    """Print both tables."""
    print_conditions("SMART: plan one slice")
    rows = []
    for venues, levels, target_us in SHAPES:
        for share in SHARES:
            taken = times_us(venues, levels, share)
            p50 = percentile(taken, 0.5)
            rows.append(
                (
                    f"{venues} × {levels}",
                    f"{share:.0%}",
                    f"{p50:.0f}",
                    f"{percentile(taken, 0.99):.0f}",
                    f"{target_us:.0f}",
                    verdict(p50, target_us),
                )
            )
    print_table(rows, "venues × levels", "of the books", "p50 µs", "p99 µs", "target", "within")
    print_table(
        [(quantity, *savings_bps(Decimal(quantity))) for quantity in QUANTITIES],
        "buy, BTC",
        "no venue alone can",
        "saved against the best alone, mean bps",
        "most",
    )
