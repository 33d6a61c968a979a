"""A live journal from a real PostgreSQL: exported, replayed, decided again, by the command line."""

import asyncio
import json
from decimal import Decimal

import pytest
from tests.desk.life import Life, assert_journal_true
from tests.desk.paper import PaperVenue, an_order

from quarterdeck.app.cli import run
from quarterdeck.app.journal_replay import export_journal, replay_database, replay_file
from quarterdeck.core.model.commands import CancelOrder, Kill
from quarterdeck.core.model.facts import OrderAccepted
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.desk.replay.journal_file import read_journal
from quarterdeck.store import recorded
from quarterdeck.store.retention import purge_views

pytestmark = pytest.mark.postgres
FOREVER_NS = 2**62
CHANGE = """
SET session_replication_role = replica;
UPDATE journal SET body = split_part(body, '"events":[', 1) || '"events":['
    || replace(split_part(body, '"events":[', 2), '"limit_px":"59000"', '"limit_px":"58999"')
WHERE seq = (SELECT min(seq) FROM journal WHERE body LIKE '%"child_created"%')
"""


async def trade(dsn, folder, orders: int = 3) -> int:
    """Let a desk take orders, fill one, cancel one, and start once more; return the entries."""
    venue = PaperVenue()
    one = await Life(dsn, venue, folder).begin()
    names = [client_order_id(f"op-{number}", 1) for number in range(orders)]
    for number in range(orders):
        assert await one.desk.execute(an_order(f"op-{number}")) is None
    children = one.desk.engine.state.children
    await one.settle(lambda: all(children[name].venue_order_id for name in names), "the acks")
    one.links.facts.append(venue.fill(names[0], "0.1", "59000"))
    await one.settle(lambda: one.parent("op-0").status is ParentStatus.FILLED, "the fill")
    await one.desk.stop()
    two = await Life(dsn, venue, folder, "two").begin()
    assert await two.desk.execute(CancelOrder(operation_id="op-1", by="t")) is None
    await two.settle(lambda: two.parent("op-1").status is ParentStatus.CANCELED, "the cancel")
    await two.desk.stop()
    return await assert_journal_true(dsn)


async def test_a_file_holds_what_the_database_holds(dsn, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "PREFETCH_ROWS", 4)  # Views are fetched more than once.
    entries = await trade(dsn, tmp_path)
    heard: list[tuple[int, int]] = []
    path = tmp_path / "journal.jsonl"
    with path.open("wb") as file:
        assert await export_journal(dsn, "desk", file) == entries
    from_file = await asyncio.to_thread(
        replay_file, path, decide_again=True, on_progress=lambda *done: heard.append(done)
    )
    from_database = await replay_database(dsn, "desk", decide_again=True)
    assert from_file == from_database
    assert from_file.source == "paper"
    result = from_file.result
    assert result.problems() == []
    assert (result.entries, result.orders, result.children, result.fills) == (entries, 3, 3, 1)
    assert heard == [], "a short one says nothing"
    assert sum(len(entry.views) for entry in read_journal(path)) >= 3


async def test_purged_views_are_counted_in_the_database_and_in_the_file(dsn, connection, tmp_path):
    entries = await trade(dsn, tmp_path)
    assert await purge_views(connection, before_ns=FOREVER_NS) > 0
    replayed = await replay_database(dsn, "desk", decide_again=True)
    result = replayed.result
    assert result.undecidable == 3
    assert result.decided == entries - 3
    assert len(result.problems()) == 1
    path = tmp_path / "journal.jsonl"
    with path.open("wb") as file:
        await export_journal(dsn, "desk", file)
    assert await asyncio.to_thread(replay_file, path, decide_again=True) == replayed


@pytest.fixture
def commands(dsn, tmp_path, capsys):
    """Run a command on the database, as on a command line, and return what it printed."""
    config = tmp_path / "quarterdeck.toml"
    config.write_text(
        f'[desk]\nid = "desk"\ndata_dir = "{tmp_path}/data"\n[database]\nurl = "{dsn}"\n'
    )

    def call(*arguments, code=0):
        assert run([*arguments, "--config", str(config)]) == code
        return capsys.readouterr()

    return call


