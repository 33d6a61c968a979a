"""A preview says what an order would do, and does nothing."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.standins import BTC, Rig
from tests.api.two_venues import OKX, OKX_ACCOUNT, two_venues

from quarterdeck.api.preview import PreviewAnswer
from quarterdeck.core.model.terms import OrderRequest

ORDER: dict[str, Any] = {
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "2.5",
    "order_type": "LIMIT",
    "price": "50020",
    "time_in_force": "IOC",
    "route": "SMART",
}
TWAP = {
    "exec_algorithm": "TWAP",
    "time_in_force": "GTC",
    "exec_algorithm_params": {"horizon_secs": 300, "interval_secs": "60"},
}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with two_venues(tmp_path) as running:
        yield running


async def previewed(rig: Rig, **changes: Any) -> PreviewAnswer:
    """Preview an order; nothing may have come of it."""
    before = rig.desk.engine.seq, rig.stored(), dict(rig.desk.engine.state.reserved)
    body = {name: value for name, value in {**ORDER, **changes}.items() if value is not None}
    headers = {"authorization": f"Bearer {rig.tokens['read']}"}
    answer = await rig.client.post("/api/preview", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    after = rig.desk.engine.seq, rig.stored(), dict(rig.desk.engine.state.reserved)
    assert after == before, "something was journaled, sent or reserved"
    assert rig.desk.engine.pending == 0
    return msgspec.json.decode(answer.content, type=PreviewAnswer)


async def test_a_smart_order_shows_its_route_alternatives_and_cost(rig: Rig):
    found = await previewed(rig)
    assert found.verdict.accepted
    assert (found.verdict.arrival_px, found.verdict.worst_px) == ("50000.5", "50020")
    assert [(leg.account, leg.quantity, leg.expected_px) for leg in found.legs] == [
        ("binance-main", "2", "50001"),
        (OKX_ACCOUNT, "0.5", "50003"),
    ]
    assert [(c.child_no, c.instrument_key, c.quantity) for c in found.children] == [
        (1, BTC, "2"),
        (2, OKX, "0.5"),
    ]
    assert {c.time_in_force for c in found.children} == {"IOC"}
    paid = Decimal(2) * 50001 * Decimal("1.001") + Decimal("0.5") * 50003 * Decimal("1.00099")
    expected_bps = (paid / (Decimal("2.5") * Decimal("50000.5")) - 1) * 10_000
    assert found.cost_bps is not None
    assert abs(Decimal(found.cost_bps) - expected_bps) < Decimal("1e-6")
    takes = {seen.venue: (seen.takes, seen.left_out) for seen in found.alternatives}
    assert takes == {"BINANCE-SPOT": ("2", None), "OKX": ("2.5", None)}
    assert found.best_single == OKX_ACCOUNT
    assert found.best_single_bps is not None
    assert Decimal(found.best_single_bps) > Decimal(found.cost_bps)


async def test_what_is_previewed_is_what_is_then_sent(rig: Rig):
    found = await previewed(rig)
    order = {**ORDER, "operation_id": "OP-1"}
    assert (await rig.client.post("/api/orders", json=order)).status_code == 202
    sent = [(c.child_no, c.account, c.quantity, c.limit_px, c.tif) for c in rig.gateway.children()]
    told = [
        (c.child_no, c.account, Decimal(c.quantity), Decimal(c.price or 0), c.time_in_force)
        for c in found.children
    ]
    assert told == sent


async def test_a_schedule_adds_up_to_the_quantity(rig: Rig):
    found = await previewed(rig, **TWAP)
    assert [(s.after_ns, s.quantity, s.cumulative) for s in found.schedule] == [
        (0, "0.5", "0.5"),
        (60_000_000_000, "0.5", "1"),
        (120_000_000_000, "0.5", "1.5"),
        (180_000_000_000, "0.5", "2"),
        (240_000_000_000, "0.5", "2.5"),
    ]
    assert [child.quantity for child in found.children] == ["0.5"]


async def test_the_id_fixes_the_variance(rig: Rig):
    params = {"horizon_secs": 300, "interval_secs": 60, "size_variance_pct": 50}
    varied = {**TWAP, "exec_algorithm_params": params}
    first = await previewed(rig, operation_id="OP-1", **varied)
    again = await previewed(rig, operation_id="OP-1", **varied)
    other = await previewed(rig, **varied)
    assert first.schedule == again.schedule
    assert first.operation_id == "OP-1"
    assert other.operation_id.startswith("preview-")
    assert first.schedule[-1].cumulative == other.schedule[-1].cumulative == "2.5"


async def test_what_risk_would_deny_is_the_verdict(rig: Rig):
    found = await previewed(rig, quantity="11")
    assert (found.verdict.accepted, found.verdict.code) == (False, "quantity_over_limit")
    assert found.verdict.text
    assert found.children == []


async def test_a_slice_that_would_wait_says_why(rig: Rig):
    found = await previewed(rig, **TWAP, price="49990")
    assert found.verdict.accepted
    assert found.children == []
    assert found.held is not None
    assert found.held.code == "no_venue"


async def test_a_direct_order_is_priced_too(rig: Rig):
    found = await previewed(rig, route=None, quantity="1", time_in_force=None)
    assert [leg.account for leg in found.legs] == ["binance-main"]
    assert found.cost_bps is not None
    assert found.best_single == "binance-main"


REFUSED = [
    ({"side": "LONG"}, 422, "invalid_value", "side"),
    ({"quantity": 1}, 422, "invalid_value", "quantity"),
    ({"operation_id": "a b"}, 422, "invalid_value", "operation_id"),
    ({"operation_id": None}, 422, "invalid_value", "operation_id"),
    ({"operation_id": "USED"}, 409, "id_reused", "operation_id"),
    ({"colour": "red"}, 422, "unknown_field", "colour"),
    ({"exec_algorithm": "TWAP"}, 422, "missing_value", "exec_algorithm_params.horizon_secs"),
    ({"exec_algorithm": "ICEBERG", "exec_algorithm_params": {"display_quantity": "3"}}, 422,
     "invalid_value", "time_in_force"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "status", "code", "field"), REFUSED)
async def test_what_submit_would_refuse_is_refused_in_the_same_words(
    rig: Rig, change: dict[str, Any], status: int, code: str, field: str
):
    used = {**ORDER, "operation_id": "USED", "quantity": "0.1"}
    assert (await rig.client.post("/api/orders", json=used)).status_code == 202
    before = rig.desk.engine.seq, rig.stored()
    answer = await rig.client.post("/api/preview", json={**ORDER, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (status, code, field), error
    if status == 422:
        submitted = {**ORDER, "operation_id": "OP-1", **change}
        assert (await rig.client.post("/api/orders", json=submitted)).json()["error"] == error
    assert (rig.desk.engine.seq, rig.stored()) == before


async def test_an_id_that_only_the_record_knows_is_taken(rig: Rig):
    order = {**ORDER, "operation_id": "OP-1", "quantity": "11"}
    assert (await rig.client.post("/api/orders", json=order)).json()["state"] == "denied"
    rig.desk.engine.state.evict("OP-1")
    answer = await rig.client.post("/api/preview", json=order)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "id_reused")


async def test_a_frozen_desk_previews_nothing(rig: Rig):
    rig.record.lose()
    answer = await rig.client.post("/api/preview", json=ORDER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "frozen")


def test_a_preview_message_is_an_order_message():
    request = msgspec.json.schema_components([OrderRequest])[1]["OrderRequest"]
    assert set(request["properties"]) == set(OrderRequest.__struct_fields__)
