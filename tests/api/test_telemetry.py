"""Figures are what happened, and secrets stay out of the log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.api.standins import ACCOUNT, BTC, Rig

from quarterdeck.telemetry.logging import configure
from quarterdeck.telemetry.metrics import METRICS, Figures, Kind, Metrics

ORDER = {
    "operation_id": "OP-1",
    "instrument_key": BTC,
    "side": "BUY",
    "quantity": "0.5",
    "order_type": "LIMIT",
    "price": "50000",
}


async def scraped(rig: Rig) -> dict[str, float]:
    answer = await rig.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_what_happens_is_counted(rig: Rig):
    before = await scraped(rig)
    await rig.client.post("/api/orders", json=ORDER)
    await rig.client.post("/api/orders", json={**ORDER, "quantity": "0.6"})
    await rig.client.post("/api/orders", json={**ORDER, "operation_id": "OP-2", "price": "60000"})
    [child] = rig.gateway.children()
    rig.acknowledge(child)
    rig.fill(child, "0.5", "50000", "T1")
    await rig.settled(lambda: rig.record.fills)
    await rig.client.get("/api/health", headers={"authorization": ""})
    after = await scraped(rig)
    expected = {
        'quarterdeck_orders_total{verdict="accepted"}': 1,
        'quarterdeck_orders_total{verdict="denied"}': 1,
        'quarterdeck_denials_total{code="price_outside_collar"}': 1,
        'quarterdeck_refusals_total{code="id_reused"}': 1,
        'quarterdeck_orders_finished_total{state="filled"}': 1,
        f'quarterdeck_fills_total{{account="{ACCOUNT}"}}': 1,
        'quarterdeck_child_events_total{event="child_created"}': 1,
        'quarterdeck_child_events_total{event="child_filled"}': 1,
        'quarterdeck_decisions_total{kind="submit_order"}': 3,
        'quarterdeck_http_requests_total{method="POST",route="/api/orders",status="202"}': 2,
        'quarterdeck_http_requests_total{method="POST",route="/api/orders",status="409"}': 1,
        "quarterdeck_auth_failures_total": 1,
        "quarterdeck_commit_seconds_count": 4,
    }
    moved = {name: after.get(name, 0) - before.get(name, 0) for name in expected}
    assert moved == expected
    gauges = {
        f'quarterdeck_gate_open{{account="{ACCOUNT}"}}': 1,
        f'quarterdeck_gateway_up{{account="{ACCOUNT}"}}': 1,
        'quarterdeck_trading_state{state="active"}': 1,
        'quarterdeck_trading_state{state="halted"}': 0,
        "quarterdeck_frozen": 0,
        "quarterdeck_pending_entries": 0,
        "quarterdeck_live_orders": 0,
        'quarterdeck_info{version="test"}': 1,
    }
    assert {name: after[name] for name in gauges} == gauges


async def test_every_published_name_is_in_the_list(rig: Rig):
    await rig.client.post("/api/orders", json=ORDER)
    text = (await rig.client.get("/metrics")).text
    published = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert published == {metric.published for metric in METRICS}
    assert all(f"# HELP {metric.published} {metric.help}" in text for metric in METRICS)


def test_the_list_is_well_formed():
    names = [metric.published for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.help.endswith(".")
        assert metric.name.endswith("_seconds") is (metric.unit == "seconds")
        assert bool(metric.buckets_s) is (metric.kind is Kind.HISTOGRAM)


def test_a_gauge_forgets_what_is_no_longer_there():
    metrics = Metrics("test")
    metrics.show(Figures(values={"gate_open": {("a",): 1, ("b",): 0}, "frozen": {(): 1}}))
    metrics.show(Figures(values={"gate_open": {("b",): 1}, "frozen": {(): 0}}))
    lines = metrics.render().decode().splitlines()
    assert [line for line in lines if line.startswith("quarterdeck_gate_open{")] == [
        'quarterdeck_gate_open{account="b"} 1.0'
    ]
    assert "quarterdeck_frozen 0.0" in lines


def test_a_figure_that_is_not_in_the_list_cannot_be_counted():
    with pytest.raises(KeyError):
        Metrics("test").count("made_up")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    before = logging.getLogger().handlers, logging.getLogger().level
    stream = io.StringIO()
    configure("info", stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers, level = before[0], before[1]
    logging.getLogger().setLevel(level)


SECRET = "5ec2e7" * 10 + "abcd"
TOKEN = f"qd_bot_{SECRET}"


def test_secrets_stay_out_of_the_log(written: io.StringIO):
    log = structlog.get_logger("test")
    log.info("x", authorization=f"Bearer {TOKEN}", url=f"postgresql://quarterdeck:{SECRET}@h/db")
    nested = {"password": SECRET, "list": [TOKEN, {"api_key": SECRET}]}
    log.info("x", text=f"called with {TOKEN}", nested=nested)
    log.info("x", headers=[(b"authorization", f"Bearer {TOKEN}".encode())], dsn=SECRET)
    log.error("failed", exc_info=ValueError(f"no key {TOKEN}"))
    library = logging.getLogger("some.library")
    library.warning("Authorization: Bearer %s", TOKEN)
    library.error("it broke", exc_info=ValueError(TOKEN))
    library.error("sent Authorization: Bearer %s", SECRET)
    library.error("sent authorization: basic %s", SECRET)
    text = written.getvalue()
    assert len(text.splitlines()) == 8
    assert SECRET not in text
    assert "qd_bot_***" in text, "which key it was may be known"


def test_the_log_is_one_json_object_per_line_with_time_and_level(written: io.StringIO):
    structlog.get_logger("test").warning("alert", code="frozen", count=3, nothing=None)
    logging.getLogger("uvicorn.error").info("started")
    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert (first["event"], first["level"], first["code"]) == ("alert", "warning", "frozen")
    assert (first["count"], first["nothing"]) == (3, None)
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"]) == ("started", "info")


def test_what_is_below_the_level_is_not_written(written: io.StringIO):
    structlog.get_logger("test").debug("noise")
    assert written.getvalue() == ""
    with pytest.raises(ValueError, match="debug, info, warning, error, critical"):
        configure("loud")


async def test_a_failed_call_does_not_log_what_was_sent(rig: Rig, written: io.StringIO):
    await rig.client.get("/api/health", headers={"authorization": f"Bearer {TOKEN}"})
    assert "unauthenticated" in written.getvalue()
    assert SECRET not in written.getvalue()
    assert TOKEN not in written.getvalue()