def test_the_command_line_replays_the_database_and_a_file(dsn, tmp_path, commands):
    asyncio.run(trade(dsn, tmp_path))
    path = tmp_path / "journal.jsonl"
    told = json.loads(commands("journal", "export", "--output", str(path), "--json").out)
    assert path.stat().st_mode & 0o777 == 0o600
    live = json.loads(commands("replay", "--decide", "--json").out)
    assert live["ok"] is True
    assert live["decided"] == live["entries"] == told["entries"]
    assert (live["desk_id"], live["source"], live["difference"]) == ("desk", "paper", None)
    kept = json.loads(commands("replay", str(path), "--json").out)
    assert kept["state_hash"] == live["state_hash"]
    assert kept["decided"] == 0
    shown = commands("replay", str(path), "--decide").out
    assert live["state_hash"] in shown
    commands("journal", "export", "--json", code=2)
    commands("journal", "export", "--output", str(tmp_path / "no" / "folder"), code=2)


def test_a_difference_is_shown_and_exits_with_1(dsn, tmp_path, commands, postgres):
    asyncio.run(trade(dsn, tmp_path))
    postgres._run(CHANGE, dsn)
    told = json.loads(commands("replay", "--decide", "--json", code=1).out)
    assert told["ok"] is False
    difference = told["difference"]
    assert difference["kind"] == "submit_order"
    prices = [
        event["limit_px"]
        for side in ("recorded", "today")
        for event in difference[side]
        if event["type"] == "child_created"
    ]
    assert prices == ["58999", "59000"]
    shown = commands("replay", "--decide", code=1).out
    assert f"entry {difference['seq']}, submit_order, is decided otherwise today" in shown
    assert '-  "limit_px": "58999",' in shown
    assert '+  "limit_px": "59000",' in shown
    assert json.loads(commands("replay", "--json").out)["ok"] is True, "folding alone still works"


def test_views_that_are_gone_fail_unless_allowed(dsn, tmp_path, commands, postgres):
    asyncio.run(trade(dsn, tmp_path))
    postgres._run("DELETE FROM market_views", dsn)
    assert "cannot be decided again" in commands("replay", "--decide", code=1).out
    told = json.loads(commands("replay", "--decide", "--allow-missing-views", "--json").out)
    assert told["undecidable"] == 3
    assert told["ok"] is True


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [(None, 2, "No such file"), (b"{}\n", 1, "line 1 is no journal")],
)
def test_a_file_that_is_no_journal_is_refused(tmp_path, capsys, content, code, said):
    path = tmp_path / "journal.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert run(["replay", str(path), "--json"]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert said in json.loads(shown.out)["error"]["text"]


async def test_an_unreadable_database_is_said_so(tmp_path, capsys):
    config = tmp_path / "quarterdeck.toml"
    config.write_text(
        f'[desk]\ndata_dir = "{tmp_path}"\n[database]\nurl = "postgresql://u@127.0.0.1:1/d"\n'
    )
    for command in (("replay",), ("journal", "export")):
        assert await asyncio.to_thread(run, [*command, "--config", str(config)]) == 3
        assert "Connect" in capsys.readouterr().err


async def test_the_order_of_memory_after_a_start_changes_no_decision(dsn, tmp_path):
    """A start loads orders in another order than they began in; decisions must not follow it."""
    venue = PaperVenue()
    one = await Life(dsn, venue, tmp_path).begin()
    names = [client_order_id(f"op-{number}", 1) for number in range(3)]
    for number in range(3):
        assert await one.desk.execute(an_order(f"op-{number}")) is None
    # No acknowledgement arrives; the first order is the one that was touched last.
    one.links.facts.clear()
    assert await one.desk.execute(CancelOrder(operation_id="op-0", by="t")) is None
    one.links.facts.clear()
    await one.desk.stop()

    two = Life(dsn, venue, tmp_path, "two")
    two.links.gateway_epoch = 2
    await two.begin()
    assert all(two.desk.engine.state.children[name].held_until_ns for name in names)
    two.links.facts.extend(
        OrderAccepted(account="paper", client_order_id=name, venue_order_id=f"V-{name}", at_ns=1)
        for name in names
    )
    children = two.desk.engine.state.children
    await two.settle(
        lambda: all(children[name].status is not ChildStatus.UNKNOWN for name in names), "the acks"
    )
    two.links.facts.append(venue.fill(names[1], "0.04", "59000"))
    await two.settle(lambda: two.parent("op-1").filled == Decimal("0.04"), "the fill")
    await two.desk.stop()

    three = Life(dsn, venue, tmp_path, "three")
    three.links.gateway_epoch = 2
    await three.begin()
    assert await three.desk.execute(Kill(by="t", why="drill")) is None
    await three.settle(
        lambda: not any(p.status.is_live for p in three.desk.engine.state.parents.values()),
        "the cancels",
    )
    await three.desk.stop()
    await assert_journal_true(dsn)
