"""Many orders in one call: each by itself, in order, made durable together."""

import asyncio
import json
from typing import Any

import pytest
from tests.api.standins import BTC, Rig


def an_order(operation_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "operation_id": operation_id,
        "instrument_key": BTC,
        "side": "BUY",
        "quantity": "0.01",
        "order_type": "LIMIT",
        "price": "50000.00",
        **changes,
    }


async def sent(rig: Rig, orders: list[Any]) -> list[dict[str, Any]]:
    answer = await rig.client.post("/api/orders/batch", json={"orders": orders})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert not rig.bugs
    return results


async def test_each_is_answered_as_if_it_had_been_sent_alone(rig: Rig):
    await rig.client.post("/api/orders", json=an_order("OLD"))
    orders = [
        an_order("A"),
        an_order("B", quantity=0.5),
        an_order("C", price="60000"),
        "text",
        an_order("OLD", quantity="0.02"),
        an_order("a b"),
        an_order("D", colour="red"),
        an_order("E", metadata={"a": "x" * 66_000}),
        an_order("A", side="SELL"),
        an_order("OLD"),
        {},
        an_order("F"),
    ]
    results = await sent(rig, orders)
    assert [(row["operation_id"], row["status"]) for row in results] == [
        ("A", 202),
        ("B", 422),
        ("C", 202),
        (None, 400),
        ("OLD", 409),
        (None, 422),
        ("D", 422),
        ("E", 413),
        ("A", 409),
        ("OLD", 202),
        (None, 422),
        ("F", 202),
    ]
    for order, row in zip(orders, results, strict=True):
        alone = await rig.client.post("/api/orders", content=json.dumps(order))
        assert alone.status_code == row["status"]
        if row["error"] is not None:
            assert row["order"] is None
            assert alone.json()["error"] == row["error"]
        else:
            assert row["order"]["operation_id"] == order["operation_id"]
    assert results[2]["order"]["state"] == "denied"
    assert [child.operation_id for child in rig.gateway.children()] == ["OLD", "A", "F"]


async def test_all_are_handed_over_before_the_first_is_waited_for(rig: Rig):
    rig.record.stalled = True
    orders = [an_order(f"OP-{number:03}", quantity="0.001") for number in range(100)]
    call = asyncio.create_task(sent(rig, orders))
    await rig.settled(lambda: rig.desk.engine.pending == 100)
    assert not call.done()
    assert rig.gateway.children() == [], "nothing leaves before it is durable"
    rig.record.lose()
    assert {row["status"] for row in await call} == {503}


async def test_the_order_of_sending_is_the_order_of_deciding(rig: Rig):
    names = [f"OP-{number:03}" for number in range(100)]
    results = await sent(rig, [an_order(name, quantity="0.001") for name in names])
    assert [row["order"]["operation_id"] for row in results] == names
    assert [child.operation_id for child in rig.gateway.children()] == names


TWICE = b'{"orders":[' + json.dumps(an_order("A")).encode() + b'],"orders":[]}'
BAD = [
    (b"", 400, "malformed", None),
    (b"[]", 400, "malformed", None),
    (b"{", 400, "malformed", None),
    (b'{"orders":[{]}', 400, "malformed", None),
    (b'{"orders":[{"a":"\xff"}]}', 400, "malformed", None),
    (b'{"orders":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400, "malformed", None),
    (b"{}", 422, "missing_value", "orders"),
    (b'{"orders":[]}', 422, "invalid_value", "orders"),
    (b'{"orders":7}', 422, "invalid_value", "orders"),
    (b'{"orders":null}', 422, "invalid_value", "orders"),
    (b'{"orders":{}}', 422, "invalid_value", "orders"),
    (b'{"orders":[{}],"x":1}', 422, "unknown_field", "x"),
    (json.dumps({"orders": [an_order(f"N-{n}") for n in range(101)]}).encode(), 422,
     "invalid_value", "orders"),
    (TWICE, 422, "invalid_value", "orders"),
    (b" " * (1024 * 1024 + 1), 413, "too_large", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code", "field"), BAD)
async def test_a_body_that_is_no_batch_is_refused_whole(
    rig: Rig, body: bytes, status: int, code: str, field: str | None
):
    before = rig.stored()
    answer = await rig.client.post("/api/orders/batch", content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (status, code, field), error
    assert rig.stored() == before
    assert not rig.bugs


async def test_a_message_that_names_a_field_twice_harms_no_other(rig: Rig):
    good = json.dumps(an_order("A"))
    twice = good.replace('"side"', '"side": "SELL", "side"').replace('"A"', '"B"')
    body = f'{{"orders":[{twice},{good}]}}'
    answer = await rig.client.post("/api/orders/batch", content=body)
    first, second = answer.json()["results"]
    assert (first["status"], first["error"]["field"]) == (422, "side")
    assert second["status"] == 202


async def test_a_batch_may_be_larger_than_one_message(rig: Rig):
    text = {f"k{number}": "x" * 128 for number in range(16)}
    orders = [an_order(f"OP-{n}", quantity="0.001", metadata=text) for n in range(100)]
    assert len(json.dumps({"orders": orders})) > 200_000
    assert {row["status"] for row in await sent(rig, orders)} == {202}
