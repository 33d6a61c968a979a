"""A live order is amended, paused, resumed and expired through the API."""

from decimal import Decimal
from typing import Any

import pytest
from tests.api.standins import BTC, Rig

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.intents import SendCancel
from quarterdeck.core.model.status import ChildStatus, ParentStatus

ORDER: dict[str, Any] = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.5",
    "order_type": "LIMIT",
    "price": "50000.00",
}


async def taken(rig: Rig, **changes: Any) -> None:
    answer = await rig.client.post("/api/orders", json={**ORDER, **changes})
    assert (answer.status_code, answer.json()["state"]) == (202, "working"), answer.text


async def resting(rig: Rig) -> ChildOrder:
    """Take the order and return its child once the venue has it."""
    await taken(rig)
    [child] = rig.gateway.children()
    rig.acknowledge(child)
    children = rig.desk.engine.state.children
    await rig.settled(lambda: children[child.client_order_id].status is ChildStatus.WORKING)
    return child


async def steered(rig: Rig, call: str, body: Any = None, *, code: int = 202) -> dict[str, Any]:
    answer = await rig.client.post(f"/api/orders/OP-1/{call}", json=body or {})
    assert answer.status_code == code, answer.text
    found: dict[str, Any] = answer.json()
    return found


def canceled(rig: Rig) -> list[str]:
    return [
        command.client_order_id for command in rig.gateway.sent if isinstance(command, SendCancel)
    ]


