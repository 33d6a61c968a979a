"""Why this venue, what it cost and how close to plan: the answers that an order's detail gives."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.api.standins import BTC, Rig
from tests.api.two_venues import OKX, OKX_ACCOUNT, two_venues

from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.facts import GatewayLost
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus

ORDER: dict[str, Any] = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "2.5",
    "order_type": "LIMIT",
    "price": "50020",
    "time_in_force": "IOC",
    "route": "SMART",
}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with two_venues(tmp_path) as running:
        yield running


async def taken(rig: Rig, **changes: Any) -> None:
    answer = await rig.client.post("/api/orders", json={**ORDER, **changes})
    assert (answer.status_code, answer.json()["state"]) == (202, "working"), answer.text


async def shown(rig: Rig) -> dict[str, Any]:
    answer = await rig.client.get("/api/orders/OP-1")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_routed_slice_tells_its_legs_alternatives_and_books(rig: Rig):
    await taken(rig)
    found = await shown(rig)
    assert found["order"]["venues"] == ["BINANCE-SPOT", "OKX"]
    assert [market["account"] for market in found["order"]["markets"]] == [
        "binance-main",
        OKX_ACCOUNT,
    ]
    [routed] = found["routing"]
    assert (routed["quantity"], routed["mid_px"]) == ("2.5", "50000.5")
    assert [(leg["venue"], leg["quantity"]) for leg in routed["legs"]] == [
        ("BINANCE-SPOT", "2"),
        ("OKX", "0.5"),
    ]
    assert routed["best_single"] == OKX_ACCOUNT
    assert Decimal(routed["cost_bps"]) < Decimal(routed["best_single_bps"])
    [event] = [event for event in found["events"] if event["event"] == "slice_routed"]
    assert (event["seq"], event["at_ns"]) == (routed["seq"], routed["at_ns"])
    for seen in routed["alternatives"]:
        assert seen["view"] in event["views"]
        book = await rig.client.get(f"/api/views/{seen['view']}")
        assert book.status_code == 200
        assert book.json()["instrument_key"] == seen["instrument_key"]
        assert book.json()["hash"] == seen["view"]
    okx = next(seen for seen in routed["alternatives"] if seen["instrument_key"] == OKX)
    book = (await rig.client.get(f"/api/views/{okx['view']}")).json()
    assert book["asks"] == [
        {"price": "50003", "quantity": "1"},
        {"price": "50010", "quantity": "3"},
    ]
    assert book["mid_px"] == "50001.5"


async def test_a_venue_that_was_left_out_says_why(rig: Rig):
    rig.desk.on_fact(GatewayLost(account=OKX_ACCOUNT, why=Reason.STREAM_STALE))
    accounts = rig.desk.engine.state.accounts
    await rig.settled(lambda: not accounts[OKX_ACCOUNT].gate_open)
    await taken(rig)
    [routed] = (await shown(rig))["routing"]
    reasons = {seen["venue"]: seen["left_out"] for seen in routed["alternatives"]}
    assert reasons == {"BINANCE-SPOT": None, "OKX": "account_not_ready"}
    assert [leg["venue"] for leg in routed["legs"]] == ["BINANCE-SPOT"]


async def test_a_direct_order_has_no_routing_and_names_the_book_it_saw(rig: Rig):
    await taken(rig, route="DIRECT")
    found = await shown(rig)
    assert found["routing"] == []
    assert found["order"]["venues"] == ["BINANCE-SPOT"]
    [name] = found["events"][0]["views"]
    assert (await rig.client.get(f"/api/views/{name}")).json()["instrument_key"] == BTC


@pytest.mark.parametrize("name", ["0" * 32, "x", "A" * 32, "0" * 31, "%00", "0" * 3_000])
async def test_a_book_that_is_not_kept_is_404(rig: Rig, name: str):
    answer = await rig.client.get(f"/api/views/{name}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (404, "not_found", "hash")
    assert len(error["text"]) < 200


async def test_a_book_cannot_be_shown_while_the_record_cannot_be_read(rig: Rig):
    rig.record.lose()
    answer = await rig.client.get(f"/api/views/{'0' * 32}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "frozen")


async def test_what_an_order_cost_is_told_with_it_and_in_lists(rig: Rig):
    await taken(rig)
    assert (await shown(rig))["order"]["cost"] is None
    for child, px in zip(rig.gateway.children(), ("50001", "50003"), strict=True):
        rig.fill(child, str(child.quantity), px, child.client_order_id)
    await rig.settled(lambda: rig.record.parents["OP-1"].status is ParentStatus.FILLED)
    cost = (await shown(rig))["order"]["cost"]
    # 2 at 50001 and 0.5 at 50003 against 50000.5; two fees of 0.1 USDT.
    assert (cost["arrival_px"], cost["avg_px"]) == ("50000.5", "50001.4")
    slippage_bps = (Decimal("50001.4") / Decimal("50000.5") - 1) * 10_000
    fees_bps = Decimal("0.2") / (Decimal("2.5") * Decimal("50000.5")) * 10_000
    assert abs(Decimal(cost["slippage_bps"]) - slippage_bps) < Decimal("1e-8")
    assert abs(Decimal(cost["fees_bps"]) - fees_bps) < Decimal("1e-8")
    assert Decimal(cost["shortfall_bps"]) == Decimal(cost["slippage_bps"]) + Decimal(
        cost["fees_bps"]
    )
    assert (cost["fees"], cost["fees_unconverted"], cost["filled_share"]) == ("0.2", {}, "1")
    [listed] = (await rig.client.get("/api/orders")).json()["orders"]
    assert listed["cost"] == cost


async def test_an_order_in_an_instrument_that_is_gone_is_shown_without_its_cost(rig: Rig):
    params = {"horizon_secs": 100, "interval_secs": 50}
    gtc = {"time_in_force": "GTC", "exec_algorithm": "TWAP", "exec_algorithm_params": params}
    await taken(rig, **gtc)
    [child] = rig.gateway.children()
    rig.fill(child, str(child.quantity), "50001", "T1")
    await rig.settled(lambda: rig.record.fills)
    del rig.desk.engine.state.instruments[BTC]
    found = await shown(rig)
    assert (found["order"]["cost"], found["schedule_error"]) == (None, None)


async def test_the_distance_from_a_schedule_is_told(rig: Rig):
    params = {"horizon_secs": 100, "interval_secs": 50}
    gtc = {"time_in_force": "GTC", "exec_algorithm": "TWAP", "exec_algorithm_params": params}
    await taken(rig, quantity="2", **gtc)
    [child] = rig.gateway.children()
    assert child.quantity == 1
    rig.clock.at_ns += 10_000_000_000
    rig.fill(child, "1", "50001", "T1")
    await rig.settled(lambda: rig.record.fills)
    rig.clock.at_ns += 10_000_000_000
    found = (await shown(rig))["schedule_error"]
    # Half of the quantity was missing for 10 of the 20 seconds since acceptance.
    assert abs(Decimal(found["mean_bps"]) - 2_500) < Decimal("0.1")
    assert found["max_bps"] == "5000"
    assert found["until_ns"] - found["from_ns"] > 20_000_000_000


async def test_an_order_without_a_schedule_has_no_distance_from_it(rig: Rig):
    await taken(rig)
    assert (await shown(rig))["schedule_error"] is None


async def test_a_held_slice_says_why(rig: Rig):
    params = {"horizon_secs": 100, "interval_secs": 50}
    gtc = {"time_in_force": "GTC", "exec_algorithm": "TWAP", "exec_algorithm_params": params}
    await taken(rig, price="49990", **gtc)
    order = (await shown(rig))["order"]
    assert (order["state"], order["held"]) == ("working", "no_venue")
    assert "binance-main" in order["detail"]


SENT_PARAMS = [
    ("TWAP", {"horizon_secs": "300.5", "interval_secs": 10}),
    (
        "TWAP",
        {
            "horizon_secs": 300,
            "interval_secs": "0.25",
            "size_variance_pct": "12.5",
            "time_variance_pct": 30,
            "catch_up_max": "2.50",
            "seed": 2**53,
        },
    ),
    ("ICEBERG", {"display_quantity": "0.5"}),
    (
        "ICEBERG",
        {
            "display_quantity": "0.25000",
            "display_variance_pct": 20,
            "refill_delay_secs": "1.5",
            "seed": 7,
        },
    ),
]


@pytest.mark.parametrize(("algorithm", "params"), SENT_PARAMS)
async def test_parameters_are_shown_as_they_can_be_sent_again(
    rig: Rig, algorithm: str, params: dict[str, Any]
):
    await taken(
        rig,
        exec_algorithm=algorithm,
        exec_algorithm_params=params,
        time_in_force="GTC",
        route="DIRECT",
    )
    told = (await shown(rig))["order"]["exec_algorithm_params"]
    kind = KINDS[Algorithm(algorithm)]
    assert set(told) == {parameter.name for parameter in kind.parameters}
    assert kind.read(told) == kind.read(params) == rig.record.parents["OP-1"].terms.params


async def test_the_algorithms_are_listed_with_their_parameters(rig: Rig):
    listed = (await rig.client.get("/api/algorithms")).json()["algorithms"]
    assert [one["name"] for one in listed] == [name.value for name in KINDS]
    twap = next(one for one in listed if one["name"] == "TWAP")
    assert twap["parameters"]["required"] == ["horizon_secs", "interval_secs"]
    assert twap["parameters"]["properties"]["seed"]["default"] == 0
    assert twap["text"]
