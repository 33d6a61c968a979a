"""The desk under the event loop: its inbox, its timers, and its life across database failures.

Commands come from the API and are looked up concurrently; facts come from the gateways and are
taken strictly in stream order. When the journal fails the engine freezes, and the desk waits for
the database, takes the lease anew, rebuilds its memory from what was really committed, tells it
the cancels of the meantime, and reconciles every account: the same path as a start.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.commands import CancelOrder, Command, ImportEmergency, Kill, SubmitOrder
from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.intents import Alert
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.desk.engine import Engine, Watcher, frozen
from quarterdeck.desk.known_ids import KnownIds
from quarterdeck.desk.loader import Loader, OrderStore
from quarterdeck.ports import Clock, Gateways, Journal


class Session(Protocol):
    """One hold of the database: a lease, a journal that writes under it, and what it held."""

    epoch: int
    state: DeskState
    last_seq: int
    journal: Journal
    store: OrderStore

    async def close(self) -> None:
        """Let go of the lease and the connections."""
        ...


type OpenSession = Callable[[Callable[[str], None]], Awaitable[Session]]
"""Opens a session, however long that takes; told whom to call, once, when its journal fails."""


class Links(Gateways, Protocol):
    """The gateways, as far as the desk's own life concerns them."""

    def set_epoch(self, desk_epoch: int) -> None:
        """Lead from now on under this epoch: gateways refuse every older one."""
        ...


