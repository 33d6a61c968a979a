"""A paper day studied over its own market and over others, through the real worker."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from tests.backtest.recorded_day import DAY, PERPETUAL, SPOT, ns
from tests.backtest.study import paper_day

from quarterdeck.app.cli import run
from quarterdeck.backtest.study.difference import OrderStudy
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.result import Study
from quarterdeck.backtest.study.run import prepare, study_journal
from quarterdeck.core.desk.decide import decide
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model.facts import GatewayLost, OrderNotFound
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.reasons import Reason
from quarterdeck.desk.record import decode_body
from quarterdeck.desk.record import entry as entry_of
from quarterdeck.desk.replay.journal_file import JournalFileWriter, read_journal

pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Paper:
    journal: Path
    capture: Path
    work: Path


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """Return the day; its desk trades it once for all tests."""
    folder = tmp_path_factory.mktemp("study")
    paper_day.write_market(folder / "data")
    journal = asyncio.run(paper_day.trade(folder))
    return Paper(journal=journal, capture=folder / "data", work=folder / "work")


def by_name(study: Study) -> dict[str, OrderStudy]:
    return {order.operation_id: order for order in study.orders}


async def test_the_same_market_gives_the_same_day(paper: Paper):
    study = await study_journal(paper.journal, paper.capture, paper.work)
    assert [order.operation_id for order in study.orders] == paper_day.NAMES
    for order in study.orders:
        assert order.decisions_equal, order
        assert order.live == order.backtest, order
        assert order.difference_bps in {None, "0"}
        assert order.same_book is not False
    assert study.identical
    assert study.left_out == ()
    assert study.refused == study.commands_left_out == {}
    totals = study.totals
    assert (totals.equal_decisions, totals.equal) == (totals.orders, totals.orders)
    assert (totals.mean_bps, totals.max_abs_bps) == ("0", "0")

    orders = by_name(study)
    states = {name: order.live.state for name, order in orders.items()}
    assert states == dict.fromkeys(paper_day.NAMES, "filled") | {
        "huge": "denied",
        "halted": "denied",
        "far": "canceled",
        "late": "expired",
        "open": "working",
    }
    assert orders["slices"].decisions_live == 5, "four slices and the end"
    assert orders["smart"].live.children > 1, "it is split over venues"
    assert totals.measured == 6
    assert study.source == "backtest"
    assert study.start_ns == ns(0) + 1_000_000, "the capture begins with its first row"
    assert study.commands["submit_order"] == len(paper_day.NAMES)
    assert study.commands["set_trading_state"] == 2
    [note] = study.notes
    assert note.endswith("compared as of then: open")


async def test_latencies_are_those_of_the_day(paper: Paper):
    setting = prepare(paper.journal, paper.capture, paper.work)
    simulated = {
        venue.account: (venue.insert_latency_ms, venue.cancel_latency_ms, venue.taker_fee_bps)
        for venue in setting.config.venues
    }
    # Nothing was canceled at b-1 and c-1: what all accounts show is taken there.
    assert simulated == {
        "a-1": (5, 3, Decimal(10)),
        "b-1": (5, 3, Decimal(10)),
        "c-1": (9, 3, Decimal(8)),
    }


async def test_a_dearer_market_is_reported_and_not_called_identical(paper: Paper, tmp_path: Path):
    paper_day.write_market(tmp_path / "data", dear=3)
    study = await study_journal(paper.journal, tmp_path / "data", tmp_path / "work")
    assert not study.identical
    orders = by_name(study)
    for name in ("taker", "cover"):
        assert Decimal(orders[name].difference_bps or 0) > 2, "0.3 dearer at 1000: three bps"
    assert orders["short"].difference_bps == "0", "bids are where they were"
    parting = orders["short"].parting
    assert parting is not None
    assert parting.field == "limit_px", "how far it may go is measured from the middle"
    assert orders["huge"].is_equal
    totals = study.totals
    assert totals.same_book == 0, "every offer is elsewhere"
    assert totals.equal < totals.orders
    assert Decimal(totals.mean_bps or 0) > 0
    assert Decimal(totals.max_abs_bps or 0) >= Decimal(totals.median_abs_bps or 0) > 0


async def test_a_thinner_market_parts_the_decisions(paper: Paper, tmp_path: Path):
    paper_day.write_market(tmp_path / "data", size=0.25)
    study = await study_journal(paper.journal, tmp_path / "data", tmp_path / "work")
    smart = by_name(study)["smart"]
    assert not smart.decisions_equal
    assert smart.parting is not None
    assert smart.parting.field == "quantity"
    assert Decimal(smart.parting.live or 0) > Decimal(smart.parting.backtest or 0)
    assert study.totals.equal_decisions < study.totals.orders


async def test_a_part_of_the_day_begins_with_what_was_held_then(paper: Paper):
    study = await study_journal(
        paper.journal, paper.capture, paper.work, from_ns=ns(21), to_ns=ns(37)
    )
    assert list(by_name(study)) == ["halted", "cover", "late"]
    assert {each.operation_id for each in study.left_out} == set(paper_day.NAMES) - set(
        by_name(study)
    )
    orders = by_name(study)
    assert orders["halted"].is_equal, "the desk was halted while it was sent"
    assert orders["late"].is_equal
    assert orders["late"].live.state == "working", "as it stood when the window ended"
    # The position that it would have covered was opened before the window.
    cover = orders["cover"]
    assert cover.live.state == "filled"
    assert cover.backtest is not None
    assert cover.backtest.reason == Reason.REDUCE_ONLY_WOULD_OPEN
    assert cover.parting is not None
    assert (cover.parting.field, cover.parting.live) == ("kind", "send")
    assert any("position of -2" in note for note in study.notes)
    setting = prepare(paper.journal, paper.capture, paper.work, from_ns=ns(21), to_ns=ns(37))
    [spot] = [venue for venue in setting.config.venues if venue.account == "a-1"]
    assert spot.balances["BTC"] > 10, "what was bought before the window is there"


async def test_what_was_not_captured_is_named(paper: Paper, tmp_path: Path):
    paper_day.write_market(tmp_path / "data")
    days = tmp_path / "data/raw_tick_data/by_date" / f"day-{DAY}"
    (days / "data_type-incremental_book_L2" / f"{PERPETUAL}.parquet").unlink()
    (days / "data_type-trades" / f"{paper_day.OTHER}.parquet").unlink()
    study = await study_journal(paper.journal, tmp_path / "data", tmp_path / "work")
    reasons = {each.operation_id: each.why for each in study.left_out}
    assert reasons == {
        **dict.fromkeys(("short", "cover"), f"no book of {PERPETUAL} was captured"),
        **dict.fromkeys(
            ("smart", "slices"), f"no trades of {paper_day.OTHER} were captured on {DAY}"
        ),
    }
    assert by_name(study)["taker"].is_equal
    assert [part.instrument for part in study.captured] == [SPOT]
    assert any(note.startswith("4 orders that are left out got") for note in study.notes)
    # The rest of the day is no longer what it was: holdings that the missing orders moved differ.
    (days / "data_type-incremental_book_L2" / f"{SPOT}.parquet").unlink()
    with pytest.raises(StudyError, match="none of 11 orders can be studied: no book of VENUE-A"):
        prepare(paper.journal, tmp_path / "data", tmp_path / "work")


def with_inputs(journal: Path, target: Path, inputs: Iterable[tuple[float, object]]) -> None:
    """Write the journal again with further inputs after its end, decided as a desk would."""
    state = DeskState()
    with JournalFileWriter(target, source="paper", desk_id="main") as writer:
        seq = 0
        for recorded in read_journal(journal):
            for event in decode_body(recorded.body).events:
                apply(state, event, recorded.at_ns)
            writer.append(recorded)
            seq = recorded.seq
        for second, given in inputs:
            decision = decide(state, given, ns(second), {})
            for event in decision.events:
                apply(state, event, ns(second))
            seq += 1
            writer.append(entry_of(state, given, decision, seq, ns(second)))


async def test_a_day_with_a_lost_gateway_differs_and_is_told(paper: Paper, tmp_path: Path):
    child = client_order_id("open", 1)
    journal = tmp_path / "journal.jsonl"
    lost = GatewayLost(account="a-1", why=Reason.STREAM_STALE)
    with_inputs(
        paper.journal,
        journal,
        [
            (41, lost),
            (52, OrderNotFound(account="a-1", client_order_id=child, asked_ns=ns(52))),
            (53, cmd.ImportEmergency(operation_id="open", by="me", at_ns=ns(41.5))),
            (
                54,
                cmd.ResolveChild(
                    operation_id="open",
                    child_no=1,
                    outcome=cmd.Resolution.CANCELED,
                    evidence="seen",
                    by="me",
                ),
            ),
            (55, cmd.Kill(by="me", why="enough")),
        ],
    )
    study = await study_journal(journal, paper.capture, tmp_path / "work")
    assert study.source == "paper"
    assert (study.commands["kill"], study.commands["cancel_order"]) == (1, 2)
    assert study.commands_left_out == {"resolve_child": 1}, "nothing is unknown in a simulation"
    found = by_name(study)["open"]
    assert found.backtest is not None
    assert found.backtest.state == "canceled"
    others = [order for order in study.orders if order.operation_id != "open"]
    assert all(order.is_equal for order in others)
    assert found.live.state == "canceled"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--to", f"{DAY}T00:00:01Z"], "none of 11 orders can be studied"),
        (["--from", f"{DAY}T00:00:49Z"], "it was sent before the time that was asked for"),
        (["--capture", "nowhere"], "nothing is captured in "),
    ],
)
def test_the_command_refuses_with_a_sentence(paper: Paper, options, text, capsys, tmp_path):
    arguments = ["replay-study", str(paper.journal), "--work", str(tmp_path), "--json"]
    if "--capture" not in options:
        arguments += ["--capture", str(paper.capture)]
    assert run(arguments + options) == 1
    shown = capsys.readouterr()
    assert text in json.loads(shown.out)["error"]["text"]


def test_the_command_shows_both_sides(paper: Paper, capsys, tmp_path):
    paper_day.write_market(tmp_path / "data", dear=3)
    arguments = ["replay-study", str(paper.journal), "--capture", str(tmp_path / "data")]
    assert run([*arguments, "--work", str(tmp_path / "work")]) == 0
    told = capsys.readouterr().out
    assert "differ at 0, limit_px" in told
    assert "decisions equal" in told
    assert "note: 1 orders were open" in told
    again = [*arguments, "--work", str(tmp_path / "work"), "--to", f"{DAY}T00:00:03Z", "--json"]
    assert run(again) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is False
    assert [order["operation_id"] for order in document["orders"]] == ["taker", "short"]
    assert set(document) == set(Study.__struct_fields__)
