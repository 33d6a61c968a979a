"""One seed's history from beginning to rest, and what it is made of.

Clients trade at three venues while faults strike; then faults stop and whoever is left is woken.
Orders that work over time are left alone for a while, and have to go on; then clients cancel what
is still out, and everything must settle within `SETTLE_NS` of simulated time.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from tests.simulation import market, orders
from tests.simulation.auditor import Auditor
from tests.simulation.client import Client, Execute
from tests.simulation.desk import SimDesk
from tests.simulation.disk import Disk
from tests.simulation.gateway import SentLog, SimGateway
from tests.simulation.market import SITES, Listed
from tests.simulation.plan import Plan, draw
from tests.simulation.steering import Hand, cancel
from tests.simulation.venue import SimVenue
from tests.simulation.verdict import judge, unrest
from tests.simulation.world import MS, SECOND, START_NS, Process, World

from quarterdeck.core.desk.connection import RECONCILE_EVERY_NS
from quarterdeck.core.model.account import AbsenceProof, AccountState
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.commands import Resolution, ResolveChild, SetLimits, SetTradingState
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.desk import record

SETTLE_NS: Final = 90 * SECOND
OPERATOR_LOOKS_NS: Final = 20 * SECOND
"""When, after the faults, a person settles what a venue without any proof leaves open."""
REST_NS: Final = 2 * RECONCILE_EVERY_NS + 2 * SECOND
"""How long the rest must last: longer than two comparisons of an account are apart."""
WARM_UP_NS: Final = 1 * SECOND
GOES_ON_NS: Final = 6 * SECOND
"""How long, after the faults, orders that work over time are left alone."""


class Parts(Struct, frozen=True, kw_only=True):
    """The classes that a run is built of; broken variants replace one."""

    desk: type[SimDesk] = SimDesk
    gateway: type[SimGateway] = SimGateway
    disk: type[Disk] = Disk


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run that passed was like."""

    seed: int
    faults: Counter[str]
    features: Counter[str]
    orders: Counter[str]
    """Parents by the status they ended in."""
    settled_ns: int
    """How long after the faults stopped everything had come to rest."""
    entries: int


