"""The live desk's engine inside a backtest: fed by a schedule and a simulated market.

It is the same engine over the same core. What is not the same stands here: orders come from a
schedule at their times and go through the same understanding as at the live door; the journal is
durable at once; an order that the engine has forgotten is brought back from the run's record, as
the live desk brings it back from the database. At one instant the engine's own wake-ups come
first, then the schedule in its order, then the sample of the equity curve.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from quarterdeck.backtest.equity import EquityCurve
from quarterdeck.backtest.record import EntrySink, RefusedLine, RunJournal, RunRecord
from quarterdeck.backtest.schedule import Scheduled
from quarterdeck.core.desk.decide import Input
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.desk.intake import understand
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.commands import Command, SetLimits, SubmitOrder
from quarterdeck.core.model.facts import Fact, VenueSnapshot
from quarterdeck.core.model.intents import Alert, RequestSnapshot
from quarterdeck.core.model.limits import InstrumentLimits
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.engine import Engine, Reply
from quarterdeck.desk.messages import read_order
from quarterdeck.ports import Clock, GatewayCommand, Gateways

BY: Final = "backtest"
"""Who the schedule's orders are from."""

ROUNDS_MAX: Final = 1_000
"""An algorithm that wants to be woken at once, for ever, is a bug and not a busy market."""

log = structlog.get_logger("quarterdeck.backtest")


