"""One busy script over a catalog, and a hash of every fact; arguments are folder and chunk."""

import hashlib
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
from tests.nautilus.host.small_market import (
    BTC,
    INVERSE,
    OTHER_BTC,
    PERP,
    START_NS,
    ScriptedDesk,
    Step,
    at,
    buy,
    cancel,
    sell,
    snapshot,
    venue_of,
)

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.terms import TimeInForce
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostPlan, HostPorts

INSTRUMENTS = (BTC, OTHER_BTC, PERP, INVERSE)


def script() -> list[Step]:
    """Return orders at all venues, many of them at the same instants."""
    steps: list[Step] = []
    for number, ms in enumerate(range(1500, 7500, 50)):
        for instrument in INSTRUMENTS:
            here, name = {"instrument": instrument.id}, f"{instrument.venue[:9]}{number}"
            send = buy if number % 3 else sell
            match number % 4:
                case 0:
                    steps.append((ms, send(name, "1", None, **here)))
                case 1:
                    steps.append((ms, send(name, "1", "100.5", **here)))
                case 2:
                    steps.append((ms, buy(name, "1", "100", tif=TimeInForce.GTC, **here)))
                    steps.append((ms + 120, cancel(name, instrument)))
                case _:
                    steps.append((ms, snapshot(instrument)))
    return steps


def play_and_hash(catalog: Path, chunk_size: int | None) -> str:
    funds = {"BTC": Decimal(1000), "USDT": Decimal(10**6)}
    venues = []
    for instrument in INSTRUMENTS:
        opening = funds if instrument.settlement == "spot" else {instrument.settle: Decimal(10**6)}
        venues.append(venue_of(instrument, opening))
    plan = HostPlan(
        venues=tuple(venues),
        catalog=str(catalog),
        start_ns=START_NS,
        end_ns=at(9000),
        chunk_size=chunk_size,
    )
    desks: list[ScriptedDesk] = []

    def make(ports: HostPorts) -> ScriptedDesk:
        desks.append(ScriptedDesk(ports, script()))
        return desks[0]

    run_host(plan, make, lambda now_ns: None)
    facts = desks[0].facts
    assert len(desks[0].of(f.Trade)) > 200, "too quiet a script to prove anything"
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).hexdigest()


if __name__ == "__main__":
    print(play_and_hash(Path(sys.argv[1]), int(sys.argv[2]) or None))  # noqa: T201 - its answer
