"""Which part of a journal is studied, and what its commands become."""

from pathlib import Path

import msgspec
import pytest
from tests.gateways.capture.captured import DAY, DAY_START_NS, MS, NAME, a_tape, a_trade, a_view

from quarterdeck.backtest.schedule import Line
from quarterdeck.backtest.study.ask import schedule_of
from quarterdeck.backtest.study.capture import Capture, Captured, read_capture
from quarterdeck.backtest.study.day import Asked
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.survey import Submitted, Survey
from quarterdeck.backtest.study.window import moment, window_of
from quarterdeck.core.desk import rfc3339
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.terms import Market

A = Market(account="a", instrument="A:SPOT_PAIR:BTC-USDT")
B = Market(account="b", instrument="B:SPOT_PAIR:BTC-USDT")
C = Market(account="c", instrument="C:SPOT_PAIR:BTC-USDT")


def captured(market: Market, first_ns: int, last_ns: int) -> Captured:
    return Captured(
        instrument=market.instrument,
        first_ns=first_ns,
        last_ns=last_ns,
        book_rows=1,
        trade_rows=1,
        gaps=0,
        gaps_ns=0,
    )


CAPTURE = Capture(
    found={A.instrument: captured(A, 100, 900), B.instrument: captured(B, 300, 700)}, faults={}
)


def surveyed(*orders: Submitted, last_ns: int = 1_000) -> Survey:
    return Survey(
        desk_id="main",
        source="paper",
        entries=10,
        first_ns=50,
        last_ns=last_ns,
        orders=orders,
        venues={"a": "A", "b": "B", "c": "C"},
        ready_ns={"a": 150, "b": 200, "c": 60},
    )


def sent(name: str, at_ns: int, *markets: Market) -> Submitted:
    return Submitted(operation_id=name, at_ns=at_ns, markets=markets)


def test_only_what_is_needed_bounds_the_window():
    one = window_of(surveyed(sent("x", 160, A)), CAPTURE)
    assert (one.start_ns, one.end_ns) == (150, 900)
    both = window_of(surveyed(sent("x", 160, A), sent("y", 400, A, B)), CAPTURE)
    assert (both.start_ns, both.end_ns) == (300, 700)
    assert [order.operation_id for order in both.orders] == ["y"]
    [left] = both.left_out
    assert (left.operation_id, left.why.startswith("it was sent before the window")) == ("x", True)


@pytest.mark.parametrize(
    ("given", "window"),
    [
        ({}, (150, 900)),
        ({"from_ns": 160}, (160, 900)),
        ({"from_ns": 10}, (150, 900)),
        ({"to_ns": 500}, (150, 500)),
        ({"to_ns": 5_000}, (150, 900)),
    ],
)
def test_a_window_can_be_asked_for(given, window):
    found = window_of(surveyed(sent("x", 170, A)), CAPTURE, **given)
    assert (found.start_ns, found.end_ns) == window


def test_the_journals_end_ends_it():
    assert window_of(surveyed(sent("x", 170, A), last_ns=400), CAPTURE).end_ns == 400


@pytest.mark.parametrize(
    ("survey", "text"),
    [
        (surveyed(sent("x", 160, C), sent("y", 170, A, C)), "2 orders can be studied: C:SPOT"),
        (surveyed(sent("x", 950, A)), "it was sent after the window"),
        (surveyed(sent("x", 160, A), last_ns=100), "there is no time in which all was known"),
        (
            surveyed(sent("x", 160, Market(account="d", instrument=A.instrument))),
            "account d was never compared with its venue",
        ),
    ],
)
def test_nothing_to_study_is_an_error(survey, text):
    with pytest.raises(StudyError, match=text):
        window_of(survey, CAPTURE)


@pytest.mark.parametrize("at_ns", [0, 1, 1_709_251_200_123_456_789, 1_709_251_200_000_000_000])
def test_moments_are_exact(at_ns: int):
    assert rfc3339.parse_ns(moment(at_ns)) == at_ns


def test_segments_are_finished_and_counted(tmp_path: Path):
    tape = a_tape(tmp_path)
    tape.view(a_view([(1, 1)], [(2, 1)]), DAY_START_NS)
    tape.trade(a_trade(1, DAY_START_NS), DAY_START_NS + 5 * MS)
    tape.view(a_view([(1, 2)], [(2, 1)]), DAY_START_NS + 9 * MS)
    tape.flush()
    tape.close()
    found = read_capture(tmp_path).found[NAME]
    assert (found.first_ns, found.last_ns) == (DAY_START_NS, DAY_START_NS + 9 * MS)
    assert found.trade_rows == 1
    finished = tmp_path / "raw_tick_data/by_date" / f"day-{DAY}"
    assert len(list(finished.glob("*/*.parquet"))) == 2
    assert read_capture(tmp_path).found[NAME] == found, "a second look sees the same"


def test_a_book_without_trades_cannot_be_played(tmp_path: Path):
    tape = a_tape(tmp_path)
    tape.view(a_view([(1, 1)], [(2, 1)]), DAY_START_NS)
    tape.flush()
    tape.close()
    capture = read_capture(tmp_path)
    assert capture.fault(NAME) == f"no trades of {NAME} were captured on {DAY}"
    assert capture.fault("X:SPOT_PAIR:A-B") == "X:SPOT_PAIR:A-B was not captured"


def test_an_empty_folder_is_an_error(tmp_path: Path):
    with pytest.raises(StudyError, match="nothing is captured"):
        read_capture(tmp_path)


def asked(at_ns: int, command: cmd.Command) -> Asked:
    return Asked(at_ns=at_ns, command=command)


def test_commands_of_other_orders_are_left_out():
    lines, commands, left_out = schedule_of(
        [
            asked(310, cmd.CancelOrder(operation_id="x", by="me")),
            asked(320, cmd.CancelOrder(operation_id="other", by="me")),
            asked(330, cmd.PauseOrder(operation_id="x", by="me")),
            asked(335, cmd.Kill(by="me", why="enough")),
            asked(340, cmd.ImportEmergency(operation_id="x", by="me", at_ns=325)),
            asked(350, cmd.ImportEmergency(operation_id="x", by="me", at_ns=10)),
            asked(360, cmd.ImportEmergency(operation_id="other", by="me", at_ns=325)),
            asked(
                370,
                cmd.ResolveChild(
                    operation_id="x",
                    child_no=1,
                    outcome=cmd.Resolution.ABSENT,
                    evidence="seen",
                    by="me",
                ),
            ),
        ],
        {"x"},
        start_ns=300,
        end_ns=400,
        trading_state=TradingState.HALTED,
    )
    read = [msgspec.json.decode(line, type=Line) for line in lines.splitlines()]
    kinds = [msgspec.json.decode(line.command)["type"] for line in read]
    assert [(line.at_ns, kind) for line, kind in zip(read, kinds, strict=True)] == [
        (300, "set_trading_state"),
        (300, "cancel_order"),  # Sent while the window had not begun.
        (310, "cancel_order"),
        (325, "cancel_order"),
        (330, "pause_order"),
        (335, "kill"),
    ]
    assert commands == {"set_trading_state": 1, "cancel_order": 3, "pause_order": 1, "kill": 1}
    assert left_out == {"cancel_order": 1, "import_emergency": 1, "resolve_child": 1}
