"""The schedule: lines, times and ids; and messages that mean what they mean at the live door."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.backtest import recorded_day
from tests.backtest.recorded_day import line, ns, order

from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.fault import FaultsError
from quarterdeck.backtest.preflight import check_runnable, days_of
from quarterdeck.backtest.schedule import schedule_faults, scheduled
from quarterdeck.core.model.commands import CancelOrder


def config_of(document: dict[str, Any]) -> BacktestConfig:
    return understand_config(recorded_day.encoded(document), source="test", folder=Path("/"))


def over(path: Path) -> BacktestConfig:
    document = recorded_day.config(path.parent, orders_file=str(path))
    del document["orders"]
    return config_of(document)


GOOD = {"order": order("a")}
FAULTS = [
    ("{", "line 2", "truncated"),
    ("[]", "line 2", "object"),
    (json.dumps({"at_ns": ns(2)}), "line 2", "either an order or a command"),
    (json.dumps(line(2, **GOOD, command={"type": "kill"})), "line 2", "not both"),
    (json.dumps(GOOD), "line 2", "either at"),
    (json.dumps({**line(2, **GOOD), "at": "x"}), "line 2", "either at"),
    (json.dumps({"at": "yesterday", **GOOD}), "line 2", "RFC 3339"),
    (json.dumps({"at_ns": "5", **GOOD}), "line 2", "Expected `int"),
    (json.dumps({"at_ns": 5, **GOOD}), "line 2", "outside"),
    (json.dumps(line(51, **GOOD)), "line 2", "outside"),
    (json.dumps(line(0.5, **GOOD)), "line 2", "before that of an earlier line"),
    (json.dumps(line(2, order=order("first"))), "line 2", "used by line 1 already"),
    (json.dumps(line(2, **GOOD, more=1)), "line 2", "unknown field `more`"),
    (json.dumps(line(2, command={"type": "dance"})), "line 2", "command: Invalid value 'dance'"),
]


@pytest.mark.parametrize(("text", "place", "why"), FAULTS)
def test_a_line_that_is_none_is_refused_with_its_number(
    tmp_path: Path, text: str, place: str, why: str
):
    path = tmp_path / "orders.jsonl"
    path.write_text(json.dumps(line(1, order=order("first"))) + "\n" + text + "\n")
    [fault] = schedule_faults(over(path))
    assert fault.path.endswith(place)
    assert why in fault.text


def test_lines_of_one_instant_keep_their_order_and_messages_their_bytes(tmp_path: Path):
    path = tmp_path / "orders.jsonl"
    cancel = {"type": "cancel_order", "operation_id": "b", "by": "me"}
    path.write_text(
        f'{{"at": "{recorded_day.DAY}T00:00:02Z", "order": {{"b":  1}}}}\n\n'
        f'{{"at_ns": {ns(2)}, "order": {{"a": 1}}}}\n' + json.dumps(line(3, command=cancel))
    )
    config = over(path)
    assert schedule_faults(config) == []
    items = list(scheduled(config))
    assert [(item.line, item.at_ns) for item in items] == [(1, ns(2)), (3, ns(2)), (4, ns(3))]
    assert [item.message for item in items] == [b'{"b":  1}', b'{"a": 1}', None]
    assert items[2].command == CancelOrder(operation_id="b", by="me")


def test_a_parquet_schedule_says_the_same_as_its_lines(tmp_path: Path):
    messages = [json.dumps(order(str(n))) for n in range(3)]
    table = {"at_ns": [ns(n) for n in range(3)], "message": messages, "note": ["x"] * 3}
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table(table), path)
    config = over(path)
    assert schedule_faults(config) == []
    items = list(scheduled(config))
    assert [(item.line, item.at_ns) for item in items] == [(n + 1, ns(n)) for n in range(3)]
    assert [item.message for item in items] == [text.encode() for text in messages]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"at_ns": [1]}, "no column message"),
        ({"at_ns": ["1"], "message": ["x"]}, "column at_ns is string"),
        ({"at_ns": [None], "message": ["x"]}, "column at_ns is null"),
        ({"at_ns": pa.array([None], pa.int64()), "message": ["x"]}, "needs both"),
    ],
)
def test_a_parquet_file_of_other_columns_is_refused(
    tmp_path: Path, columns: dict[str, Any], why: str
):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table(columns), path)
    [fault] = schedule_faults(over(path))
    assert why in fault.text


def test_a_file_that_is_no_parquet_or_not_there_is_refused(tmp_path: Path):
    path = tmp_path / "orders.parquet"
    path.write_bytes(b"not parquet")
    assert schedule_faults(over(path))
    assert "No such file" in schedule_faults(over(tmp_path / "absent.jsonl"))[0].text


def test_many_faults_are_cut_short(tmp_path: Path):
    path = tmp_path / "orders.jsonl"
    path.write_text("{\n" * 1_000)
    assert len(schedule_faults(over(path))) == 20


@dataclass
class Window:
    start: str
    end: str
    days: int


def test_a_schedule_that_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path):
    pipe = tmp_path / "orders.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(FaultsError, match=r"orders\.jsonl is no file"):
        check_runnable(over(pipe), "test")


@pytest.mark.parametrize(
    "window",
    [
        Window("2024-03-01T00:00:00Z", "2024-03-01T00:00:01Z", 1),
        Window("2024-02-28T23:59:59Z", "2024-03-01T00:00:00Z", 3),
        Window("2024-03-01T23:00:00+02:00", "2024-03-02T00:30:00+02:00", 1),
    ],
)
def test_the_days_of_a_window_are_utc_days(window: Window):
    document = recorded_day.config(Path("/x"), start=window.start, end=window.end)
    assert len(days_of(config_of(document))) == window.days


def test_a_missing_day_is_told_before_anything_starts(recorded: Path):
    document = recorded_day.config(recorded, end="2024-03-02T00:00:01Z")
    with pytest.raises(FaultsError) as raised:
        check_runnable(config_of(document), "test")
    texts = [str(fault) for fault in raised.value.faults]
    assert len([text for text in texts if "2024-03-02" in text and "book" in text]) == 2
    check_runnable(config_of(recorded_day.config(recorded)), "test")
    with pytest.raises(FaultsError, match="holds no raw_tick_data"):
        check_runnable(config_of(recorded_day.config(recorded / "data")), "test")
