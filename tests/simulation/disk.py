"""The durable memory of the simulation: what survives every crash, and the way into it.

The disk keeps committed journal entries, the projections they carry and the lease. A `DiskJournal`
is one desk life's writer to it: it commits in batches after a while, loses what was not committed
when its desk dies, fails, or commits without being able to say so, and is refused once another
desk holds the lease.
"""

from collections.abc import Callable

import msgspec
from tests.simulation.world import MS, Crashed, Process, World

from quarterdeck.core.desk.fold import apply, derive_reservations
from quarterdeck.core.desk.state import AssetKey, DeskState, PositionKey
from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.holding import Holding
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.position import Position
from quarterdeck.core.model.reasons import Reason
from quarterdeck.desk.record import ACCOUNT, INSTRUMENT, SWITCHES, Switches, decode_body
from quarterdeck.ports import Fill, JournalEntry

type Committed = Callable[[JournalEntry, int], None]


class Disk:
    """What is durable."""

    def __init__(self) -> None:
        self.epoch = 0
        """The lease: whoever took it last may write."""
        self.entries: list[JournalEntry] = []
        self.parents: dict[str, ParentOrder] = {}
        self.children: dict[str, ChildOrder] = {}
        self.created_by: dict[str, int] = {}
        """Epoch of the desk that committed each child."""
        self.fills: dict[tuple[str, str, str], Fill] = {}
        self.positions: dict[PositionKey, Position] = {}
        self.holdings: dict[AssetKey, Holding] = {}
        self.singletons: dict[str, bytes] = {}
        self.emergency: list[tuple[str, int]] = []
        """Operation ids canceled while frozen: a small file beside the database."""
        self.fenced = True
        """Whether the lease is proven with each commit; a broken variant leaves that out."""

    def take_lease(self) -> int:
        """Become the one writer."""
        self.epoch += 1
        return self.epoch

    def commit(self, entry: JournalEntry, epoch: int) -> None:
        """Make one entry durable."""
        self.entries.append(entry)
        for parent in entry.parents:
            # A start reads orders by when they were last touched, not by when they began.
            self.parents.pop(parent.id, None)
            self.parents[parent.id] = parent
        for child in entry.children:
            self.children.pop(child.client_order_id, None)
            self.children[child.client_order_id] = child
            self.created_by.setdefault(child.client_order_id, epoch)
        for fill in entry.fills:
            trade = fill.trade
            self.fills.setdefault((trade.account, trade.instrument, trade.trade_id), fill)
        self.positions.update(entry.positions)
        self.holdings.update(entry.holdings)
        self.singletons.update(entry.singletons)

    def fold(self) -> DeskState:
        """Return the state that the journal's events lead to, from empty."""
        state = DeskState()
        for entry in self.entries:
            for event in decode_body(entry.body).events:
                apply(state, event, entry.at_ns)
        return state

    def load(self) -> DeskState:
        """Return the state that a start loads: projections, and of the orders the live ones."""
        state = self.projected()
        live = {child.operation_id for child in state.children.values() if child.status.is_live}
        for parent in tuple(state.parents.values()):
            if not parent.status.is_live and parent.id not in live:
                state.evict(parent.id)
        return state

    def projected(self) -> DeskState:
        """Return the state that the projections hold, finished orders included."""
        state = DeskState()
        state.parents.update(self.parents)
        state.children.update(self.children)
        state.positions.update(self.positions)
        state.holdings.update(self.holdings)
        for name, body in self.singletons.items():
            if name.startswith(ACCOUNT):
                account = msgspec.json.decode(body, type=AccountState)
                state.accounts[account.account] = account
            elif name.startswith(INSTRUMENT):
                instrument = msgspec.json.decode(body, type=Instrument)
                state.instruments[instrument.id] = instrument
            else:
                assert name == SWITCHES
                self._set_switches(state, msgspec.json.decode(body, type=Switches))
        for (account_name, instrument_id, trade_id), fill in self.fills.items():
            if fill.operation_id is None:
                key = (account_name, instrument_id, trade_id)
                state.external_trades[key] = fill.trade.at_ns
        derive_reservations(state)
        return state

    def orders(
        self, operation_ids: tuple[str, ...], client_order_ids: tuple[str, ...]
    ) -> list[tuple[ParentOrder, tuple[ChildOrder, ...]]]:
        """Return stored orders by either name, with all their children."""
        named = {
            self.children[name].operation_id for name in client_order_ids if name in self.children
        }
        named |= {name for name in operation_ids if name in self.parents}
        return [
            (
                self.parents[name],
                tuple(c for c in self.children.values() if c.operation_id == name),
            )
            for name in sorted(named)
        ]

    @staticmethod
    def _set_switches(state: DeskState, switches: Switches) -> None:
        state.trading_state = switches.trading_state
        state.limits = switches.limits
        for key, why in switches.halted.items():
            account, _, instrument = key.partition("|")
            state.halted[account, instrument] = Reason(why)


class DiskJournal:
    """One desk life's way of making entries durable."""

    def __init__(
        self,
        world: World,
        disk: Disk,
        process: Process,
        *,
        epoch: int,
        committed: Committed,
        failed: Callable[[str], None],
    ) -> None:
        self._world = world
        self._disk = disk
        self._process = process
        self._epoch = epoch
        self._committed = committed
        self._failed = failed
        self._queue: list[tuple[JournalEntry, Callable[[], None]]] = []
        self._flushing = False
        self.stopped = False

    def append(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        """Queue an entry for the next batch."""
        if self.stopped:
            return
        if self._world.hit("desk_dies_before_commit"):
            raise Crashed("before commit")
        self._queue.append((entry, on_durable))
        if not self._flushing:
            self._flush()

    def _flush(self) -> None:
        self._flushing = True
        batch, self._queue = self._queue, []
        delay_ns = self._world.between(200_000, 4 * MS)
        if self._world.hit("commit_slow"):
            delay_ns = self._world.between(100 * MS, 900 * MS)
        # The statement is at the server: what happens to this process no longer recalls it.
        self._world.after(delay_ns, lambda: self._arrive(batch))

    def _arrive(self, batch: list[tuple[JournalEntry, Callable[[], None]]]) -> None:
        if self.stopped:
            return
        if self._process.dead and self._world.rng.random() < 0.5:
            self._world.note("a commit is lost with its connection")
            self._world.faults["commit_lost_in_crash"] += 1
            return
        if self._disk.fenced and self._epoch != self._disk.epoch:
            self._world.faults["commit_fenced"] += 1
            self._fail("fenced")
            return
        if self._world.hit("commit_failed"):
            self._fail("commit failed")
            return
        for entry, _ in batch:
            self._disk.commit(entry, self._epoch)
            self._committed(entry, self._epoch)
        if self._process.dead:
            self._world.faults["commit_outlives_crash"] += 1
            return
        if self._world.hit("commit_unknown"):
            self._fail("commit unknown")
            return
        self._process.deliver(lambda: self._confirm(batch))

    def _confirm(self, batch: list[tuple[JournalEntry, Callable[[], None]]]) -> None:
        for _, on_durable in batch:
            on_durable()
        self._flushing = False
        if self._queue and not self.stopped:
            self._flush()

    def _fail(self, why: str) -> None:
        self.stopped = True
        self._queue.clear()
        self._process.deliver(lambda: self._failed(why))
