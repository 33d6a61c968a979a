"""What callers get wrong: status, code and field of each, nothing stored, and the desk goes on."""

import json
from typing import Any

import pytest
from tests.api.standins import BTC, Rig

GOOD: dict[str, Any] = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.5",
    "order_type": "LIMIT",
    "price": "50000.00",
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


BAD_FIELDS = [
    # change, code, field
    ({"instrument_key": "BINANCE-SPOT:SPOT_PAIR:XYZ-USDT"}, "unknown_instrument", "instrument_key"),
    ({"instrument_key": "KRAKEN:SPOT_PAIR:BTC-USDT"}, "unknown_venue", "instrument_key"),
    ({"instrument_key": "btc"}, "invalid_value", "instrument_key"),
    ({"instrument_key": 7}, "invalid_value", "instrument_key"),
    ({"colour": "red"}, "unknown_field", "colour"),
    ({"x" * 300: 1}, "unknown_field", "x" * 40 + "…"),
    ({"Side": "BUY"}, "unknown_field", "Side"),
    ({"side": "buy"}, "invalid_value", "side"),
    ({"side": None}, "invalid_value", "side"),
    ({"order_type": "STOP"}, "invalid_value", "order_type"),
    ({"time_in_force": "DAY"}, "invalid_value", "time_in_force"),
    ({"route": "FAST"}, "invalid_value", "route"),
    ({"exec_algorithm": "VWAP"}, "invalid_value", "exec_algorithm"),
    ({"quantity": "-1"}, "invalid_value", "quantity"),
    ({"quantity": "0"}, "invalid_value", "quantity"),
    ({"quantity": "-0"}, "invalid_value", "quantity"),
    ({"quantity": "0e5"}, "invalid_value", "quantity"),
    ({"quantity": "NaN"}, "invalid_value", "quantity"),
    ({"quantity": "sNaN"}, "invalid_value", "quantity"),
    ({"quantity": "Infinity"}, "invalid_value", "quantity"),
    ({"quantity": "-inf"}, "invalid_value", "quantity"),
    ({"quantity": "0.0000000000000000001"}, "invalid_value", "quantity"),
    ({"quantity": "1000000000000000000"}, "invalid_value", "quantity"),
    ({"quantity": "1e99"}, "invalid_value", "quantity"),
    ({"quantity": "1e999999999999"}, "invalid_value", "quantity"),
    ({"quantity": "9" * 60_000}, "invalid_value", "quantity"),
    ({"quantity": "1_000"}, "invalid_value", "quantity"),
    ({"quantity": " 1"}, "invalid_value", "quantity"),
    ({"quantity": "\uff11"}, "invalid_value", "quantity"),
    ({"quantity": "0x10"}, "invalid_value", "quantity"),
    ({"quantity": ""}, "invalid_value", "quantity"),
    ({"quantity": 0.5}, "invalid_value", "quantity"),
    ({"quantity": 1}, "invalid_value", "quantity"),
    ({"quantity": True}, "invalid_value", "quantity"),
    ({"quantity": None}, "invalid_value", "quantity"),
    ({"quantity": ["1"]}, "invalid_value", "quantity"),
    ({"price": "NaN"}, "invalid_value", "price"),
    ({"price": 50000.1}, "invalid_value", "price"),
    ({"price": "-1"}, "invalid_value", "price"),
    ({"price": None}, "missing_value", "price"),
    ({"order_type": "MARKET"}, "invalid_value", "price"),
    ({"trigger_price": "1"}, "unsupported", "trigger_price"),
    ({"max_slippage_bps": "10001", "order_type": "MARKET", "price": None}, "invalid_value",
     "max_slippage_bps"),
    ({"expire_time": 1}, "invalid_value", "expire_time"),
    ({"expire_time": "tomorrow", "time_in_force": "GTD"}, "invalid_value", "expire_time"),
    ({"time_in_force": "GTD"}, "missing_value", "expire_time"),
    ({"post_only": 1}, "invalid_value", "post_only"),
    ({"post_only": "true"}, "invalid_value", "post_only"),
    ({"post_only": True, "time_in_force": "IOC"}, "invalid_value", "post_only"),
    ({"account": "other"}, "unknown_account", "account"),
    ({"venues": "BINANCE-SPOT"}, "invalid_value", "venues"),
    ({"venues": [1]}, "invalid_value", "venues[0]"),
    ({"venues": ["OKX"]}, "invalid_value", "venues"),
    ({"exec_algorithm_params": {"a": 3}}, "unknown_field", "exec_algorithm_params.a"),
    ({"exec_algorithm_params": []}, "invalid_value", "exec_algorithm_params"),
    ({"metadata": {"a": 1}}, "invalid_value", "metadata[...]"),
    ({"metadata": {"a": "x" * 200}}, "invalid_value", "metadata"),
    ({"strategy_id": "a\u0000b"}, "invalid_value", "strategy_id"),
    ({"operation_id": "a/b"}, "invalid_value", "operation_id"),
    ({"operation_id": ""}, "invalid_value", "operation_id"),
    ({"operation_id": "x" * 65}, "invalid_value", "operation_id"),
    ({"operation_id": 5}, "invalid_value", "operation_id"),
]  # fmt: skip

