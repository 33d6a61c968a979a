"""How long the core takes to decide and apply one input, with many orders live.

Run `python benchmarks/run.py decide`. Pure computation: no database, no network. Orders rest, are
acknowledged and filled; the state holds the live orders of the column.
"""

import time
from decimal import Decimal

from benchmarks.conditions import percentile, print_conditions, print_table, verdict
from tests.desk.paper import ACCOUNT, BTC, CAPABILITIES, INSTRUMENT, LIMITS, a_view, an_order

from quarterdeck.core.desk.decide import Input, decide
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import facts as f
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.terms import Side

LIVE = (10, 1_000, 10_000)
MEASURED = 3_000
TARGET_US = 100.0


class Timed:
    """A state and the times its inputs took, by kind."""

    def __init__(self) -> None:
        self.state = DeskState()
        self.views = {BTC: a_view()}
        self.taken_us: dict[str, list[float]] = {}

    def take(self, kind: str, given: Input) -> None:
        start = time.perf_counter_ns()
        now_ns = self.views[BTC].at_ns
        decision = decide(self.state, given, now_ns, self.views)
        for event in decision.events:
            apply(self.state, event, now_ns)
        self.taken_us.setdefault(kind, []).append((time.perf_counter_ns() - start) / 1e3)


def opened(live: int) -> Timed:
    """Return a state with an open account and so many resting orders."""
    timed = Timed()
    timed.take("setup", LIMITS)
    timed.take(
        "setup",
        f.GatewayConnected(
            account=ACCOUNT,
            venue="BINANCE-SPOT",
            gateway_epoch=1,
            capabilities=CAPABILITIES,
            instruments=(INSTRUMENT,),
        ),
    )
    timed.take(
        "setup",
        f.VenueSnapshot(
            account=ACCOUNT,
            gateway_epoch=1,
            asked_ns=1,
            trades_from_ns=1,
            orders=(),
            trades=(),
            balances=(f.Balance(asset="USDT", total=Decimal(10**12)),),
            positions=(),
        ),
    )
    for number in range(live):
        timed.take("setup", an_order(f"rest-{number}"))
    return timed


def measure(live: int) -> Timed:
    """Time submit, acknowledgement, half a fill and the other half."""
    timed = opened(live)
    for number in range(MEASURED):
        name = client_order_id(f"op-{number}", 1)
        timed.take("submit", an_order(f"op-{number}"))
        timed.take(
            "acknowledged",
            f.OrderAccepted(account=ACCOUNT, client_order_id=name, venue_order_id="v", at_ns=1),
        )
        for half in ("a", "b"):
            timed.take(
                "filled",
                f.Trade(
                    account=ACCOUNT,
                    instrument=BTC,
                    trade_id=f"{number}{half}",
                    client_order_id=name,
                    venue_order_id="v",
                    side=Side.BUY,
                    quantity=Decimal("0.05"),
                    px=Decimal(59000),
                    fee=Decimal("0.01"),
                    fee_asset="USDT",
                    maker=True,
                    at_ns=1,
                ),
            )
    return timed


def main() -> None:
    """Print the table."""
    print_conditions("decide + apply")
    rows = []
    for live in LIVE:
        timed = measure(live)
        for kind in ("submit", "acknowledged", "filled"):
            taken = timed.taken_us[kind]
            p50 = percentile(taken, 0.5)
            rows.append(
                (
                    f"{live:,}",
                    kind,
                    f"{p50:.0f}",
                    f"{percentile(taken, 0.99):.0f}",
                    verdict(p50, TARGET_US),
                )
            )
    print_table(rows, "live orders", "input", "p50 µs", "p99 µs", f"p50 ≤ {TARGET_US:.0f} µs")
