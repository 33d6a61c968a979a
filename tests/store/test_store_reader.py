"""What a start loads and what the API lists, against a model in plain Python."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.store.entries import (
    ACCOUNT,
    BTC,
    DESK,
    Chain,
    a_child,
    a_fill,
    a_holding,
    a_parent,
    a_position,
    a_singleton,
)

from quarterdeck.store import journal, lease, reader, recovery, retention
from quarterdeck.store.chain import GENESIS
from quarterdeck.store.connection import Connection
from quarterdeck.store.rows import Entry, ParentRow, ViewRow, merge
from quarterdeck.store.writer import write_batch

pytestmark = pytest.mark.postgres


class Desk:
    """A desk that writes what it is given at once."""

    def __init__(self, connection: Connection, desk_id: str, epoch: int) -> None:
        self.connection, self.desk_id, self.chain = connection, desk_id, Chain(epoch=epoch)

    async def write(self, *entries: Entry) -> None:
        await write_batch(self.connection, self.desk_id, self.chain.epoch, merge(entries))


async def a_desk(connection: Connection, desk_id: str = DESK) -> Desk:
    epoch = await lease.take(connection, desk_id, "test", 1)
    assert isinstance(epoch, int)
    return Desk(connection, desk_id, epoch)


async def test_an_empty_desk_loads_as_empty(connection: Connection):
    live = await recovery.load_live(connection, DESK)
    assert (live.seq, live.head_hash) == (0, GENESIS)
    assert live.orders == recovery.Orders(parents=[], children=[], trades=[])
    assert (live.positions, live.holdings, live.singletons) == ([], [], [])


async def test_live_means_live_parents_and_the_parents_of_live_children(connection: Connection):
    desk = await a_desk(connection)
    parents = (
        a_parent("OP-live"),
        a_parent("OP-zombie", live=False, state="finished"),
        a_parent("OP-done", live=False, state="finished"),
    )
    children = (
        a_child("C1", "OP-live", child_no=1, live=False),
        a_child("C2", "OP-live", child_no=2),
        a_child("C3", "OP-zombie", live=True, state="unknown"),
        a_child("C4", "OP-done", live=False),
    )
    fills = (
        a_fill("T1", "OP-live", "C1"),
        a_fill("T2", "OP-done", "C4"),
        a_fill("T3", None, None),
    )
    await desk.write(desk.chain.entry(parents=parents, children=children, fills=fills))
    orders = (await recovery.load_live(connection, DESK)).orders
    assert {row.operation_id for row in orders.parents} == {"OP-live", "OP-zombie"}
    assert [row.client_order_id for row in orders.children] == ["C1", "C2", "C3"]
    assert [trade.trade_id for trade in orders.trades] == ["T1"]
    done = await recovery.load_orders(connection, ["OP-done", "OP-unknown"])
    assert done.parents == [parents[2]]
    assert done.children == [children[3]]
    assert [trade.trade_id for trade in done.trades] == ["T2"]
    by_child = await recovery.load_by_client_order_ids(connection, ["C4", "nobody"])
    assert by_child == done
    assert await recovery.load_orders(connection, []) == recovery.Orders(
        parents=[], children=[], trades=[]
    )


async def test_booked_trades_are_known_whatever_their_order(connection: Connection):
    desk = await a_desk(connection)
    fills = (a_fill("T1", "OP-1", "C1"), a_fill("T2", None, None))
    await desk.write(desk.chain.entry(fills=fills))
    asked = ["T1", "T2", "T3"]
    assert await recovery.known_trades(connection, ACCOUNT, BTC, asked) == {"T1", "T2"}
    assert await recovery.known_trades(connection, "other", BTC, asked) == frozenset()
    assert await recovery.known_trades(connection, ACCOUNT, "other", asked) == frozenset()


async def test_two_desks_in_one_database_do_not_see_each_other(connection: Connection):
    ours, theirs = await a_desk(connection), await a_desk(connection, "desk-2")
    await ours.write(
        ours.chain.entry(
            parents=(a_parent("OP-ours"),),
            positions=(a_position(),),
            holdings=(a_holding(),),
            singletons=(a_singleton(doc='"ours"'),),
        )
    )
    await theirs.write(
        theirs.chain.entry(
            parents=(a_parent("OP-theirs"),), singletons=(a_singleton(doc='"theirs"'),)
        )
    )
    live = await recovery.load_live(connection, DESK)
    other = await recovery.load_live(connection, "desk-2")
    assert [row.operation_id for row in live.orders.parents] == ["OP-ours"]
    assert [row.operation_id for row in other.orders.parents] == ["OP-theirs"]
    assert [row.doc for row in live.singletons] == ['"ours"']
    assert [row.doc for row in other.singletons] == ['"theirs"']
    assert (len(live.positions), len(other.positions)) == (1, 0)
    assert (live.seq, other.seq) == (1, 1)


async def test_the_timeline_of_one_order_is_found_page_by_page(connection: Connection):
    desk = await a_desk(connection)
    both = ("OP-1", "OP-2")
    entries = [
        desk.chain.entry(body=str(number), refs=refs)
        for number, refs in enumerate([("OP-1",), ("OP-2",), both, (), ("OP-1", "OP-1")])
    ]
    await desk.write(*entries)
    whole = await journal.journal_of(connection, DESK, "OP-1")
    assert [row.body for row in whole] == ["0", "2", "4"]
    page = await journal.journal_of(connection, DESK, "OP-1", after_seq=1, limit=1)
    assert page == [whole[1]]
    assert await journal.journal_of(connection, "desk-2", "OP-1") == []
    streamed = [row.seq async for row in journal.stream(connection, DESK, after_seq=2)]
    assert streamed == [3, 4, 5]


async def test_the_parts_of_one_order(connection: Connection):
    desk = await a_desk(connection)
    await desk.write(desk.chain.order("OP-1"), desk.chain.order("OP-2"))
    assert await reader.parent_of(connection, "OP-3") is None
    assert [row.client_order_id for row in await reader.children_of(connection, "OP-2")] == ["QD2"]
    assert [row.trade_id for row in await reader.fills_of(connection, "OP-2")] == ["T2"]
    listed = await reader.list_fills(connection, DESK, account=ACCOUNT, limit=1)
    assert [row.trade_id for row in listed] == ["T1"]
    assert await reader.list_fills(connection, DESK, account=ACCOUNT, after_ns=1_001) == []
    assert await reader.list_fills(connection, "desk-2", account=ACCOUNT) == []


STATES = ("working", "finished")
STRATEGIES = ("momentum", "carry")
INSTRUMENTS = (BTC, "BINANCE-SPOT:SPOT_PAIR:ETH-USDT")


def some_parents() -> list[ParentRow]:
    """Sixty orders over all combinations, several of them in the same nanosecond."""
    return [
        a_parent(
            f"OP-{number:02d}",
            state=STATES[number % 2],
            live=number % 2 == 0,
            strategy_id=STRATEGIES[number // 2 % 2],
            instrument=INSTRUMENTS[number // 4 % 2],
            created_ns=1_000 + number // 7,
            quantity=Decimal(number + 1),
        )
        for number in range(60)
    ]


@pytest.fixture
async def listed(connection: Connection) -> Connection:
    desk = await a_desk(connection)
    await desk.write(desk.chain.entry(parents=tuple(some_parents())))
    return connection


def optional(values: tuple[object, ...]) -> st.SearchStrategy[object]:
    return st.sampled_from((None, *values))


FILTERS = st.fixed_dictionaries(
    {
        "live": optional((True, False)),
        "state": optional((*STATES, "' OR true --")),
        "strategy_id": optional(STRATEGIES),
        "instrument": optional(INSTRUMENTS),
        "limit": st.integers(1, 70),
    }
)


def matching(filters: dict) -> list[ParentRow]:
    wanted = {key: value for key, value in filters.items() if key != "limit" and value is not None}
    found = [
        row
        for row in some_parents()
        if all(getattr(row, key) == value for key, value in wanted.items())
    ]
    return sorted(found, key=lambda row: (row.created_ns, row.operation_id), reverse=True)


async def test_pages_together_are_the_whole_list_for_any_filter(listed: Connection):
    cases: list[dict] = []

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    @given(FILTERS)
    def draw(filters: dict) -> None:
        cases.append(filters)

    draw()
    for filters in cases:
        expected, found = matching(filters), []
        page = await reader.list_parents(listed, DESK, **filters)
        while page:
            assert len(page) <= filters["limit"]
            found += page
            page = await reader.list_parents(
                listed,
                DESK,
                before_ns=page[-1].created_ns,
                before_id=page[-1].operation_id,
                **filters,
            )
        assert found == expected


async def test_a_time_alone_is_a_mark_too(listed: Connection):
    page = await reader.list_parents(listed, DESK, before_ns=1_003)
    assert page == [row for row in matching({}) if row.created_ns < 1_003]
    assert await reader.list_parents(listed, "desk-2") == []
    assert len(await reader.list_parents(listed, DESK, limit=0)) == 1


async def test_old_views_go_and_young_ones_stay(connection: Connection):
    desk = await a_desk(connection)
    views = tuple(
        ViewRow(hash=number.to_bytes(32), body="{}", stored_ns=number) for number in range(1, 8)
    )
    await desk.write(replace(desk.chain.entry(), views=views))
    assert await retention.purge_views(connection, before_ns=6, limit=3) == 3
    assert await retention.purge_views(connection, before_ns=6, limit=3) == 2
    assert await retention.purge_views(connection, before_ns=6, limit=3) == 0
    kept = await recovery.load_views(connection, [view.hash for view in views])
    assert sorted(view.stored_ns for view in kept.values()) == [6, 7]
