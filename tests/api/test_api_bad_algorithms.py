"""Algorithms and routes that cannot be had: refused with the parameter, the value and the bound."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.api.standins import BTC, Rig
from tests.api.two_venues import PERP, two_venues

ORDER: dict[str, Any] = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.5",
    "order_type": "LIMIT",
    "price": "50020",
}
PARAMS = "exec_algorithm_params"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with two_venues(tmp_path) as running:
        yield running


def twap(**params: Any) -> dict[str, Any]:
    return {"exec_algorithm": "TWAP", PARAMS: {"horizon_secs": 300, "interval_secs": 10, **params}}


def iceberg(**params: Any) -> dict[str, Any]:
    return {"exec_algorithm": "ICEBERG", PARAMS: {"display_quantity": "0.1", **params}}


BAD = [
    # change, code, field, words of the text
    (twap(interval_secs=301), "invalid_value", f"{PARAMS}.interval_secs", ["301", "300"]),
    (twap(interval_secs="0.01"), "invalid_value", f"{PARAMS}.interval_secs", ["0.01", "0.1"]),
    (twap(interval_secs=0.5), "invalid_value", f"{PARAMS}.interval_secs", ["0.5", "string"]),
    (twap(interval_secs=[1]), "invalid_value", f"{PARAMS}.interval_secs", ["whole number"]),
    (twap(interval_secs=True), "invalid_value", f"{PARAMS}.interval_secs", ["boolean"]),
    (twap(horizon_secs=0), "invalid_value", f"{PARAMS}.horizon_secs", ["0", "1 to 604800"]),
    (twap(horizon_secs=604_801), "invalid_value", f"{PARAMS}.horizon_secs", ["604801", "604800"]),
    (twap(horizon_secs="x"), "invalid_value", f"{PARAMS}.horizon_secs", ["x", "1 to 604800"]),
    (twap(horizon_secs=604_800, interval_secs=1), "invalid_value", f"{PARAMS}.interval_secs",
     ["604800 slices", "at least"]),
    (twap(catch_up_max="10.01"), "invalid_value", f"{PARAMS}.catch_up_max", ["10.01", "1 to 10"]),
    (twap(size_variance_pct=51), "invalid_value", f"{PARAMS}.size_variance_pct", ["51", "0 to 50"]),
    (twap(seed="1.5"), "invalid_value", f"{PARAMS}.seed", ["1.5", "0 decimal places"]),
    (twap(speed=1), "unknown_field", f"{PARAMS}.speed", ["horizon_secs", "interval_secs"]),
    ({"exec_algorithm": "TWAP", PARAMS: {"interval_secs": 1}}, "missing_value",
     f"{PARAMS}.horizon_secs", ["1 to 604800"]),
    ({**twap(), "quantity": "0.0024"}, "slice_under_minimum", f"{PARAMS}.interval_secs",
     ["30 slices of 0.0024", "0.0001", "interval_secs of at least"]),
    ({**twap(), "time_in_force": "IOC"}, "invalid_value", "time_in_force", ["IOC", "GTC or GTD"]),
    ({**twap(), "post_only": True}, "invalid_value", "post_only", ["TWAP"]),
    ({"exec_algorithm": "VWAP"}, "invalid_value", "exec_algorithm",
     ["VWAP", "NORMAL, TWAP, ICEBERG"]),
    ({PARAMS: {"horizon_secs": 1}}, "unknown_field", f"{PARAMS}.horizon_secs", ["none"]),
    (iceberg(display_quantity="0.6"), "invalid_value", f"{PARAMS}.display_quantity",
     ["0.6", "0.5"]),
    (iceberg(display_quantity="0.000011"), "invalid_value", f"{PARAMS}.display_quantity",
     ["0.000011", "0.00001"]),
    (iceberg(display_quantity="0.00001"), "slice_under_minimum", f"{PARAMS}.display_quantity",
     ["0.00001", "0.0001"]),
    (iceberg(display_quantity="0"), "invalid_value", f"{PARAMS}.display_quantity", ["0"]),
    ({**iceberg(), "order_type": "MARKET", "price": None}, "invalid_value", "order_type",
     ["ICEBERG", "LIMIT"]),
    ({"route": "SMART", "venues": ["BINANCE-SPOT", "KRAKEN"]}, "unknown_venue", "venues",
     ["KRAKEN", "BINANCE-SPOT, OKX"]),
    ({"route": "SMART", "venues": ["OKX"]}, "invalid_value", "venues", ["BINANCE-SPOT"]),
    ({"route": "SMART", "venues": []}, "invalid_value", "venues", ["BINANCE-SPOT"]),
    ({"route": "SMART", "venues": ["BINANCE-SPOT", "OKX", "OKX"]}, "invalid_value", "venues",
     ["twice"]),
    ({"venues": ["BINANCE-SPOT", "OKX"]}, "invalid_value", "venues", ["SMART"]),
    ({"route": "SMART", "instrument_key": PERP, "price": "50000"}, "unsupported", "route",
     ["PERPETUAL", "DIRECT"]),
    ({"route": "SMART", "time_in_force": "FOK"}, "invalid_value", "time_in_force",
     ["IOC", "DIRECT"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "field", "words"), BAD)
async def test_a_bad_choice_is_named_with_its_bound(
    rig: Rig, change: dict[str, Any], code: str, field: str, words: list[str]
):
    before = rig.stored()
    answer = await rig.client.post("/api/orders", json={**ORDER, **change})
    error = answer.json().get("error")
    assert error is not None, answer.text
    assert (answer.status_code, error["code"], error["field"]) == (422, code, field), error
    assert all(word in error["text"] for word in words), error
    assert rig.stored() == before, "something was stored or sent"
    assert not rig.bugs
    preview = await rig.client.post("/api/preview", json={**ORDER, **change})
    assert (preview.status_code, preview.json()["error"]) == (422, error)
    good = await rig.client.post("/api/orders", json=ORDER)
    assert good.status_code == 202, "the id is taken or the desk does not go on"


async def test_an_amend_to_bad_parameters_is_refused_the_same_way(rig: Rig):
    await rig.client.post("/api/orders", json={**ORDER, **twap()})
    for change, code, field, words in BAD:
        if change.get("exec_algorithm") != "TWAP" or set(change) != {"exec_algorithm", PARAMS}:
            continue
        answer = await rig.client.post("/api/orders/OP-1/amend", json={PARAMS: change[PARAMS]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (422, code, field), error
        assert all(word in error["text"] for word in words), error


async def test_an_amend_to_slices_that_are_too_small_is_refused(rig: Rig):
    await rig.client.post("/api/orders", json={**ORDER, **twap()})
    body = {PARAMS: {"horizon_secs": 2_000, "interval_secs": "0.1"}}
    error = (await rig.client.post("/api/orders/OP-1/amend", json=body)).json()["error"]
    assert (error["code"], error["field"]) == ("slice_under_minimum", f"{PARAMS}.interval_secs")
