"""The desk on a real PostgreSQL: durable before it is seen, and the same after a failure."""

import asyncio
from decimal import Decimal

import pytest
from tests.desk.life import Life, assert_journal_true
from tests.desk.paper import PaperVenue, an_order, until

from quarterdeck.core.model.commands import CancelOrder, Kill
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.store.connection import connect

pytestmark = pytest.mark.postgres


async def test_an_order_is_durable_filled_and_there_after_a_restart(dsn, tmp_path):
    venue = PaperVenue()
    one = await Life(dsn, venue, tmp_path).begin()
    assert await one.desk.execute(an_order("op-1")) is None
    assert await one.desk.execute(an_order("op-2")) is None
    name = client_order_id("op-1", 1)
    await one.settle(lambda: one.desk.engine.state.children[name].venue_order_id, "the ack")
    one.links.facts.append(venue.fill(name, "0.04", "59000"))
    one.links.facts.append(venue.trades[-1])
    await one.settle(lambda: one.parent("op-1").filled == Decimal("0.04"), "the fill, once")
    await one.desk.stop()

    two = await Life(dsn, venue, tmp_path, "two").begin()
    assert two.desk.epoch == one.desk.epoch + 1
    assert two.parent("op-1").filled == Decimal("0.04")
    assert two.parent("op-1").open_children[1].leaves == Decimal("0.06")
    assert await two.desk.execute(an_order("op-1")) is None, "a repeat is the same order"
    other = await two.desk.execute(an_order("op-1", quantity=Decimal("0.2")))
    assert other is None, "same hash given: the body hash is what tells bodies apart"
    assert await two.desk.execute(CancelOrder(operation_id="op-1", by="t")) is None
    await two.settle(lambda: two.parent("op-1").status is ParentStatus.CANCELED, "the cancel")
    assert two.parent("op-1").filled == Decimal("0.04")
    await two.desk.stop()
    assert len(venue.orders) == 2
    assert await assert_journal_true(dsn) > 5


async def test_a_fill_while_the_desk_is_away_is_booked_when_it_is_back(dsn, tmp_path):
    venue = PaperVenue()
    one = await Life(dsn, venue, tmp_path).begin()
    await one.desk.execute(an_order("op-1"))
    name = client_order_id("op-1", 1)
    await one.settle(lambda: one.desk.engine.state.children[name].venue_order_id, "the ack")
    await one.desk.stop()
    venue.fill(name, "0.1", "59000")

    two = await Life(dsn, venue, tmp_path).begin()
    await two.settle(lambda: two.parent("op-1").status is ParentStatus.FILLED, "filled")
    await two.desk.stop()
    await assert_journal_true(dsn)


async def test_a_lost_database_freezes_all_but_cancels_and_is_recovered_from(
    postgres, dsn, tmp_path
):
    venue = PaperVenue()
    life = await Life(dsn, venue, tmp_path).begin()
    await life.desk.execute(an_order("op-1"))
    name = client_order_id("op-1", 1)
    await life.settle(lambda: life.desk.engine.state.children[name].venue_order_id, "the ack")
    database = dsn.partition("?")[0].rpartition("/")[2]
    outside = await connect(postgres.dsn, application="outside")
    await outside.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    try:
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
        )
        await until(lambda: life.desk.engine.frozen is not None, "the freeze")
        refused = await life.desk.execute(an_order("op-2"))
        assert refused is not None
        assert refused.code is Reason.FROZEN
        assert await life.desk.execute(CancelOrder(operation_id="op-1", by="t")) is None
        assert name in venue.canceled
        assert (tmp_path / "emergency.jsonl").exists()
    finally:
        await outside.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        await outside.close()
    life.links.facts.clear()  # Whatever was told meanwhile is lost.
    await life.settle(
        lambda: life.desk.engine.frozen is None and life.gate_is_open(), "the recovery"
    )
    await life.settle(
        lambda: life.parent("op-1").status is ParentStatus.CANCELED, "the cancel is known"
    )
    assert "op-2" not in life.desk.engine.state.parents
    assert not (tmp_path / "emergency.jsonl").exists()
    await life.desk.stop()
    await assert_journal_true(dsn)


async def test_a_second_desk_stands_by_until_the_first_is_gone(dsn, tmp_path):
    venue = PaperVenue()
    one = await Life(dsn, venue, tmp_path, "one").begin()
    await one.desk.execute(an_order("op-1"))
    two = Life(dsn, venue, tmp_path, "two")
    starting = asyncio.create_task(two.begin())
    await asyncio.sleep(0)
    assert not starting.done()
    await one.desk.stop()
    await starting
    assert two.desk.epoch == one.desk.epoch + 1
    assert "op-1" in two.desk.engine.state.parents
    await two.desk.stop()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE children SET filled = filled + 1", "child QD"),
        ("UPDATE parents SET state = 'canceled'", "parent op-1"),
        ("UPDATE holdings SET doc = replace(doc, '1000000', '1000001')", "holding paper USDT"),
        ("DELETE FROM children", "no table has it"),
        ("UPDATE fills SET px = px + 1", "fill paper"),
    ],
)
async def test_a_table_that_differs_from_the_journal_is_found(
    dsn, connection, tmp_path, damage, named
):
    venue = PaperVenue()
    life = await Life(dsn, venue, tmp_path).begin()
    await life.desk.execute(an_order("op-1"))
    name = client_order_id("op-1", 1)
    await life.settle(lambda: life.desk.engine.state.children[name].venue_order_id, "the ack")
    life.links.facts.append(venue.fill(name, "0.04", "59000"))
    await life.settle(lambda: life.parent("op-1").filled == Decimal("0.04"), "the fill")
    await life.desk.stop()
    await assert_journal_true(dsn)
    # As somebody with the server's own rights could: append-only triggers do not stop them.
    await connection.execute(f"SET session_replication_role = replica; {damage}")
    with pytest.raises(AssertionError, match=named):
        await assert_journal_true(dsn)


async def test_a_kill_works_while_frozen_and_holds_after_the_recovery(postgres, dsn, tmp_path):
    venue = PaperVenue()
    life = await Life(dsn, venue, tmp_path).begin()
    names = [client_order_id(name, 1) for name in ("op-1", "op-2")]
    for name in ("op-1", "op-2"):
        await life.desk.execute(an_order(name))
    children = life.desk.engine.state.children
    await life.settle(lambda: all(children[n].venue_order_id for n in names), "the acks")
    database = dsn.partition("?")[0].rpartition("/")[2]
    outside = await connect(postgres.dsn, application="outside")
    await outside.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    try:
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
        )
        await until(lambda: life.desk.engine.frozen is not None, "the freeze")
        assert await life.desk.execute(Kill(by="t", why="drill")) is None
        assert set(names) <= venue.canceled
    finally:
        await outside.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        await outside.close()
    await life.settle(
        lambda: life.desk.engine.frozen is None and life.gate_is_open(), "the recovery"
    )
    assert life.desk.engine.state.trading_state is TradingState.HALTED
    await life.settle(
        lambda: {life.parent(n).status for n in ("op-1", "op-2")} == {ParentStatus.CANCELED},
        "the cancels are known",
    )
    await life.desk.stop()
    await assert_journal_true(dsn)
