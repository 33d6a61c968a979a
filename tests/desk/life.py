"""One life of a desk over a database, a venue and a folder that outlive it."""

from tests.desk.paper import (
    ACCOUNT,
    LIMITS,
    PaperLinks,
    PaperVenue,
    Quiet,
    WallClock,
    a_view,
    until,
)

from quarterdeck.desk.desk import Desk
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.desk.verify import compare, fold
from quarterdeck.store import journal, session
from quarterdeck.store.connection import connect
from quarterdeck.store.stored import stored_values
from quarterdeck.store.verify import verify


class Life:
    """A desk with a real database session and a wire held by the test."""

    def __init__(self, dsn: str, venue: PaperVenue, folder, name: str = "one") -> None:
        self.links = PaperLinks(venue)
        self.watcher = Quiet()
        self.fenced: list[str] = []
        settings = session.Settings(dsn=dsn, desk_id="desk", holder=name)

        async def open_session(failed):
            events = session.Events(
                failed=failed, fence_lost=self.fenced.append, waiting=lambda why: None
            )
            return await session.open_session(settings, WallClock(), events)

        self.desk = Desk(
            open_session=open_session,
            links=self.links,
            clock=WallClock(),
            watcher=self.watcher,
            emergency=EmergencyFile(folder / "emergency.jsonl"),
        )
        self.links.desk = self.desk

    async def begin(self) -> "Life":
        await self.desk.start()
        self.desk.on_view(ACCOUNT, a_view())
        assert await self.desk.execute(LIMITS) is None
        await self.settle(self.gate_is_open, "the gate opens")
        return self

    def gate_is_open(self) -> bool:
        account = self.desk.engine.state.accounts.get(ACCOUNT)
        return account is not None and account.gate_open and self.desk.engine.pending == 0

    async def settle(self, condition, why: str, within_s: float = 10.0) -> None:
        def delivered_and() -> bool:
            self.links.deliver()
            return condition()

        await until(delivered_and, why, within_s)

    def parent(self, name: str):
        return self.desk.engine.state.parents[name]


async def assert_journal_true(dsn: str) -> int:
    """Verify the chain, fold the journal and compare it with the tables; return its length."""
    connection = await connect(dsn, application="check")
    chain = await verify(connection, "desk")
    assert chain.ok, chain

    async def rows():
        async for row in journal.stream(connection, "desk"):
            yield row.at_ns, row.body

    state, count = await fold(rows())
    verdict = await compare(state, count, stored_values(connection, "desk"))
    assert verdict.ok, verdict.mismatches
    await connection.close()
    return count
