"""`quarterdeck capture`: lists what is recorded, finishes its files, says where it would look."""

import json
from pathlib import Path

import pytest
from tests.gateways.capture.captured import DAY, DAY_START_NS, MS, NAME, a_tape, a_trade, a_view

from quarterdeck.app.cli import capture
from quarterdeck.app.cli.options import Source
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.gateways.capture.layout import RawKind, raw_file

JSON = Source(json=True)


def record(folder: Path) -> None:
    tape = a_tape(folder)
    tape.view(a_view([(1, 1)], [(2, 1)]), DAY_START_NS)
    tape.trade(a_trade(1, DAY_START_NS), DAY_START_NS + 5 * MS)
    tape.flush()
    tape.close()


def shown(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_waiting_rows_are_listed_and_then_finished(tmp_path, capsys):
    record(tmp_path)
    capture.list_recordings(folder=tmp_path, source=JSON)
    book, trades = shown(capsys)["recordings"]
    assert (book["day"], book["instrument"], book["data_type"]) == (DAY, NAME, RawKind.BOOK)
    assert (book["rows"], book["waiting_rows"], book["gaps"]) == (3, 3, 0)
    assert (trades["first_ns"], trades["gaps"]) == (DAY_START_NS + 5 * MS, None)
    assert capture.compact(folder=tmp_path, source=JSON) == 0
    assert [row["rows_added"] for row in shown(capsys)["compacted"]] == [3, 1]
    capture.list_recordings(folder=tmp_path, source=JSON)
    assert [row["waiting_rows"] for row in shown(capsys)["recordings"]] == [0, 0]


def test_people_get_a_table(tmp_path, capsys):
    record(tmp_path)
    capture.list_recordings(folder=tmp_path)
    table = capsys.readouterr().out
    assert NAME in table
    assert "2026-03-01 00:00:00.005" in table
    assert capture.compact(folder=tmp_path) == 0
    assert NAME in capsys.readouterr().out
    assert capture.compact(folder=tmp_path) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_fault_is_the_exit_code(tmp_path, capsys):
    record(tmp_path)
    path = raw_file(tmp_path, DAY, RawKind.BOOK, NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not Parquet")
    with pytest.raises(CommandError) as raised:
        capture.compact(folder=tmp_path, source=JSON)
    assert raised.value.code == EXIT_REFUSED
    assert str(tmp_path) in str(raised.value)


def test_the_folder_is_that_of_the_settings(tmp_path, capsys):
    file = tmp_path / "quarterdeck.toml"
    file.write_text("[capture]\nfolder = 'data'\n")
    record(tmp_path / "data")
    capture.list_recordings(source=Source(config=file, json=True))
    assert len(shown(capsys)["recordings"]) == 2
    file.write_text("")
    with pytest.raises(CommandError, match=r"\[capture\]") as raised:
        capture.list_recordings(source=Source(config=file))
    assert raised.value.code == EXIT_USAGE