DEEP = 30_000
BAD_BODIES = [
    (b"", 400, "malformed"),
    (b"{", 400, "malformed"),
    (b"{}x", 400, "malformed"),
    (b"[]", 400, "malformed"),
    (b"null", 400, "malformed"),
    (b'"text"', 400, "malformed"),
    (b"7", 400, "malformed"),
    (b"not json", 400, "malformed"),
    (b"\xff\xfe", 400, "malformed"),
    (b'{"operation_id":"\xff"}', 400, "malformed"),
    (b'{"operation_id":"\\ud800"}', 400, "malformed"),
    (b'{"quantity":NaN}', 400, "malformed"),
    (b'{"quantity":Infinity}', 400, "malformed"),
    (b'{"a":' * 9_000, 400, "malformed"),
    (b"[" * DEEP + b"]" * DEEP, 400, "malformed"),
    (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", 400, "malformed"),
    (b'{"metadata":' + b"9" * 60_000 + b"}", 400, "malformed"),
    (b"\x1f\x8b\x08\x00", 400, "malformed"),
    (b" " * 65_537, 413, "too_large"),
    (json.dumps({**GOOD, "metadata": {"a": "x" * 70_000}}).encode(), 413, "too_large"),
    (b'{"side":"BUY","side":"SELL"}', 422, "invalid_value"),
    (b'{"metadata":{"a":"1","a":"2"}}', 422, "invalid_value"),
]


async def refused_and_unharmed(rig: Rig, body: bytes) -> tuple[int, dict[str, Any]]:
    """Send a body that must be refused; return status and error, having checked the rest."""
    before = rig.stored()
    answer = await rig.client.post("/api/orders", content=body)
    assert rig.stored() == before, "something was stored or sent"
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "field", "text"}
    assert error["text"]
    assert "Traceback" not in answer.text
    assert len(answer.text) < 1_200, "the answer echoes what was sent at length"
    assert not rig.bugs
    good = await rig.client.post("/api/orders", json={**GOOD, "operation_id": "AFTER"})
    assert good.status_code == 202, "the desk does not go on"
    return answer.status_code, error


@pytest.mark.parametrize(("change", "code", "field"), BAD_FIELDS)
async def test_a_bad_field_is_named(rig: Rig, change: dict[str, Any], code: str, field: str):
    status, error = await refused_and_unharmed(rig, json.dumps({**GOOD, **change}).encode())
    assert (status, error["code"], error["field"]) == (422, code, field), error


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES)
async def test_a_bad_body_is_refused(rig: Rig, body: bytes, status: int, code: str):
    found, error = await refused_and_unharmed(rig, body)
    assert (found, error["code"]) == (status, code), error


@pytest.mark.parametrize(
    "name", ["operation_id", "instrument_key", "side", "quantity", "order_type"]
)
async def test_a_missing_field_is_named(rig: Rig, name: str):
    status, error = await refused_and_unharmed(rig, json.dumps(without(name)).encode())
    assert (status, error["code"], error["field"]) == (422, "missing_value", name)


ALLOWED_VALUES = [
    ("side", "LONG", ["BUY", "SELL"]),
    ("order_type", "STOP", ["MARKET", "LIMIT"]),
    ("time_in_force", "DAY", ["GTC", "IOC", "FOK", "GTD"]),
    ("route", "FAST", ["DIRECT", "SMART"]),
    ("exec_algorithm", "VWAP", ["NORMAL", "TWAP", "ICEBERG"]),
]


@pytest.mark.parametrize(("field", "value", "allowed"), ALLOWED_VALUES)
async def test_an_enumeration_lists_what_is_allowed(
    rig: Rig, field: str, value: str, allowed: list[str]
):
    answer = await rig.client.post("/api/orders", json={**GOOD, field: value})
    text = answer.json()["error"]["text"]
    assert value in text
    assert all(one in text for one in allowed), text


async def test_the_content_type_does_not_matter_and_neither_does_chunking(rig: Rig):
    async def pieces():
        body = json.dumps(GOOD).encode()
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/x; q="}):
        answer = await rig.client.post("/api/orders", content=pieces(), headers=headers)
        assert answer.status_code == 202


