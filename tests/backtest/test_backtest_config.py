"""What a configuration may say: every refusal names its place, and a good one survives a round."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.backtest import recorded_day
from tests.backtest.recorded_day import PERPETUAL, SPOT, instrument, venue

from quarterdeck.backtest.config import encode_config
from quarterdeck.backtest.config_file import read_config, understand_config
from quarterdeck.backtest.fault import Fault, FaultsError
from quarterdeck.backtest.run_folder import config_hash

ROOT = Path("/nowhere")
LIMITS = recorded_day.LIMITS


def faults_of(document: dict[str, Any] | bytes) -> list[Fault]:
    body = document if isinstance(document, bytes) else recorded_day.encoded(document)
    with pytest.raises(FaultsError) as raised:
        understand_config(body, source="test", folder=ROOT)
    return raised.value.faults


def with_venue(**changes: Any) -> dict[str, Any]:
    return {"venues": [venue(**changes)], "limits": {}}


def with_instrument(**changes: Any) -> dict[str, Any]:
    return with_venue(instruments=[instrument(**changes)])


REFUSALS = [
    ({"start": "2024-03-01"}, "start", "RFC 3339"),
    ({"end": "2024-02-01T00:00:00Z"}, "end", "not after the start"),
    ({"end": "2024-03-01T00:00:00Z"}, "end", "not after the start"),
    ({"view_levels": 0}, "view_levels", "1 to"),
    ({"chunk_size": 0}, "chunk_size", "1 or more"),
    ({"equity_interval_ms": 0}, "equity_interval_ms", "1 or more"),
    ({"mode": "slow"}, "mode", "Invalid enum value"),
    ({"data_folder": ""}, "data_folder", "is empty"),
    ({"catalog_folder": "~no-such-user/x"}, "catalog_folder", "home"),
    ({"venues": []}, "venues", "at least one"),
    ({"orders_file": "orders.jsonl"}, "orders_file", "not both"),
    ({"orders": None}, "orders_file", "not both"),
    ({"surprise": 1}, "", "surprise"),
    ({"limits": {"X:SPOT_PAIR:A-B": LIMITS}}, "limits.X:SPOT_PAIR:A-B", "no venue lists"),
    (
        {"limits": {SPOT: LIMITS | {"collar_bps": "-1"}}},
        f"limits.{SPOT}.collar_bps",
        "below zero",
    ),
    (
        {"limits": {SPOT: LIMITS | {"reference_age_ms_max": 0}}},
        f"limits.{SPOT}.reference_age_ms_max",
        "1 or more",
    ),
    ({"limits": {SPOT: LIMITS | {"extra": 1}}}, "limits[...]", "extra"),
    (with_venue(venue="A/../B"), "venues[0].venue", "1 to 64 characters"),
    (with_venue(account=""), "venues[0].account", "1 to 64 characters"),
    (with_venue(maker_fee_bps="5000"), "venues[0].maker_fee_bps", "-1000 to 1000"),
    (with_venue(taker_fee_bps="NaN"), "venues[0].taker_fee_bps", "-1000 to 1000"),
    (with_venue(insert_latency_ms=-1), "venues[0].insert_latency_ms", "0 to"),
    (with_venue(balances={"USDT": "-5"}), "venues[0].balances.USDT", "below zero"),
    (with_venue(balances={"USDT": "1e30"}), "venues[0].balances.USDT", "1e18"),
    (with_venue(instruments=[]), "venues[0].instruments", "at least one"),
    (with_instrument(id="nonsense"), "venues[0].instruments[0].id", "nonsense"),
    (with_instrument(id=PERPETUAL), "venues[0].instruments[0].id", "of VENUE-B, not of VENUE-A"),
    (
        with_instrument(id="VENUE-A:INDEX:BTC-USDT"),
        "venues[0].instruments[0].id",
        "cannot be traded",
    ),
    (with_instrument(settlement="linear"), "venues[0].instruments[0].settlement", "not settled"),
    (with_instrument(settle="BTC"), "venues[0].instruments[0].settle", "settles in USDT"),
    (with_instrument(tick_px="0"), "venues[0].instruments[0].tick_px", "more than zero"),
    (with_instrument(lot_qty="x"), "venues[0].instruments[0].lot_qty", "Invalid decimal"),
    (with_instrument(multiplier="2"), "venues[0].instruments[0].multiplier", "has 1"),
    (with_instrument(max_notional="-1"), "venues[0].instruments[0].max_notional", "below zero"),
    (with_instrument(symbol=""), "venues[0].instruments[0].symbol", "is empty"),
    (
        {"venues": [venue(), venue(venue="VENUE-B")], "limits": {}},
        "venues[1].account",
        "named at venues[0].account already",
    ),
    (
        with_venue(instruments=[instrument(), instrument()]),
        "venues[0].instruments[1].id",
        "already",
    ),
    (
        with_venue(
            instruments=[
                instrument(),
                instrument(id="VENUE-A:PERPETUAL:BTC-USDT@LIN", settlement="linear"),
            ]
        ),
        "venues[0].instruments",
        "cannot share an account",
    ),
]


@pytest.mark.parametrize(("changes", "path", "text"), REFUSALS)
def test_a_fault_is_refused_with_its_place(changes: dict[str, Any], path: str, text: str):
    faults = faults_of(recorded_day.config(ROOT, **changes))
    matching = [fault for fault in faults if fault.path == path]
    assert matching, faults
    assert any(text in fault.text for fault in matching), matching


@pytest.mark.parametrize("name", sorted(recorded_day.config(ROOT).keys() - {"orders"}))
def test_nothing_has_a_hidden_default(name: str):
    document = recorded_day.config(ROOT)
    del document[name]
    [fault] = faults_of(document)
    assert name in fault.text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b"\xff", "malformed"),
        (b"[" * 100_000, ""),
    ],
)
def test_what_is_no_document_is_refused(body: bytes, text: str):
    [fault] = faults_of(body)
    assert text in fault.text


def test_a_name_given_twice_is_refused_wherever_it_stands():
    body = recorded_day.encoded(recorded_day.config(ROOT))
    twice = body.replace(b'"USDT": "100000"', b'"USDT": "1", "USDT": "100000"', 1)
    assert faults_of(twice) == [Fault("USDT", "is given twice")]


def test_all_faults_are_told_at_once():
    document = recorded_day.config(ROOT, view_levels=0, start="x", **with_venue(account="?"))
    assert {fault.path for fault in faults_of(document)} >= {
        "start",
        "view_levels",
        "venues[0].account",
    }


def test_what_is_kept_means_the_same_configuration():
    body = recorded_day.encoded(recorded_day.config(ROOT))
    config = understand_config(body, source="test", folder=ROOT)
    again = understand_config(encode_config(config), source="kept", folder=Path("/elsewhere"))
    assert encode_config(again) == encode_config(config)
    assert config_hash(again) == config_hash(config)
    [spot, perpetual] = config.instruments
    assert (spot.id, perpetual.id) == (SPOT, PERPETUAL)
    assert (spot.maker_fee_bps, spot.taker_fee_bps) == (Decimal(2), Decimal(10))
    assert config.end_ns - config.start_ns == 50 * recorded_day.SECOND_NS


def test_paths_count_from_the_file_and_may_name_variables(tmp_path: Path):
    document = recorded_day.config(tmp_path, data_folder="${DATA}/raw", results_folder="out")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    config = read_config(path, {"DATA": "/recorded"})
    assert (config.data_folder, config.results_folder) == ("/recorded/raw", str(tmp_path / "out"))
    with pytest.raises(FaultsError, match="data_folder: the variable DATA is not set"):
        read_config(path, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(FaultsError, match="No such file"):
        read_config(tmp_path / "absent.json")