class RunWatcher:
    """Counts what the engine decides and writes down what a person should see."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.decisions = 0
        self.alerts: dict[str, int] = {}
        self.agreed_ns: dict[str, int] = {}
        """By account, when the last snapshot was asked for, if there was nothing to do about it."""

    def decided(self, given: Input, decision: Decision, took_ns: int) -> None:
        """See `engine.Watcher`."""
        del took_ns
        self.decisions += 1
        if not isinstance(given, VenueSnapshot):
            return
        if decision.events or decision.intents:
            self.agreed_ns.pop(given.account, None)
        else:
            self.agreed_ns[given.account] = given.asked_ns

    def alert(self, alert: Alert) -> None:
        """See `engine.Watcher`."""
        self.alerts[alert.code] = self.alerts.get(alert.code, 0) + 1
        log.warning("alert", code=alert.code.value, text=alert.text)

    def durable(self, waited_ns: int) -> None:
        """See `engine.Watcher`."""


class WayOut:
    """The gateways, not asked for a snapshot whose answer and whose effect are known.

    A simulated venue loses nothing on the way. So while neither an account nor the desk changed
    since a snapshot about which there was nothing to do, another one would say the same again, and
    deciding about it would lead to nothing again. On most of a day most are such.
    """

    def __init__(self, gateways: Gateways, watcher: RunWatcher, record: RunRecord) -> None:
        """Stand before the gateways."""
        self._gateways = gateways
        self._agreed_ns = watcher.agreed_ns
        self._record = record
        self._heard_ns: dict[str, int] = {}

    def heard(self, fact: Fact, now_ns: int) -> None:
        """Take note that an account changed, if this is what a fact says."""
        if not isinstance(fact, VenueSnapshot):
            self._heard_ns[fact.account] = now_ns

    def send(self, command: GatewayCommand) -> Reason | None:
        """See `ports.Gateways`."""
        if isinstance(command, RequestSnapshot) and self._is_known(command.account):
            return None
        return self._gateways.send(command)

    def _is_known(self, account: str) -> bool:
        agreed_ns = self._agreed_ns.get(account)
        decided_ns = self._record.last_ns
        if agreed_ns is None or decided_ns is None:
            return False
        return max(decided_ns, self._heard_ns.get(account, 0)) < agreed_ns


class BacktestDesk:
    """A desk for one run; see `nautilus.host` for who calls it and when."""

    def __init__(
        self,
        *,
        clock: Clock,
        gateways: Gateways,
        views: Mapping[str, MarketView],
        schedule: Iterator[Scheduled],
        limits: Mapping[str, InstrumentLimits],
        record: RunRecord,
        equity: EquityCurve,
        sink: EntrySink | None = None,
        tops: Mapping[str, MarketView] | None = None,
    ) -> None:
        """Put the engine together; nothing is decided before the first call.

        Args:
            clock: the market's time.
            gateways: the way out to the simulated venues.
            views: the newest book of each instrument, read when it is looked up.
            schedule: what to ask, forward in time.
            limits: set before anything else.
            record: takes what happens.
            equity: is sampled at its times.
            sink: writes the journal's entries, where they are kept.
            tops: the views' best levels alone, for the equity curve; the views where left out.
        """
        self.watcher = RunWatcher()
        self.unreached = 0
        """Lines of the schedule that the market ended before."""
        self._clock = clock
        self._schedule = schedule
        self._next = next(schedule, None)
        self._limits = dict(limits)
        self._record = record
        self._equity = equity
        self._tops = views if tops is None else tops
        self._begun = False
        self._way_out = WayOut(gateways, self.watcher, record)
        self._engine = Engine(
            DeskState(),
            last_seq=0,
            journal=RunJournal(record, sink),
            gateways=self._way_out,
            clock=clock,
            watcher=self.watcher,
        )
        self._engine.views = views

    def on_fact(self, fact: Fact) -> None:
        """Take one fact from a simulated venue."""
        self._begin()
        self._way_out.heard(fact, self._clock.now_ns())
        self._give(fact)

    def next_due_ns(self) -> int:
        """Return the earliest time at which there is something to do."""
        due_ns = self._equity.next_ns
        wake_ns = self._engine.wakes.next_ns()
        if wake_ns is not None and wake_ns < due_ns:
            due_ns = wake_ns
        if self._next is not None and self._next.at_ns < due_ns:
            due_ns = self._next.at_ns
        return due_ns

    def run_due(self) -> None:
        """Do everything whose time has come."""
        self._begin()
        now_ns = self._clock.now_ns()
        for _ in range(ROUNDS_MAX):
            self._engine.run_due()
            while self._next is not None and self._next.at_ns <= now_ns:
                self._ask(self._next)
                self._next = next(self._schedule, None)
            self._equity.sample_due(now_ns, self._engine.state, self._tops)
            if self.next_due_ns() > now_ns:  # What was asked may itself be due at once.
                return
        raise RuntimeError(f"after {ROUNDS_MAX} rounds there is still something due at {now_ns}")

    def finish(self) -> None:
        """Take the last sample; what is open stays open, as it would at the end of a live day."""
        self._begin()
        self._equity.sample(self._clock.now_ns(), self._engine.state, self._tops)
        while self._next is not None:
            self.unreached += 1
            self._next = next(self._schedule, None)
        if self._engine.frozen is not None:
            raise RuntimeError(f"the engine froze: {self._engine.frozen}")

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._give(SetLimits(limits=self._limits, by=BY))

    def _ask(self, item: Scheduled) -> None:
        if item.message is None:
            assert item.command is not None
            self._command(item, item.command)
            return
        message = read_order(item.message)
        if isinstance(message, Refused):
            self._refuse(item, None, message)
            return
        terms = understand(message.request, self._engine.state)
        if isinstance(terms, Refused):
            self._refuse(item, message.request.operation_id, terms)
            return
        self._command(item, SubmitOrder(terms=terms, body_hash=message.body_hash, by=BY))

    def _command(self, item: Scheduled, command: Command) -> None:
        def answered(decision: Decision) -> None:
            if decision.refused is not None:
                self._refuse(item, _operation_id(command), decision.refused)

        self._give(command, answered)

    def _give(self, given: Input, reply: Reply | None = None) -> None:
        missing = self._engine.missing(given)
        if any(missing):
            self._engine.admit(self._record.orders(*missing))
        self._engine.handle(given, reply)

    def _refuse(self, item: Scheduled, operation_id: str | None, refused: Refused) -> None:
        log.info("refused", line=item.line, code=refused.code.value, text=refused.text)
        self._record.refusals.append(
            RefusedLine(
                line=item.line, at_ns=item.at_ns, operation_id=operation_id, refused=refused
            )
        )


def _operation_id(command: Command) -> str | None:
    if isinstance(command, SubmitOrder):
        return command.terms.operation_id
    name: str | None = getattr(command, "operation_id", None)
    return name