class Scenario:
    """One run."""

    def __init__(
        self, seed: int, parts: Parts, plan: Plan, trace: Callable[[str], None] | None
    ) -> None:
        self.plan = plan
        self.world = World(seed, plan.rates, trace)
        self.disk = parts.disk()
        self.venues = {
            account: SimVenue(self.world, plan.venues[account], site)
            for account, site in SITES.items()
        }
        self.listed: dict[str, Listed] = {}
        for venue in self.venues.values():
            self.listed.update(venue.listed)
            venue.show = self._show
        self.auditor = Auditor(self.world, plan, self.disk, self.venues)
        self._parts = parts
        self._sent = SentLog()
        self._sent.on_submit = self.auditor.on_submit
        self._desks: list[SimDesk] = []
        self._gateways: dict[str, SimGateway] = {}
        for account in self.venues:
            self._start_gateway(account)
        self.desk = self._start_desk()
        self.client = Client(self.world, self._answering, self.auditor.on_answer)
        self.client.ask(SetLimits(limits=market.limits(), by="operator"))

    def run(self) -> Outcome:
        """Live through the history.

        Raises:
            Violation: if anything was ever as it must not be.
        """
        world = self.world
        for number in range(self.plan.orders):
            at_ns = START_NS + WARM_UP_NS + world.between(0, self.plan.busy_ns)
            world.at(at_ns, lambda number=number: self._order(number))  # type: ignore[misc]
        self._strike()
        world.run_until(START_NS + WARM_UP_NS + self.plan.busy_ns)
        self._calm()
        settled_ns = self._settle()
        judge(self.auditor, self.plan, self.disk, self.venues, self.desk, self.client)
        return Outcome(
            seed=world.seed,
            faults=world.faults,
            features=world.features,
            orders=Counter(p.status.value for p in self.disk.parents.values()),
            settled_ns=settled_ns,
            entries=len(self.disk.entries),
        )

    # The clients' side.

    def _answering(self) -> list[tuple[Process, Execute]]:
        return [(desk, desk.execute) for desk in self._desks if not desk.dead]

    def _order(self, number: int) -> None:
        request = self.client.ask(orders.order(self.world, number, self.listed))
        Hand(self.world, self.client, request, self.listed)

    # Processes that come and go.

    def _start_gateway(self, account: str) -> None:
        self._gateways[account] = self._parts.gateway(
            self.world, self.plan.venues[account], self.venues[account], self._sent
        )

    def _start_desk(self) -> SimDesk:
        desk = self._parts.desk(
            self.world,
            self.plan,
            self.disk,
            name=f"desk{len(self._desks) + 1}",
            gateways=self._gateways,
            committed=self.auditor.on_commit,
            stepped=self.auditor.on_step,
        )
        self._desks.append(desk)
        return desk

    def _show(self, view: MarketView) -> None:
        for desk in self._desks:
            desk.deliver(lambda desk=desk: desk.see(view))  # type: ignore[misc]

    def _supervise(self) -> None:
        """Start again what died."""
        if self.desk.dead:
            self.desk = self._start_desk()
        for account, gateway in self._gateways.items():
            if gateway.dead:
                self._start_gateway(account)

    def _strike(self) -> None:
        """Draw, each quarter of a second, what happens to whole processes."""
        world = self.world
        self._supervise()
        if world.hit("desk_paused_and_replaced"):
            old = self.desk
            old.pause()
            self.desk = self._start_desk()
            world.after(world.between(200 * MS, 4 * SECOND), old.wake)
        for account in self.venues:
            self._strike_venue(account)
        if world.hit("operator_halts"):
            self._switch(TradingState.HALTED)
            world.after(world.between(100 * MS, SECOND), lambda: self._switch(TradingState.ACTIVE))
        world.after(250 * MS, self._strike)

    def _strike_venue(self, account: str) -> None:
        world, gateway = self.world, self._gateways[account]
        rates = self.plan.venues[account].rates
        if world.hit("gateway_dies", rates):
            gateway.die()
        if world.hit("gateway_paused", rates):
            gateway.pause()
            world.after(world.between(200 * MS, 4 * SECOND), gateway.wake)
        if world.hit("venue_disconnects", rates) and not gateway.dead:
            gateway.deliver(gateway.disconnect)
            gateway.after(world.between(100 * MS, 2 * SECOND), gateway.connect)
        if self._opened(account) and world.hit("external_order", rates):
            self.venues[account].trade_outside()

    def _switch(self, state: TradingState) -> None:
        self.client.ask(SetTradingState(state=state, by="operator", why="simulated"))

    def _opened(self, account: str) -> bool:
        body = self.disk.singletons.get(record.ACCOUNT + account)
        return body is not None and msgspec.json.decode(body, type=AccountState).opened

    # Coming to rest.

    def _calm(self) -> None:
        self.world.note("calm")
        self.world.calm = True
        for process in (*self._desks, *self._gateways.values()):
            if process.paused:
                process.wake()
        for desk in self._desks:
            if desk is not self.desk and not desk.dead:
                # Its connection that held the lease's lock is gone; it notices by now.
                desk.die()
        self._supervise()

    def _settle(self) -> int:
        """Let time pass until all is at rest, or object."""
        world, began_ns = self.world, self.world.now_ns
        canceled: set[str] = set()
        while world.now_ns < began_ns + SETTLE_NS:
            world.run_until(world.now_ns + SECOND)
            left_alone = world.now_ns < began_ns + GOES_ON_NS
            if world.now_ns == began_ns + GOES_ON_NS:
                self.auditor.on_calm(began_ns)
            for parent in tuple(self.disk.parents.values()):
                if left_alone and parent.terms.algorithm is not Algorithm.NORMAL:
                    continue
                if parent.status.is_live and parent.id not in canceled:
                    canceled.add(parent.id)
                    self.client.ask(cancel(parent.id))
            if world.now_ns > began_ns + OPERATOR_LOOKS_NS:
                self._resolve()
            if not unrest(self.desk, self.client, self.disk):
                settled_ns = world.now_ns - began_ns
                world.run_until(world.now_ns + REST_NS)
                return settled_ns
        left = unrest(self.desk, self.client, self.disk)
        self.auditor.require(not left, f"I12: not at rest: {'; '.join(left)}")
        return world.now_ns - began_ns

    def _resolve(self) -> None:
        """Let a person look at the venue's own page and settle what no query can."""
        for child in tuple(self.disk.children.values()):
            if self.plan.venues[child.account].absence_proof is AbsenceProof.VALIDITY_WINDOW:
                continue  # There, nothing may need a person.
            unknown = child.status is ChildStatus.UNKNOWN
            if unknown and not self.venues[child.account].orders_named(child.client_order_id):
                self.world.faults["resolved_by_hand"] += 1
                self.client.ask(
                    ResolveChild(
                        operation_id=child.operation_id,
                        child_no=child.child_no,
                        outcome=Resolution.ABSENT,
                        evidence="not on the venue's page, long after its validity",
                        by="operator",
                    )
                )


def simulate(
    seed: int, parts: Parts | None = None, trace: Callable[[str], None] | None = None
) -> Outcome:
    """Run one seed.

    Raises:
        Violation: if an invariant was broken.
    """
    return Scenario(seed, parts or Parts(), draw(seed), trace).run()
