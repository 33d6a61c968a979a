"""Journals of desks that were killed, whose gateways died and whose venues lied: they can be told.

A journal compared with itself must show no difference, whatever happened in it.
"""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.desk.replay.written import simulated

from quarterdeck.backtest.study.ask import schedule_of
from quarterdeck.backtest.study.day import read_day
from quarterdeck.backtest.study.difference import study_order, totals_of
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.backtest.study.story import told
from quarterdeck.backtest.study.survey import survey
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.desk.record import decode_body
from quarterdeck.desk.replay.journal_file import JournalFileWriter


def written(folder: Path, seed: int) -> Path:
    path = folder / f"{seed}.jsonl"
    with JournalFileWriter(path, source="paper", desk_id="main") as writer:
        for entry in simulated(seed):
            writer.append(entry)
    return path


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_hard_life_compared_with_itself_is_equal(seed: int, tmp_path: Path):
    path = written(tmp_path, seed)
    known = survey(path)
    day = read_day(path, known.first_ns, known.last_ns)
    again = told(path, known.last_ns)
    names = [order.operation_id for order in known.orders]
    assert set(names) == set(again.state.parents)
    orders = [
        study_order(
            day.story.state.parents[name],
            again.state.parents[name],
            day.story.state.instruments[again.state.parents[name].terms.instrument],
            (
                day.story.decisions.by_order.get(name, []),
                again.decisions.by_order.get(name, []),
            ),
            same_book=True,
        )
        for name in names
    ]
    totals = totals_of(orders)
    assert totals.equal == totals.equal_decisions == len(names) > 0
    assert {each.difference_bps for each in orders} <= {None, "0"}
    schedule = schedule_of(
        day.asked,
        set(names),
        start_ns=known.first_ns,
        end_ns=known.last_ns,
        trading_state=day.opening.trading_state,
    )
    assert schedule.commands["submit_order"] == len(names)
    assert sum(schedule.commands.values()) == len(schedule.lines.splitlines())


@pytest.mark.parametrize("share", [Decimal("0.3"), Decimal("0.7")])
def test_the_opening_is_the_fold_of_what_came_before(share: Decimal, tmp_path: Path):
    path = written(tmp_path, 3)
    known = survey(path)
    start_ns = known.first_ns + int((known.last_ns - known.first_ns) * share)
    opening = read_day(path, start_ns, known.last_ns).opening
    state = DeskState()
    for entry in simulated(3):
        if entry.at_ns >= start_ns:
            break
        for event in decode_body(entry.body).events:
            apply(state, event, entry.at_ns)
    assert opening.holdings == {key: value.total for key, value in state.holdings.items()}
    assert opening.instruments == state.instruments
    assert opening.limits == state.limits
    assert opening.trading_state is state.trading_state


def test_a_file_that_is_no_journal_is_a_sentence(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    with pytest.raises(StudyError, match="No such file"):
        survey(path)
    path.write_text("{}\n")
    with pytest.raises(StudyError, match="is no journal"):
        survey(path)
    with JournalFileWriter(path, source="paper", desk_id="main"):
        pass
    with pytest.raises(StudyError, match="holds no order to study"):
        survey(path)


def test_a_journal_that_lost_an_entry_is_a_sentence(tmp_path: Path):
    path = written(tmp_path, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    entries = [number for number, line in enumerate(lines) if line.startswith(b'{"seq"')]
    del lines[entries[len(entries) // 2]]
    path.write_bytes(b"".join(lines))
    with pytest.raises(StudyError, match="must come"):
        survey(path)
