"""What the API reads of orders, over a real PostgreSQL and the desk's own way of writing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from msgspec import Struct
from tests.api.standins import ACCOUNT, BTC, Rig, running_desk
from tests.postgres import SessionPostgres, start_session_postgres

from quarterdeck.api.reads import OrderQuery, StoredReads
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.desk.desk import Session
from quarterdeck.ports import Clock
from quarterdeck.store.retention import purge_views
from quarterdeck.store.session import Events, Settings, StoreSession, open_session

pytestmark = pytest.mark.postgres


class Stored(Struct, frozen=True, kw_only=True):
    """A desk over PostgreSQL and the reads under test."""

    rig: Rig
    reads: StoredReads
    session: StoreSession
    dsn: str


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionPostgres]:
    session = start_session_postgres(tmp_path_factory)
    yield session
    session.stop()


@pytest.fixture
async def stored(postgres: SessionPostgres, tmp_path: Path) -> AsyncGenerator[Stored]:
    dsn = await asyncio.to_thread(postgres.new_database)
    opened: list[StoreSession] = []

    async def open_stored(failed: Callable[[str], None], clock: Clock) -> Session:
        settings = Settings(dsn=dsn, desk_id="desk-1", holder="test")
        events = Events(failed=failed, fence_lost=failed, waiting=failed)
        opened.append(await open_session(settings, clock, events))
        return opened[-1]

    reads = StoredReads(lambda: opened[-1].pool, desk_id="desk-1", within_s=5.0)
    async with running_desk(tmp_path, open_stored=open_stored, reads=reads) as rig:
        yield Stored(rig=rig, reads=reads, session=opened[-1], dsn=dsn)


def an_order(operation_id: str, price: str = "50000", **changes: str) -> dict[str, str]:
    return {
        "operation_id": operation_id,
        "instrument_key": BTC,
        "side": "BUY",
        "quantity": "0.5",
        "order_type": "LIMIT",
        "price": price,
        **changes,
    }


async def test_an_order_is_read_back_whole(stored: Stored):
    rig = stored.rig
    assert (await rig.client.post("/api/orders", json=an_order("OP-1"))).status_code == 202
    [child] = rig.gateway.children()
    rig.acknowledge(child)
    rig.fill(child, "0.5", "50000", "T1")
    parents = rig.desk.engine.state.parents
    await rig.settled(lambda: parents["OP-1"].status is ParentStatus.FILLED)
    await rig.settled(lambda: not rig.desk.engine.pending)
    found = (await rig.client.get("/api/orders/OP-1")).json()
    assert (found["source"], found["order"]["state"]) == ("journal", "filled")
    assert [fill["trade_id"] for fill in found["fills"]] == ["T1"]
    assert [one["state"] for one in found["children"]] == ["filled"]
    assert [event["event"] for event in found["events"]] == [
        "parent_accepted",
        "child_created",
        "child_acknowledged",
        "child_filled",
        "parent_finished",
    ]
    assert (await rig.client.get("/api/orders/OP-2")).status_code == 404


async def test_a_book_is_kept_under_its_hash_until_it_is_purged(stored: Stored):
    rig = stored.rig
    await rig.client.post("/api/orders", json=an_order("OP-1"))
    [name] = (await rig.client.get("/api/orders/OP-1")).json()["events"][0]["views"]
    book = (await rig.client.get(f"/api/views/{name}")).json()
    assert (book["instrument_key"], book["mid_px"]) == (BTC, "50000.5")
    assert await stored.reads.view(bytes(16)) is None
    async with stored.session.pool.acquire() as connection:
        assert await purge_views(connection, before_ns=2**62) >= 1
    assert (await rig.client.get(f"/api/views/{name}")).status_code == 404


async def test_a_paused_order_counts_as_live(stored: Stored):
    rig = stored.rig
    await rig.client.post("/api/orders", json=an_order("OP-1"))
    await rig.client.post("/api/orders", json=an_order("OP-far", price="60000"))
    assert (await rig.client.post("/api/orders/OP-1/pause")).json()["state"] == "paused"
    for query in ({"live": "true"}, {"state": "paused"}):
        listed = (await rig.client.get("/api/orders", params=query)).json()["orders"]
        assert [row["operation_id"] for row in listed] == ["OP-1"]


async def test_a_finished_order_out_of_memory_is_told_apart_from_none(stored: Stored):
    rig = stored.rig
    await rig.client.post("/api/orders", json=an_order("OP-far", price="60000"))
    rig.desk.engine.state.evict("OP-far")
    for call in ("amend", "pause", "resume", "expire"):
        known = await rig.client.post(f"/api/orders/OP-far/{call}")
        assert (known.status_code, known.json()["error"]["code"]) == (409, "already_finished")
        unknown = await rig.client.post(f"/api/orders/OP-none/{call}")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_order")


async def test_a_batch_becomes_durable_in_a_few_commits(stored: Stored):
    rig = stored.rig
    orders = [an_order(f"OP-{number:03}") | {"quantity": "0.001"} for number in range(100)]
    async with stored.session.pool.acquire() as connection:
        before = await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM parents")
        answer = await rig.client.post("/api/orders/batch", json={"orders": orders})
        assert [row["status"] for row in answer.json()["results"]] == [202] * 100
        # Each commit has one transaction id, which every row that it wrote bears.
        commits = await connection.fetchval(
            "SELECT count(DISTINCT xmin::text) FROM journal WHERE kind = 'submit_order'"
        )
    assert before == 0
    assert commits <= 3, f"100 orders took {commits} commits"


async def test_orders_are_listed_by_what_was_asked(stored: Stored):
    rig = stored.rig
    for number in range(4):
        order = an_order(f"OP-{number}", strategy_id="s" if number % 2 else "t")
        await rig.client.post("/api/orders", json=order)
    await rig.client.post("/api/orders", json=an_order("OP-far", price="60000"))

    async def listed(query: OrderQuery) -> list[str]:
        return [parent.id for parent in await stored.reads.orders(query)]

    assert await listed(OrderQuery()) == ["OP-far", "OP-3", "OP-2", "OP-1", "OP-0"]
    assert await listed(OrderQuery(live=True, limit=2)) == ["OP-3", "OP-2"]
    assert await listed(OrderQuery(live=False)) == ["OP-far"]
    assert await listed(OrderQuery(state=ParentStatus.DENIED)) == ["OP-far"]
    assert await listed(OrderQuery(strategy_id="s")) == ["OP-3", "OP-1"]
    assert await listed(OrderQuery(instrument="BINANCE-SPOT:SPOT_PAIR:ETH-USDT")) == []
    second = await stored.reads.parent("OP-2")
    assert second is not None
    assert second.terms.account == ACCOUNT
    after = OrderQuery(before_ns=second.created_ns, before_id=second.id)
    assert await listed(after) == ["OP-1", "OP-0"]


async def test_a_repeat_of_an_evicted_order_is_found(stored: Stored):
    rig = stored.rig
    order = an_order("OP-far", price="60000")
    first = await rig.client.post("/api/orders", json=order)
    rig.desk.engine.state.evict("OP-far")
    again = await rig.client.post("/api/orders", json=order)
    assert (again.status_code, again.json()) == (202, first.json())
    other = await rig.client.post("/api/orders", json={**order, "side": "SELL"})
    assert other.status_code == 409


async def test_a_pool_that_is_gone_is_a_database_that_cannot_be_read(stored: Stored):
    await stored.session.pool.close()
    with pytest.raises(OSError, match="clos"):
        await stored.reads.parent("OP-1")
    answer = await stored.rig.client.get("/api/orders")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "frozen")


async def test_a_database_that_does_not_answer_is_given_up_on(stored: Stored):
    locked = await asyncpg.connect(stored.dsn)
    transaction = locked.transaction()
    await transaction.start()
    await locked.execute("LOCK TABLE parents IN ACCESS EXCLUSIVE MODE")
    hasty = StoredReads(lambda: stored.session.pool, desk_id="desk-1", within_s=0.1)
    with pytest.raises(OSError):
        await hasty.order("OP-1")
    await transaction.rollback()
    await locked.close()
    assert await stored.reads.order("OP-1") is None
