"""Plans that cannot be run are refused with a sentence that says what is allowed."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.nautilus.host.small_market import (
    BTC,
    OTHER_BTC,
    PERP,
    START_NS,
    ScriptedDesk,
    Tape,
    at,
    quiet_tape,
    venue_of,
)

from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.terms import Side
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostError, HostPlan, HostPorts

SPOT_AND_PERP = replace(
    venue_of(BTC),
    instruments=(BTC, replace(PERP, id="BINANCE-SPOT:PERPETUAL:BTC-USDT@LIN")),
)


def run(catalog: Path, **changes: Any) -> None:
    plan = HostPlan(
        venues=(venue_of(BTC),), catalog=str(catalog), start_ns=START_NS, end_ns=at(3000)
    )
    desks: list[ScriptedDesk] = []

    def make(ports: HostPorts) -> ScriptedDesk:
        desks.append(ScriptedDesk(ports, []))
        return desks[0]

    try:
        run_host(replace(plan, **changes), make, lambda now_ns: None)
    finally:
        assert not any(desk.finished_ns for desk in desks)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"end_ns": START_NS}, "end after its start"),
        ({"venues": ()}, "at least one venue"),
        ({"venues": (venue_of(BTC), venue_of(BTC))}, "simulated once"),
        (
            {"venues": (venue_of(BTC), replace(venue_of(OTHER_BTC), account="binance-spot-main"))},
            "account is simulated once",
        ),
        ({"venues": (replace(venue_of(BTC), instruments=()),)}, "no instruments"),
        ({"venues": (SPOT_AND_PERP,)}, "spot and derivatives"),
        ({"venues": (replace(venue_of(BTC), venue="OKX"),)}, "not an instrument of OKX"),
        (
            {
                "venues": (
                    replace(
                        venue_of(BTC), instruments=(replace(BTC, settlement=Settlement.LINEAR),)
                    ),
                )
            },
            "is not settled as",
        ),
        ({"venues": (venue_of(OTHER_BTC),)}, "BTC-USDT"),
        ({"venues": (venue_of(BTC), venue_of(OTHER_BTC))}, "convert its data first"),
        (
            {"venues": (venue_of(replace(BTC, tick_px=Decimal("0.1"))),)},
            "price_increment 0.01, the run wants 0.1",
        ),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(tmp_path: Path, changes: Any, text: str):
    quiet_tape().write(tmp_path)
    with pytest.raises(HostError, match=text):
        run(tmp_path, **changes)


@pytest.mark.parametrize("tape", [Tape(BTC), Tape(BTC).trade(2000, Side.BUY, "100", "1")])
def test_an_instrument_without_book_data_is_refused(tmp_path: Path, tape: Tape):
    tape.write(tmp_path)
    with pytest.raises(HostError, match=r"no market data between|No order book data"):
        run(tmp_path)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_window_on_a_day_without_data_is_refused(tmp_path: Path, days: int):
    quiet_tape().write(tmp_path)
    day_ms = days * 86_400_000
    with pytest.raises(HostError, match=r"no market data between|No order book data"):
        run(tmp_path, start_ns=at(day_ms), end_ns=at(day_ms + 3_000))


def test_a_catalog_may_be_named_relative_to_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    quiet_tape().write(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    plan = HostPlan(venues=(venue_of(BTC),), catalog="here", start_ns=START_NS, end_ns=at(3000))
    outcome = run_host(plan, lambda ports: ScriptedDesk(ports, []), lambda now_ns: None)
    assert outcome.book_updates == {BTC.id: 21}
