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

from quarterdeck.app.journal_check import check_journal
from quarterdeck.app.journal_replay import replay_database
from quarterdeck.desk.desk import Desk
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.store import session


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
    """Verify the chain, fold the journal, compare it with the tables and decide it all again.

    Returns its length.
    """
    report = await check_journal(dsn, "desk")
    assert report.chain.ok, report.chain
    assert report.tables is not None
    assert report.tables.ok, report.tables.mismatches
    result = (await replay_database(dsn, "desk", decide_again=True)).result
    assert not result.problems(), "\n".join(result.problems())
    assert (result.decided, result.other_form) == (report.chain.rows, 0)
    return report.chain.rows