class Desk:
    """The one writer of orders, positions and the journal."""

    def __init__(
        self,
        *,
        open_session: OpenSession,
        links: Links,
        clock: Clock,
        watcher: Watcher,
        emergency: EmergencyFile,
    ) -> None:
        """Put the parts together; nothing happens before `start`."""
        self._open_session = open_session
        self._links = links
        self._clock = clock
        self._watcher = watcher
        self._emergency = emergency
        self._engine: Engine | None = None
        self._session: Session | None = None
        self._loader: Loader | None = None
        self._known = KnownIds()
        self._views: dict[str, MarketView] = {}
        self._facts: deque[Fact] = deque()
        self._facts_waiting = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._failed = asyncio.Event()
        self.epoch = 0

    @property
    def engine(self) -> Engine:
        """The present life of the memory: state, views, whether it is frozen."""
        assert self._engine is not None, "the desk has not started"
        return self._engine

    @property
    def backlog(self) -> int:
        """Facts that have arrived and are not taken yet."""
        return len(self._facts)

    async def start(self) -> None:
        """Take the lease, rebuild memory, recover, and begin to take facts."""
        await self._begin()
        self._spawn(self._take_facts())
        self._spawn(self._restart_after_failures())

    async def stop(self) -> None:
        """Stop taking inputs and let go of the database; live orders stay where they are."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            await self._session.close()

    async def execute(self, command: Command) -> Refused | None:
        """Obey a command; returns once its effect is durable, or why it had none."""
        engine = self.engine
        if engine.frozen is not None:
            return self._execute_frozen(engine, command)
        try:
            await self._admit(engine, command)
        except OSError as error:
            return frozen(str(error))
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        if engine.frozen is not None:
            return self._execute_frozen(engine, command)
        engine.handle(command, lambda decision: _set(answer, decision))
        if isinstance(command, SubmitOrder):
            self._known.add(command.terms.operation_id)
        self._schedule()
        return (await answer).refused

    def on_fact(self, fact: Fact) -> None:
        """Take a fact from a gateway, in stream order."""
        self._facts.append(fact)
        self._facts_waiting.set()

    def on_view(self, account: str, view: MarketView) -> None:
        """Take the newest cut of a book."""
        del account
        self._views[view.instrument] = view

    def _execute_frozen(self, engine: Engine, command: Command) -> Refused | None:
        match command:
            case CancelOrder():
                if command.operation_id in engine.state.parents:
                    self._note(command.operation_id, command.by)
                return engine.cancel_from_memory(command)
            case Kill():
                self._note(None, command.by)
                engine.kill_from_memory()
                return None
            case _:
                return frozen(engine.frozen or "")

    def _note(self, operation_id: str | None, by: str) -> None:
        try:
            self._emergency.note(operation_id, by, self._clock.now_ns())
        except OSError as error:  # A full disk must not keep a cancel from leaving.
            self._watcher.alert(Alert(code=Reason.FROZEN, text=f"emergency file: {error}"))

    async def _begin(self) -> None:
        self._failed.clear()
        session = await self._open_session(self._fail)
        self._session = session
        self.epoch = session.epoch
        self._loader = Loader(session.store)
        self._known = KnownIds()
        self._spawn(self._read_known(self._known, session.store))
        engine = Engine(
            session.state,
            last_seq=session.last_seq,
            journal=session.journal,
            gateways=self._links,
            clock=self._clock,
            watcher=self._watcher,
        )
        engine.views = self._views
        self._facts.clear()  # Older than the snapshots that are asked for now.
        self._engine = engine
        engine.recover()
        await self._import_emergencies()
        self._links.set_epoch(session.epoch)
        self._schedule()

    async def _import_emergencies(self) -> None:
        """Tell the new memory the cancels of the meantime; keep them until all are durable."""
        for note in self._emergency.notes():
            command: Command = Kill(by=note.by, why="while frozen")
            if note.operation_id is not None:
                command = ImportEmergency(
                    operation_id=note.operation_id, by=note.by, at_ns=note.at_ns
                )
            refused = await self.execute(command)
            if refused is not None and refused.code is Reason.FROZEN:
                return  # The database is lost again: the next life reads the file again.
        self._emergency.clear()

    def _fail(self, why: str) -> None:
        if self._engine is not None:
            self._engine.freeze(why)
        self._failed.set()

    async def _restart_after_failures(self) -> None:
        while True:
            await self._failed.wait()
            if self._session is not None:
                await self._session.close()
            await self._begin()

    async def _take_facts(self) -> None:
        while True:
            await self._facts_waiting.wait()
            self._facts_waiting.clear()
            while self._facts:
                engine = self.engine
                if engine.frozen is not None:
                    self._facts.clear()  # Memory is discarded; snapshots will tell it again.
                    break
                fact = self._facts.popleft()
                try:
                    await self._admit(engine, fact)
                except OSError as error:
                    self._fail(str(error))
                    break
                engine.handle(fact)
            self._schedule()

    async def _read_known(self, known: KnownIds, store: OrderStore) -> None:
        """Read the ids of the past; without them every id is looked up, which is only slower."""
        with contextlib.suppress(OSError):
            await known.read(store.operation_ids())

    async def _admit(self, engine: Engine, given: Input) -> None:
        """Bring what an input names into memory; again if it was evicted meanwhile."""
        if isinstance(given, SubmitOrder) and self._known.certainly_new(given.terms.operation_id):
            return
        missing = engine.missing(given)
        if not any(missing) or self._loader is None:
            return
        try:
            engine.admit(await self._loader.load(*missing))
        except TimeoutError as error:
            raise OSError("the database does not answer") from error

    def _schedule(self) -> None:
        next_ns = self.engine.wakes.next_ns()
        if self._timer is not None:
            self._timer.cancel()
        wait_s = 1.0
        if next_ns is not None:
            wait_s = min(max((next_ns - self._clock.now_ns()) / 1e9, 0.0), wait_s)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        engine = self.engine
        if engine.frozen is None:
            engine.run_due()
        self._schedule()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[None]) -> None:
        """Hand a bug to the loop's exception handler: a desk that takes no facts must not live."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the desk's work ended", "exception": error}
            )


def _set(answer: asyncio.Future[Decision], decision: Decision) -> None:
    if not answer.done():
        answer.set_result(decision)