async def shown(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = (await rig.client.get("/api/orders/OP-1")).json()
    return found


async def test_an_amend_upwards_sends_what_was_added(rig: Rig):
    await resting(rig)
    ack = await steered(rig, "amend", {"quantity": "0.70"})
    assert (ack["state"], ack["quantity"], ack["durable"]) == ("working", "0.7", True)
    assert [child.quantity for child in rig.gateway.children()] == [Decimal("0.5"), Decimal("0.2")]
    assert canceled(rig) == []


async def test_an_amend_downwards_cancels_the_excess_and_keeps_what_is_filled(rig: Rig):
    child = await resting(rig)
    rig.fill(child, "0.2", "50000", "T1")
    await rig.settled(lambda: rig.record.fills)
    under = await steered(rig, "amend", {"quantity": "0.1"}, code=422)
    assert under["error"]["code"] == "quantity_under_filled"
    assert under["error"]["field"] == "quantity"
    assert "0.2" in under["error"]["text"]
    assert (await steered(rig, "amend", {"quantity": "0.3"}))["leaves"] == "0.1"
    assert canceled(rig) == [child.client_order_id]


async def test_a_new_price_replaces_what_is_out_once_it_is_gone(rig: Rig):
    old = await resting(rig)
    await steered(rig, "amend", {"price": "49990.00"})
    assert canceled(rig) == [old.client_order_id]
    assert len(rig.gateway.children()) == 1, "the old order still counts"
    rig.close(old)
    await rig.settled(lambda: len(rig.gateway.children()) == 2)
    new = rig.gateway.children()[-1]
    assert (new.quantity, new.limit_px) == (Decimal("0.5"), Decimal(49990))
    order = (await shown(rig))["order"]
    assert (order["price"], order["state"]) == ("49990", "working")


REFUSED_AMENDS = [
    # body, status, code, field
    ({}, 422, "nothing_to_amend", None),
    ({"quantity": "0.5"}, 422, "nothing_to_amend", None),
    ({"quantity": 0.5}, 422, "invalid_value", "quantity"),
    ({"quantity": "-1"}, 422, "invalid_value", "quantity"),
    ({"quantity": "0"}, 422, "invalid_value", "quantity"),
    ({"quantity": "NaN"}, 422, "invalid_value", "quantity"),
    ({"quantity": "1e99"}, 422, "invalid_value", "quantity"),
    ({"quantity": "0.4000001"}, 422, "quantity_off_lot", "quantity"),
    ({"quantity": "11"}, 422, "quantity_over_limit", None),
    ({"price": "60000"}, 422, "price_outside_collar", None),
    ({"price": "50000.001"}, 422, "price_off_tick", None),
    ({"price": True}, 422, "invalid_value", "price"),
    ({"expire_time": "2030-01-01T00:00:00Z"}, 422, "invalid_value", "expire_time"),
    ({"expire_time": ""}, 422, "invalid_value", "expire_time"),
    ({"max_slippage_bps": "5"}, 422, "invalid_value", "max_slippage_bps"),
    ({"exec_algorithm_params": {"horizon_secs": 3}}, 422, "unknown_field",
     "exec_algorithm_params.horizon_secs"),
    ({"exec_algorithm_params": {"a": 0.5}}, 422, "invalid_value", "exec_algorithm_params.a"),
    ({"side": "SELL"}, 422, "unknown_field", "side"),
    ([], 400, "malformed", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code", "field"), REFUSED_AMENDS)
async def test_an_amend_that_cannot_be_is_refused_and_changes_nothing(
    rig: Rig, body: Any, status: int, code: str, field: str | None
):
    await taken(rig)
    before = rig.stored()
    answer = await rig.client.post("/api/orders/OP-1/amend", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), error
    assert error["field"] == field or field is None
    assert rig.stored() == before
    assert not rig.bugs


async def test_a_paused_order_sends_nothing_and_goes_on_when_resumed(rig: Rig):
    child = await resting(rig)
    assert (await steered(rig, "pause", {"why": "lunch"}))["state"] == "paused"
    assert canceled(rig) == [child.client_order_id]
    rig.close(child)
    await rig.settled(lambda: not rig.record.parents["OP-1"].open_children)
    listed = (await rig.client.get("/api/orders", params={"live": "true"})).json()["orders"]
    assert [(row["operation_id"], row["state"]) for row in listed] == [("OP-1", "paused")]
    assert (await steered(rig, "pause"))["state"] == "paused", "asking again is harmless"
    assert (await steered(rig, "amend", {"quantity": "0.4"}))["state"] == "paused"
    assert len(rig.gateway.children()) == 1
    assert (await steered(rig, "resume"))["state"] == "working"
    assert [one.quantity for one in rig.gateway.children()] == [Decimal("0.5"), Decimal("0.4")]
    events = [(e["event"], e["data"].get("why")) for e in (await shown(rig))["events"]]
    assert ("parent_paused", "lunch") in events
    assert [name for name, _ in events if name.startswith("parent_")] == [
        "parent_accepted",
        "parent_paused",
        "parent_amended",
        "parent_resumed",
    ]


async def test_an_expired_order_ends_as_expired(rig: Rig):
    child = await resting(rig)
    assert (await steered(rig, "expire", {"why": "the close"}))["state"] == "canceling"
    conflict = await steered(rig, "amend", {"quantity": "0.7"}, code=409)
    assert conflict["error"]["code"] == "already_canceling"
    for call in ("pause", "resume", "expire"):
        assert (await steered(rig, call, code=409))["error"]["code"] == "already_canceling"
    rig.close(child)
    await rig.settled(lambda: rig.record.parents["OP-1"].status is ParentStatus.EXPIRED)


async def test_only_a_paused_order_can_be_resumed(rig: Rig):
    await taken(rig)
    refused = await steered(rig, "resume", code=409)
    assert refused["error"]["code"] == "not_paused"
    assert "working" in refused["error"]["text"]


@pytest.mark.parametrize("call", ["amend", "pause", "resume", "expire"])
async def test_a_finished_order_is_no_longer_steered_wherever_it_is(rig: Rig, call: str):
    await taken(rig)
    [child] = rig.gateway.children()
    rig.fill(child, "0.5", "50000", "T1")
    await rig.settled(lambda: rig.record.parents["OP-1"].status is ParentStatus.FILLED)
    for where in ("memory", "record"):
        refused = await steered(rig, call, code=409)
        assert refused["error"]["code"] == "already_finished", where
        rig.desk.engine.state.parents.pop("OP-1", None)


@pytest.mark.parametrize("call", ["amend", "pause", "resume", "expire"])
async def test_an_order_that_is_not_there_is_404(rig: Rig, call: str):
    for name in ("OP-9", "a%20b", "x" * 65):
        answer = await rig.client.post(f"/api/orders/{name}/{call}", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_order")
    headers = {"authorization": f"Bearer {rig.tokens['read']}"}
    forbidden = await rig.client.post(f"/api/orders/OP-1/{call}", json={}, headers=headers)
    assert forbidden.status_code == 403


@pytest.mark.parametrize("call", ["amend", "pause", "resume", "expire"])
async def test_a_frozen_desk_steers_nothing(rig: Rig, call: str):
    await taken(rig)
    rig.record.lose()
    refused = await steered(rig, call, {"quantity": "0.6"} if call == "amend" else {}, code=503)
    assert refused["error"]["code"] == "frozen"


@pytest.mark.parametrize(
    ("call", "body", "code", "field"),
    [
        ("pause", {"why": ""}, "invalid_value", "why"),
        ("pause", {"because": "x"}, "unknown_field", "because"),
        ("expire", {"why": "a\nb"}, "invalid_value", "why"),
        ("resume", {"why": "x"}, "unknown_field", "why"),
    ],
)
async def test_a_bad_wish_is_refused(rig: Rig, call: str, body: Any, code: str, field: str):
    await taken(rig)
    error = (await steered(rig, call, body, code=422))["error"]
    assert (error["code"], error["field"]) == (code, field)
