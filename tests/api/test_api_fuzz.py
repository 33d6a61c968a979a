"""Whatever is sent, the API says what is wrong with it and never that something broke inside."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.standins import BTC, Rig, running_desk

from quarterdeck.core.desk.amendment import AmendRequest
from quarterdeck.core.model.terms import OrderRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)
GOOD: dict[str, Any] = {
    "operation_id": "F-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.01",
    "order_type": "LIMIT",
    "price": "50000.00",
}
NAMES = st.sampled_from(OrderRequest.__struct_fields__) | st.text(max_size=12)
NEARLY = st.builds(
    lambda changes, drop: {k: v for k, v in {**GOOD, **changes}.items() if k not in drop},
    st.dictionaries(NAMES, JSON | st.sampled_from(["GTD", "IOC", "MARKET", "1e5", "NaN"])),
    st.sets(st.sampled_from(sorted(GOOD)), max_size=1),
)
AMENDS = st.dictionaries(
    st.sampled_from(AmendRequest.__struct_fields__), JSON | st.sampled_from(["0.5", "1e5", "NaN"])
)
BATCHES = st.lists(NEARLY | JSON, max_size=4).map(lambda orders: {"orders": orders})
BODIES = (
    st.binary(max_size=200)
    | AMENDS.map(lambda value: json.dumps(value).encode())
    | BATCHES.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value).encode())
)
PATHS = st.sampled_from(
    [
        "/api/orders",
        "/api/orders/F-1/cancel",
        "/api/orders/F-1/amend",
        "/api/orders/F-1/pause",
        "/api/orders/F-1/resume",
        "/api/orders/F-1/expire",
        "/api/orders/batch",
        "/api/preview",
        "/api/orders/F-1/children/1/resolve",
        "/api/trading-state",
    ]
)
QUERIES = st.dictionaries(
    st.sampled_from(["live", "state", "limit", "before_ns", "before_id", "strategy_id", "x"]),
    st.text(max_size=20) | st.integers().map(str),
    max_size=4,
)


async def check(rig: Rig, method: str, path: str, body: bytes, query: dict[str, str]) -> None:
    answer = await rig.client.request(method, path, content=body, params=query)
    assert not rig.bugs, rig.bugs
    assert answer.status_code < 500, answer.text
    told = answer.json()
    if answer.status_code >= 400:
        assert set(told["error"]) == {"code", "field", "text"}


def test_random_requests_are_answered_and_never_break_the_desk():
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        desk = running_desk(Path(folder))
        rig = runner.run(desk.__aenter__())

        @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
        @given(path=PATHS, body=BODIES)
        def posts(path: str, body: bytes) -> None:
            runner.run(check(rig, "POST", path, body, {}))

        @settings(max_examples=100, deadline=None)
        @given(query=QUERIES, path=st.sampled_from(["/api/orders", "/api/orders/F-1"]))
        def gets(query: dict[str, str], path: str) -> None:
            runner.run(check(rig, "GET", path, b"", query))

        posts()
        gets()
        alive = runner.run(rig.client.get("/api/health"))
        assert alive.status_code == 200
        runner.run(desk.__aexit__(None, None, None))
