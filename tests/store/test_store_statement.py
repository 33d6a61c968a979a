"""The batch statement on a real server: all or nothing, behind the fence, in one round trip."""

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.store.entries import (
    DESK,
    Chain,
    a_child,
    a_fill,
    a_holding,
    a_parent,
    a_position,
    a_singleton,
)

from quarterdeck.store import journal, lease, reader, recovery
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.rows import Batch, Entry, merge
from quarterdeck.store.writer import FenceLost, HeadMismatchError, write_batch

pytestmark = pytest.mark.postgres

TABLES = (
    "journal", "journal_refs", "market_views", "parents", "children", "fills", "positions",
    "holdings", "singletons",
)  # fmt: skip


async def counts(connection: Connection) -> dict[str, int]:
    return {t: await connection.fetchval(f"SELECT count(*) FROM {t}") for t in TABLES}


@pytest.fixture
async def epoch(connection: Connection) -> int:
    taken = await lease.take(connection, DESK, "test", 1)
    assert isinstance(taken, int)
    return taken


async def test_every_part_is_written_and_read_back(connection: Connection, epoch: int):
    chain = Chain(epoch=epoch)
    entry = replace(
        chain.order("OP-1"),
        positions=(a_position(),),
        holdings=(a_holding(),),
        singletons=(a_singleton(),),
    )
    await write_batch(connection, DESK, epoch, merge([entry]))
    assert set((await counts(connection)).values()) == {1}
    live = await recovery.load_live(connection, DESK)
    assert (live.seq, live.head_hash) == (1, chain.head)
    assert live.orders.parents == list(entry.parents)
    assert live.orders.children == list(entry.children)
    assert live.positions == list(entry.positions)
    assert live.holdings == list(entry.holdings)
    assert live.singletons == list(entry.singletons)
    assert await reader.fills_of(connection, "OP-1") == list(entry.fills)
    views = await recovery.load_views(connection, [entry.views[0].hash, bytes(32)])
    assert list(views.values()) == list(entry.views)
    assert [row.body for row in await journal.journal_of(connection, DESK, "OP-1")] == [
        entry.journal.body
    ]


async def test_later_rows_overwrite_what_may_change(connection: Connection, epoch: int):
    chain = Chain(epoch=epoch)
    await write_batch(connection, DESK, epoch, merge([chain.order("OP-1")]))
    parent = a_parent(
        "OP-1",
        state="finished",
        live=False,
        quantity=Decimal(2),
        filled=Decimal("2.5"),
        avg_px=Decimal("1E-8"),
        updated_ns=9,
        seq=2,
        doc='{"n":2}',
    )
    child = a_child(
        "QD1",
        "OP-1",
        state="filled",
        live=False,
        filled=Decimal("1.25"),
        limit_px=Decimal("7.10"),
        venue_order_id="99",
        updated_ns=9,
        seq=2,
        doc='{"n":2}',
    )
    entry = chain.entry(parents=(parent,), children=(child,))
    await write_batch(connection, DESK, epoch, merge([entry]))
    orders = await recovery.load_by_client_order_ids(connection, ["QD1", "QD-unknown"])
    assert orders.parents == [parent]
    assert orders.children == [child]
    assert [trade.trade_id for trade in orders.trades] == ["T1"]


async def test_without_the_lease_nothing_is_written(connection: Connection, epoch: int):
    chain = Chain(epoch=epoch)
    await write_batch(connection, DESK, epoch, merge([chain.order()]))
    before = await counts(connection)
    await lease.take(connection, DESK, "somebody else", 2)
    with pytest.raises(FenceLost):
        await write_batch(connection, DESK, epoch, merge([chain.order()]))
    with pytest.raises(FenceLost):
        await write_batch(connection, "another desk", epoch, merge([chain.order()]))
    assert await counts(connection) == before


def _skip_a_seq(chain: Chain) -> Entry:
    chain.order()
    return chain.order()


def _repeat_a_seq(chain: Chain) -> Entry:
    return Chain(epoch=chain.epoch).order()


def _fork(chain: Chain) -> Entry:
    return Chain(epoch=chain.epoch, seq=chain.seq, head=bytes([7]) * 32).order()


def _genesis_again(chain: Chain) -> Entry:
    return Chain(epoch=chain.epoch, seq=chain.seq + 5).order()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_skip_a_seq, HeadMismatchError),
        (_repeat_a_seq, asyncpg.UniqueViolationError),
        (_fork, HeadMismatchError),
        (_genesis_again, HeadMismatchError),
    ],
)
async def test_a_row_that_does_not_continue_the_journal_fails(
    connection: Connection, epoch: int, spoil, error
):
    chain = Chain(epoch=epoch)
    await write_batch(connection, DESK, epoch, merge([chain.order()]))
    before = await counts(connection)
    with pytest.raises(error):
        await write_batch(connection, DESK, epoch, merge([spoil(chain)]))
    assert await counts(connection) == before


async def test_the_first_row_continues_nothing_but_the_beginning(
    connection: Connection, epoch: int
):
    forged = Chain(epoch=epoch, head=bytes([7]) * 32)
    with pytest.raises(HeadMismatchError):
        await write_batch(connection, DESK, epoch, merge([forged.order()]))
    assert set((await counts(connection)).values()) == {0}


