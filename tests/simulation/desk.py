"""One desk process of the simulation: the real engine and link over the simulated disk and wires.

It lives as the real one does: take the lease, rebuild memory from the disk, shut the gates, lead
under the new epoch. When its journal fails it freezes, lets only cancels out, and begins again;
when it finds itself fenced it ends. It can die at named points of its code, within a step.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from tests.simulation.disk import Disk, DiskJournal
from tests.simulation.gateway import SimGateway
from tests.simulation.plan import Plan, VenuePlan
from tests.simulation.venue import describe
from tests.simulation.world import MS, Channel, Crashed, Process, World

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.model import intents as todo
from quarterdeck.core.model.commands import CancelOrder, Command, ImportEmergency
from quarterdeck.core.model.facts import Fact
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.engine import Engine
from quarterdeck.gateways import wire
from quarterdeck.gateways.client import to_wire
from quarterdeck.gateways.link import LinkState
from quarterdeck.ports import GatewayCommand, JournalEntry

SILENCE_NS: Final = 1_500 * MS
TICK_NS: Final = 250 * MS
LATE_COMMAND_NS: Final = (200 * MS, 2_500 * MS)
LATE_FACT_NS: Final = (5 * MS, 400 * MS)
RESTART_NS: Final = (20 * MS, 800 * MS)

type Answer = Callable[[Refused | None], None]


class Clock:
    """The desk's clock."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now_ns(self) -> int:
        """See `ports.Clock`."""
        return self._world.now_ns


class Watcher:
    """Writes what the engine tells into the trace."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self.alerts: list[todo.Alert] = []

    def decided(self, given: Input, decision: Decision, took_ns: int) -> None:
        """See `engine.Watcher`."""
        kinds = " ".join(str(type(event).__struct_config__.tag) for event in decision.events)
        told = describe(given)
        refused = f" refused {decision.refused.code}" if decision.refused else ""
        self._world.note(f"{self._name} {told} -> {kinds}{refused}")

    def alert(self, alert: todo.Alert) -> None:
        """See `engine.Watcher`."""
        self.alerts.append(alert)
        self._world.note(f"{self._name} alert {alert.code}: {alert.text}")

    def durable(self, waited_ns: int) -> None:
        """See `engine.Watcher`."""


class _Line:
    """What ties a desk to one account's gateway."""

    def __init__(self, world: World, account: str, plan: VenuePlan) -> None:
        self.account = account
        self.link = LinkState(account, silence_ns=SILENCE_NS)
        self.commands = Channel(world, "command", late_ns=LATE_COMMAND_NS, rates=plan.rates)
        self.facts = Channel(world, "fact", late_ns=LATE_FACT_NS, rates=plan.rates)


