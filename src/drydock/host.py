"""The venue in its process: the core's state, its journal, the clock and who listens.

Everything that happens goes through `execute`, one input at a time and without awaiting, so there
is one order of events. Durable events are appended to the journal before the next input; replies
and pushes go through the outbox and leave after the sync.
"""

import asyncio
import time
from collections.abc import Callable

from drydock.config import Config
from drydock.core import events as ev
from drydock.core.apply import apply
from drydock.core.inputs import Input, Wake
from drydock.core.refusals import Refusal
from drydock.core.state import VenueState
from drydock.core.venue import run
from drydock.faults import Faults
from drydock.journal import Journal
from drydock.outbox import Outbox
from drydock.render import event_view
from drydock.streams import AccountStream, MarketView


class StartError(Exception):
    """The journal and the configuration contradict each other."""


class VenueHost:
    """The running venue."""

    def __init__(
        self, config: Config, journal: Journal, on_fatal: Callable[[OSError], None]
    ) -> None:
        self.config = config
        self.state = VenueState()
        self.faults = Faults()
        self.outbox = Outbox(journal, on_fatal)
        self.now_ns = 0
        self.incarnation = f"{time.time_ns():x}"
        self.views: dict[str, set[MarketView]] = {}
        self._journal = journal
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: int | None = None
        for entry in journal.read():
            self.now_ns = entry.now_ns
            for event in entry.events:
                apply(self.state, event)
        self._conform()
        self.streams = {
            name: AccountStream(name, self.outbox, self.faults) for name in self.state.accounts
        }
        self.views = {symbol: set() for symbol in self.state.instruments}

    def tick(self) -> int:
        """Return the venue's time: the wall clock, held still while that runs backwards."""
        self.now_ns = max(self.now_ns, time.time_ns())
        return self.now_ns

    def execute(self, what: Input) -> Refusal | None:
        """Decide and apply one input now, journal it and tell listeners."""
        now_ns = self.tick()
        durable: list[ev.DurableEvent] = []

        def observe(event: ev.Event) -> None:
            if isinstance(event, ev.PASSING_EVENTS):
                self._show(event, now_ns)
                return
            durable.append(event)
            if isinstance(event, ev.ORDER_EVENTS):
                account, kind, view = event_view(self.state, event)
                pushes.append((account, kind, view))

        pushes: list[tuple[str, str, dict[str, object]]] = []
        refusal = run(self.state, what, now_ns, observe)
        if durable:
            self._journal.append(now_ns, durable)
            self.outbox.schedule()
        for account, kind, view in pushes:
            self.streams[account].publish(kind, view)
        self._schedule_expiry()
        return refusal

    def anchor(self, feed: str) -> int:
        """Return when a feed started in wall time, starting it now if it is new."""
        known = self.state.anchors_ns.get(feed)
        if known is not None:
            return known
        now_ns = self.tick()
        self._record([ev.FeedAnchored(feed, now_ns)])
        return now_ns

    def stop(self) -> None:
        """Make everything durable and stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
        self.outbox.flush()

    def _record(self, events: list[ev.DurableEvent]) -> None:
        for event in events:
            apply(self.state, event)
        if events:
            self._journal.append(self.tick(), events)
            self._journal.sync()

    def _conform(self) -> None:
        """List, open and set what the configuration says and the journal does not know yet."""
        events: list[ev.DurableEvent] = []
        for spec in self.config.instruments:
            known = self.state.instruments.get(spec.symbol)
            if known is None:
                events.append(ev.InstrumentListed(spec))
            elif known.spec != spec:
                raise StartError(
                    f"instrument {spec.symbol}: the journal {self._journal.path} has {known.spec},"
                    f" the configuration says {spec}; change it back or use a new journal"
                )
        for account in self.config.accounts:
            opened = self.state.accounts.get(account.name)
            if opened is None:
                events.append(ev.AccountOpened(account.name, account.balances_pico()))
            if opened is None or opened.terms != account.terms():
                events.append(ev.TermsSet(account.name, account.terms()))
        self._record(events)

    def _show(self, event: ev.PassingEvent, now_ns: int) -> None:
        match event:
            case ev.BookMoved(update=update):
                for view in self.views[update.symbol]:
                    view.touch(now_ns)
            case ev.Consumed(symbol=symbol):
                for view in self.views[symbol]:
                    view.touch(now_ns)
            case ev.Printed(trade=trade):
                for view in self.views[trade.symbol]:
                    view.add_print(trade, now_ns)

    def _schedule_expiry(self) -> None:
        due_ns = self.state.next_expiry_ns()
        if due_ns == self._timer_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_ns = None, due_ns
        if due_ns is not None:
            delay_s = max(due_ns - time.time_ns(), 0) / 1e9
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._expire)

    def _expire(self) -> None:
        self._timer, self._timer_ns = None, None
        self.execute(Wake())