async def test_a_body_that_grows_too_large_is_not_read_to_its_end(rig: Rig):
    read = 0

    async def endless():
        nonlocal read
        while True:
            read += 8_192
            assert read < 10_000_000
            yield b" " * 8_192

    answer = await rig.client.post("/api/orders", content=endless())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert read <= 128 * 1024


BAD_REQUESTS = [
    ("GET", "/nope", None, 404, "not_found", None),
    ("GET", "/api/orders/", None, 404, "not_found", None),
    ("GET", "/api", None, 404, "not_found", None),
    ("PUT", "/api/orders", None, 405, "method_not_allowed", None),
    ("DELETE", "/api/orders/OP-1", None, 405, "method_not_allowed", None),
    ("GET", "/api/orders/OP-1/cancel", None, 405, "method_not_allowed", None),
    ("POST", "/api/positions", None, 405, "method_not_allowed", None),
    ("GET", "/api/orders/OP-404", None, 404, "unknown_order", "operation_id"),
    ("GET", "/api/orders/a%00b", None, 404, "unknown_order", "operation_id"),
    ("GET", "/api/orders/" + "x" * 3_000, None, 404, "unknown_order", "operation_id"),
    ("POST", "/api/orders/OP-404/cancel", b"", 404, "unknown_order", "operation_id"),
    ("POST", "/api/orders/a%20b/cancel", b"", 404, "unknown_order", "operation_id"),
    ("POST", "/api/orders/OP-1/cancel", b"[]", 400, "malformed", None),
    ("POST", "/api/orders/OP-1/cancel", b'{"why":""}', 422, "invalid_value", "why"),
    ("POST", "/api/orders/OP-1/cancel", b'{"why":"\\u0000"}', 422, "invalid_value", "why"),
    ("POST", "/api/orders/OP-1/cancel", b'{"reason":"x"}', 422, "unknown_field", "reason"),
    ("POST", "/api/orders/OP-4/children/1/resolve", b"{}", 422, "missing_value", "outcome"),
    ("POST", "/api/orders/OP-4/children/1/resolve", b'{"outcome":"filled","evidence":"x"}', 422,
     "invalid_value", "outcome"),
    ("POST", "/api/orders/OP-4/children/1/resolve", b'{"outcome":"absent","evidence":"x"}', 404,
     "unknown_order", "operation_id"),
    ("POST", "/api/trading-state", b'{"state":"on","why":"x"}', 422, "invalid_value", "state"),
    ("POST", "/api/trading-state", b'{"state":"halted"}', 422, "missing_value", "why"),
    ("GET", "/api/orders?limit=0", None, 422, "invalid_value", "limit"),
    ("GET", "/api/orders?limit=501", None, 422, "invalid_value", "limit"),
    ("GET", "/api/orders?limit=x", None, 422, "invalid_value", "limit"),
    ("GET", "/api/orders?live=maybe", None, 422, "invalid_value", "live"),
    ("GET", "/api/orders?state=NEW", None, 422, "invalid_value", "state"),
    ("GET", "/api/orders?before_ns=-1", None, 422, "invalid_value", "before_ns"),
    ("GET", "/api/orders?before_ns=99999999999999999999999", None, 422, "invalid_value",
     "before_ns"),
    ("GET", "/api/orders?colour=red", None, 422, "unknown_field", "colour"),
    ("GET", "/api/orders?strategy_id=a%00b", None, 422, "invalid_value", "strategy_id"),
    ("GET", "/api/orders?" + "a=1&" * 50, None, 422, "unknown_field", ""),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "field"), BAD_REQUESTS)
async def test_a_bad_request_is_refused_in_the_same_shape(
    rig: Rig, method: str, path: str, body: bytes | None, status: int, code: str, field: str | None
):
    before = rig.stored()
    answer = await rig.client.request(method, path, content=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == (code, field), error
    assert rig.stored() == before
    assert not rig.bugs


async def test_a_wrong_method_names_the_right_ones(rig: Rig):
    answer = await rig.client.request("PATCH", "/api/orders")
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_bug_of_the_desk_is_answered_without_its_details_and_reported(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    async def broken(command: object) -> None:
        raise RuntimeError("secret detail of the inside")

    monkeypatch.setattr(rig.desk, "execute", broken)
    answer = await rig.client.post("/api/orders", json=GOOD)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret detail" not in answer.text
    assert [str(bug) for bug in rig.bugs] == ["secret detail of the inside"]
    monkeypatch.undo()
    assert (await rig.client.post("/api/orders", json=GOOD)).status_code == 202


async def test_a_bug_of_a_page_is_answered_and_does_not_concern_the_desk(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("quarterdeck.api.desk_calls.books", lambda *_: 1 / 0)
    answer = await rig.client.get("/api/positions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "division" not in answer.text
    assert rig.bugs == []
    assert (await rig.client.get("/api/health")).status_code == 200