class SimDesk(Process):
    """One process of the desk."""

    engine_class: type[Engine] = Engine
    journal_class: type[DiskJournal] = DiskJournal

    def __init__(
        self,
        world: World,
        plan: Plan,
        disk: Disk,
        *,
        name: str,
        gateways: Mapping[str, SimGateway],
        committed: Callable[[JournalEntry, int], None],
        stepped: Callable[["SimDesk"], None],
    ) -> None:
        super().__init__(world, name)
        self.disk = disk
        self.watcher = Watcher(world, name)
        self.epoch = 0
        self._plan = plan
        self._gateways = gateways
        self._committed = committed
        self._stepped = stepped
        self._lines = {account: _Line(world, account, plan.venues[account]) for account in gateways}
        self._views: dict[str, MarketView] = {}
        self._due_ns: int | None = None
        self.engine: Engine | None = None
        self.deliver(self._begin)
        self.deliver(self._tick)

    # What reaches the desk.

    def execute(self, command: Command, answer: Answer) -> None:
        """Obey a command; the answer comes once its effect is durable."""
        engine = self.engine
        if engine is None:
            return
        if engine.frozen is not None and isinstance(command, CancelOrder):
            if command.operation_id in engine.state.parents:
                self.disk.emergency.append((command.operation_id, self.world.now_ns))
                self.world.faults["cancel_while_frozen"] += 1
            answer(engine.cancel_from_memory(command))
            return
        self._handle(engine, command, lambda decision: self._answer(answer, decision))

    def see(self, view: MarketView) -> None:
        """Take the newest cut of a book."""
        self._views[view.instrument] = view

    def receive(self, account: str, frame: bytes) -> None:
        """Take a message of a gateway's stream."""
        message = wire.decode_stream(frame)
        assert not isinstance(message, wire.Malformed), message
        if self.world.hit("desk_dies_at_fact"):
            raise Crashed("fact")
        self._learn(self._lines[account].link.on_message(message, self.world.now_ns))

    # The engine's way out.

    def send(self, command: GatewayCommand) -> Reason | None:
        """See `ports.Gateways`."""
        is_order = isinstance(command, todo.SendChild)
        account = command.child.account if isinstance(command, todo.SendChild) else command.account
        line = self._lines[account]
        if is_order and not line.link.connected:
            return Reason.GATEWAY_DOWN
        if is_order and self.world.hit("desk_dies_before_send"):
            raise Crashed("before send")
        frame = wire.encode(to_wire(command, self.epoch))
        gateway = self._gateways[account]

        def arrive() -> None:
            decoded = wire.decode_command(frame)
            assert not isinstance(decoded, wire.Malformed), decoded
            gateway.command(decoded)

        line.commands.send(gateway, arrive)
        if is_order and self.world.hit("desk_dies_after_send"):
            raise Crashed("after send")
        return None

    # Its life.

    def _begin(self) -> None:
        self.epoch = self.disk.take_lease()
        self.world.note(f"{self.name} leads under epoch {self.epoch}")
        disk = self.disk
        state = disk.load() if self._plan.starts_from_projections else disk.fold()
        engine = self.engine_class(
            state,
            last_seq=len(disk.entries),
            journal=self.journal_class(
                self.world,
                disk,
                self,
                epoch=self.epoch,
                committed=self._committed,
                failed=self._fail,
            ),
            gateways=self,
            clock=Clock(self.world),
            watcher=self.watcher,
        )
        engine.views = self._views
        self.engine = engine
        engine.recover()
        if self.world.hit("desk_dies_in_recovery"):
            raise Crashed("recovery")
        self._import_emergency(engine)
        for line in self._lines.values():
            self._learn(line.link.restart())
        self._schedule()

    def _import_emergency(self, engine: Engine) -> None:
        """Tell the journal the cancels of the meantime; empty the file once all are durable."""
        notes = tuple(self.disk.emergency)
        waiting = set(notes)

        def imported(note: tuple[str, int], decision: Decision) -> None:
            if decision.refused is not None and decision.refused.code is Reason.FROZEN:
                return
            waiting.discard(note)
            if not waiting:
                self.disk.emergency = [kept for kept in self.disk.emergency if kept not in notes]

        for note in notes:
            operation_id, at_ns = note
            given = ImportEmergency(operation_id=operation_id, by="client", at_ns=at_ns)
            self._handle(engine, given, partial(imported, note))

    def _fail(self, why: str) -> None:
        assert self.engine is not None
        self.world.note(f"{self.name} freezes: {why}")
        self.engine.freeze(why)
        if why == "fenced":
            self.die()
        else:
            self.world.faults["frozen"] += 1
            self.after(self.world.between(*RESTART_NS), self._begin_again)

    def _begin_again(self) -> None:
        if self.disk.fenced and self.epoch != self.disk.epoch:
            self.die()  # Somebody else has the lease: there is nothing to come back to.
        else:
            self._begin()

    def _learn(self, facts: list[Fact]) -> None:
        engine = self.engine
        for fact in facts:
            if engine is None or engine.frozen is not None:
                return
            self._handle(engine, fact, None)

    def _handle(
        self, engine: Engine, given: Input, reply: Callable[[Decision], None] | None
    ) -> None:
        if engine.frozen is None:
            missing = engine.missing(given)
            if any(missing):
                engine.admit(self.disk.orders(*missing))
        engine.handle(given, reply)
        self._stepped(self)
        self._schedule()

    def _answer(self, answer: Answer, decision: Decision) -> None:
        if self.world.hit("desk_dies_before_release"):
            raise Crashed("before release")
        answer(decision.refused)

    def _tick(self) -> None:
        """Greet the gateways and judge their silence, for ever."""
        for line in self._lines.values():
            self._learn(line.link.on_tick(self.world.now_ns))
            self._greet(line)
        self._schedule()
        self.after(TICK_NS, self._tick)

    def _greet(self, line: _Line) -> None:
        hello = wire.Hello(
            protocol=wire.PROTOCOL,
            desk_id="desk",
            desk_epoch=self.epoch,
            want_welcome=line.link.wants_welcome,
        )
        gateway = self._gateways[line.account]

        def carry(message: wire.StreamMessage) -> None:
            frame = wire.encode(message)
            line.facts.send(self, lambda: self.receive(line.account, frame))

        line.commands.send(gateway, lambda: gateway.hello(carry, hello))

    def _schedule(self) -> None:
        engine = self.engine
        next_ns = engine.wakes.next_ns() if engine is not None else None
        if next_ns is None or (self._due_ns is not None and self._due_ns <= next_ns):
            return
        self._due_ns = next_ns
        self.world.at(next_ns, lambda: self.deliver(self._run_due))

    def _run_due(self) -> None:
        self._due_ns = None
        engine = self.engine
        if engine is not None and engine.frozen is None:
            engine.run_due()
            self._stepped(self)
        self._schedule()