async def test_rows_that_are_no_chain_are_not_even_sent(connection: Connection, epoch: int):
    first, second = Chain(epoch=epoch), Chain(epoch=epoch)
    gap = [first.order(), (first.order(), first.order())[1]]
    for entries in (gap, [second.order(), Chain(epoch=epoch, seq=1).order()]):
        with pytest.raises(ValueError, match="does not follow"):
            await write_batch(connection, DESK, epoch, merge(entries))
    with pytest.raises(ValueError, match="has epoch 9"):
        await write_batch(connection, DESK, epoch, merge([Chain(epoch=9).order()]))
    with pytest.raises(ValueError, match="without a journal row"):
        await write_batch(connection, DESK, epoch, Batch(journal=[], parents=[a_parent("OP-1")]))
    assert set((await counts(connection)).values()) == {0}


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"fills": (a_fill("T1", None, None),)}, asyncpg.UniqueViolationError),
        ({"children": (a_child("X", "OP-none"),)}, asyncpg.ForeignKeyViolationError),
        ({"children": (a_child("X", "OP-1"),)}, asyncpg.UniqueViolationError),
        ({"parents": (a_parent("P", quantity=Decimal(0)),)}, asyncpg.CheckViolationError),
        ({"parents": (a_parent("P", quantity=Decimal("NaN")),)}, asyncpg.CheckViolationError),
        ({"parents": (a_parent("P", side="LONG"),)}, asyncpg.CheckViolationError),
        ({"fills": (a_fill("T9", None, None, px=Decimal(0)),)}, asyncpg.CheckViolationError),
        ({"fills": (a_fill("T9", None, None, quantity=-1),)}, asyncpg.CheckViolationError),
    ],
)
async def test_one_bad_row_fails_the_whole_batch(connection: Connection, epoch: int, parts, error):
    chain = Chain(epoch=epoch)
    await write_batch(connection, DESK, epoch, merge([chain.order("OP-1")]))
    before = await counts(connection)
    with pytest.raises(error):
        await write_batch(connection, DESK, epoch, merge([chain.order(), chain.entry(**parts)]))
    assert await counts(connection) == before


async def test_the_same_view_is_stored_once(connection: Connection, epoch: int):
    chain = Chain(epoch=epoch)
    view = chain.order().views[0]
    chain = Chain(epoch=epoch)
    for _ in range(2):
        await write_batch(connection, DESK, epoch, merge([chain.entry(views=(view,))]))
    assert (await counts(connection))["market_views"] == 1


SAFE_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))
DECIMALS = st.decimals(
    min_value=Decimal("1E-20"), max_value=Decimal("1E+20"), allow_nan=False, allow_infinity=False
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=SAFE_TEXT, number=DECIMALS)
def test_text_and_decimals_come_back_as_they_went(postgres, text: str, number: Decimal):
    async def round_trip() -> None:
        connection = await connect(postgres.dsn_of("quarterdeck_template"), application="tests")
        try:
            transaction = connection.transaction()
            await transaction.start()
            epoch = await lease.take(connection, DESK, "test", 1)
            assert isinstance(epoch, int)
            entry = Chain(epoch=epoch).order(
                "OP-1", doc=text, strategy_id=text, quantity=number, avg_px=number
            )
            await write_batch(connection, DESK, epoch, merge([entry]))
            found = await reader.parent_of(connection, "OP-1")
            assert found == entry.parents[0]
            await transaction.rollback()
        finally:
            await connection.close()

    asyncio.run(round_trip())


class CountingProxy:
    """Forwards one client to the server's socket and counts the client's Sync messages.

    In the protocol a Sync ends what is sent at once and asks for the answer, so the number of
    Syncs is the number of round trips.
    """

    def __init__(self, server_socket: str) -> None:
        self._server_socket = server_socket
        self.syncs = 0

    async def serve(self, reader_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._server_socket)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._to_server(reader_, up_writer))
            tasks.create_task(self._to_client(up_reader, writer))

    async def _to_server(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await source.readexactly(4))
        sink.write(size.to_bytes(4) + await source.readexactly(size - 4))
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                kind = await source.readexactly(1)
                size = int.from_bytes(await source.readexactly(4))
                sink.write(kind + size.to_bytes(4) + await source.readexactly(size - 4))
                self.syncs += kind == b"S"
        sink.close()

    async def _to_client(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()


async def test_a_batch_is_one_round_trip_and_one_transaction(dsn: str, tmp_path: Path):
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query)["host"][0]
    proxy = CountingProxy(f"{folder}/.s.PGSQL.5432")
    server = await asyncio.start_unix_server(proxy.serve, tmp_path / ".s.PGSQL.5432")
    try:
        through = dsn.partition("?")[0] + f"?host={quote(str(tmp_path), safe='')}"
        connection = await connect(through, application="tests")
        epoch = await lease.take(connection, DESK, "test", 1)
        assert isinstance(epoch, int)
        chain = Chain(epoch=epoch)
        await write_batch(connection, DESK, epoch, merge([chain.order()]))
        before = proxy.syncs
        await write_batch(connection, DESK, epoch, merge([chain.order() for _ in range(20)]))
        assert proxy.syncs == before + 1
        transactions = await connection.fetch("SELECT DISTINCT xmin FROM journal WHERE seq > 1")
        assert len(transactions) == 1
        await connection.close()
    finally:
        server.close()
        await server.wait_closed()
