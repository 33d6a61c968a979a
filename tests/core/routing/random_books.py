"""Seeded books of several venues that resemble one coin's: skewed, uneven, each with its rules."""

import random
from collections.abc import Sequence
from decimal import Decimal

from quarterdeck.core.model.terms import Side
from quarterdeck.core.routing.offer import Offer

D = Decimal
MID_PX = D(60_000)
FEES_BPS = (D(10), D(10), D(8), D(5), D("7.5"))
LOTS = (D("0.001"), D("0.001"), D("0.01"), D("0.1"), D("0.00001"))
LEAST_NOTIONALS = (D(5), D(5), D(1), D(10), D(5))


def an_offer(
    levels: Sequence[tuple[str | Decimal, str | Decimal]], account: str = "a", **changes: object
) -> Offer:
    """Return an offer without rules of its own, but for what is given."""
    given = {
        "account": account,
        "instrument": f"{account.upper()}:SPOT_PAIR:BTC-USDT",
        "levels": tuple((D(px), D(size)) for px, size in levels),
        "fee_bps": D(0),
        "lot_qty": D("0.01"),
        "min_qty": None,
        "max_qty": None,
        "min_notional": None,
        "check_px": D(1),
        "funds_qty": None,
    }
    return Offer(**(given | changes))


def book(
    draw: random.Random,
    side: Side = Side.BUY,
    venues: int = 4,
    levels: int = 20,
    *,
    mean_qty: float = 0.5,
    bounds: bool = False,
) -> list[Offer]:
    """Return one offer for each venue; with bounds, some have a maximum or little money."""
    offers = []
    for venue in range(venues):
        px = MID_PX + side.sign * (D(round(draw.gauss(300, 1200))) / 100)
        lot, shown = LOTS[venue], []
        for _ in range(levels):
            lots = max(1, round(draw.expovariate(1 / mean_qty) / float(lot)))
            shown.append((px, lots * lot))
            px += side.sign * D(draw.randint(1, 300)) / 100
        offers.append(
            an_offer(
                shown,
                f"acc{venue}",
                fee_bps=FEES_BPS[venue],
                lot_qty=lot,
                min_notional=LEAST_NOTIONALS[venue],
                check_px=MID_PX - 500,
                max_qty=D(draw.randint(1, 30)) / 10 if bounds and draw.random() < 0.3 else None,
                funds_qty=D(draw.randint(0, 3000)) / 1000
                if bounds and draw.random() < 0.3
                else None,
            )
        )
    return offers


def limit_far(side: Side) -> Decimal:
    """Return a limit that no level of a book reaches."""
    return MID_PX * 2 if side is Side.BUY else D(1)
