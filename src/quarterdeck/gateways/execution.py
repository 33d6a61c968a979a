"""Carries out what the session decided: through the outbox, to the driver, and back as facts.

Whatever a driver does, raising included, ends as a value here: a submit that raised or took too
long is of unknown outcome, a query that did has no answer. Only a bug of the gateway itself ends
the process.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, assert_never

import structlog
from msgspec.structs import replace

from quarterdeck.core.model.facts import (
    CancelRejected,
    Fact,
    OrderClosed,
    OrderNotFound,
    OrderReport,
    VenueSnapshot,
)
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.contract import (
    Canceled,
    CancelTaken,
    Driver,
    NotSent,
    OrderChange,
    OrderRef,
    QueryError,
    Rejected,
    SubmitOutcome,
    Unknown,
    VenueOrder,
)
from quarterdeck.gateways.outbox import Outbox
from quarterdeck.gateways.session import (
    Action,
    CancelNow,
    Emit,
    GatewaySession,
    ModifyNow,
    Note,
    QueryNow,
    SnapshotNow,
    SubmitNow,
    Work,
)
from quarterdeck.gateways.settings import GatewaySettings
from quarterdeck.telemetry.crash import reached

log = structlog.get_logger("quarterdeck.gateway")


class Execution:
    """The work of one run of a gateway.

    Args:
        emit: reports a fact to the desk.
        clock_ns: the wall clock.
        spawn: starts a task that ends with the gateway.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        session: GatewaySession,
        driver: Driver,
        *,
        emit: Callable[[Fact], None],
        clock_ns: Callable[[], int],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._session = session
        self._driver = driver
        self._emit = emit
        self._clock_ns = clock_ns
        self._spawn = spawn
        self._outbox = Outbox(settings.rate)
        self._timeout_s = settings.request_timeout_ms / 1000
        self._at_once_max = settings.requests_at_once_max
        self._running: set[asyncio.Task[None]] = set()
        self._canceling: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self, actions: Iterable[Action]) -> None:
        """Do what the session decided, now or when its turn comes."""
        now_ns = self._clock_ns()
        for action in actions:
            match action:
                case Emit(fact=fact):
                    self._emit(fact)
                case Note(code=code, text=text):
                    self.counts[code] += 1
                    log.info("command_ignored", code=code, text=text)
                case CancelNow(order=order) if self._withdraw(order, now_ns):
                    self.counts["withdrawn"] += 1
                case _:
                    self._queue(action, now_ns)
        self._pump()

    async def finish(self, grace_s: float) -> None:
        """Start nothing any more and give what runs a moment to end; the rest is cancelled."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in self._running:
            task.cancel()

    def _withdraw(self, order: OrderRef, now_ns: int) -> bool:
        waiting = self._outbox.withdraw(order.client_order_id)
        if waiting is None:
            return False
        self._settle(waiting.order, NotSent(why=Reason.CANCELED_ON_REQUEST), now_ns)
        return True

    def _queue(self, work: Work, now_ns: int) -> None:
        if self._outbox.push(work, now_ns):
            return
        self.counts["outbox_full"] += 1
        if isinstance(work, SubmitNow):
            self._settle(work.order, NotSent(why=Reason.OVERLOADED), now_ns)

    def _pump(self) -> None:
        if self._closed:
            return
        now_ns = self._clock_ns()
        while True:
            full = len(self._running) >= self._at_once_max
            work = self._outbox.pop(now_ns, cancels_only=full)
            if work is None:
                break
            self._start(work, now_ns)
        ready_ns = self._outbox.ready_ns(now_ns)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if ready_ns is not None:
            # Never at once: what is ready and was not popped waits for a running request to end.
            wait_s = max(ready_ns - now_ns, 1_000_000) / 1e9
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._pump)

    def _start(self, work: Work, now_ns: int) -> None:
        match work:
            case SubmitNow(order=order):
                why = self._session.recheck(work, now_ns)
                if why is not None:
                    self._settle(order, NotSent(why=why), now_ns)
                    return
                reached("gateway_command_taken")
                running = self._submit(order)
            case ModifyNow(change=change):
                running = self._modify(change)
            case CancelNow(order=order):
                if order.client_order_id in self._canceling:
                    return
                self._canceling.add(order.client_order_id)
                running = self._cancel(order)
            case QueryNow(order=order):
                running = self._query(order)
            case SnapshotNow(trades_from_ns=trades_from_ns):
                running = self._snapshot(trades_from_ns)
            case _:
                assert_never(work)
        task = self._spawn(running)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if len(self._outbox) > 0:
            self._pump()

    async def _submit(self, order: VenueOrder) -> None:
        outcome = await self._attempt("submit", self._driver.submit(order))
        reached("gateway_answer_taken")
        self._settle(order, outcome, self._clock_ns())

    def _settle(self, order: VenueOrder, outcome: SubmitOutcome, now_ns: int) -> None:
        self.counts[f"submit_{type(outcome).__name__.lower()}"] += 1
        for action in self._session.submitted(order.client_order_id, outcome, now_ns):
            self._emit(action.fact)

    async def _modify(self, change: OrderChange) -> None:
        outcome = await self._attempt("modify", self._driver.modify(change))
        self.counts[f"modify_{type(outcome).__name__.lower()}"] += 1
        # Whatever it was, the venue's own record says it best.
        self.take([QueryNow(order=change.order)])

    async def _cancel(self, order: OrderRef) -> None:
        outcome = await self._attempt("cancel", self._driver.cancel(order))
        self._canceling.discard(order.client_order_id)
        self.counts[f"cancel_{type(outcome).__name__.lower()}"] += 1
        match outcome:
            case Canceled():
                self._emit(
                    OrderClosed(
                        account=self._session.account,
                        client_order_id=order.client_order_id,
                        venue_order_id=outcome.venue_order_id,
                        status=outcome.status,
                        filled=outcome.filled,
                        at_ns=outcome.at_ns,
                    )
                )
            case Rejected():
                self._emit(
                    CancelRejected(
                        account=self._session.account,
                        client_order_id=order.client_order_id,
                        code=outcome.code,
                        text=outcome.text,
                        at_ns=outcome.at_ns,
                    )
                )
            case CancelTaken() | NotSent() | Unknown():
                pass  # The venue reports the end, or the desk asks again.

    async def _query(self, order: OrderRef) -> None:
        asked_ns = self._clock_ns()
        report = await self._attempt("order", self._driver.order(order))
        match report:
            case OrderReport():
                self._emit(replace(report, asked_ns=asked_ns))
            case None:
                self._emit(
                    OrderNotFound(
                        account=self._session.account,
                        client_order_id=order.client_order_id,
                        asked_ns=asked_ns,
                    )
                )
            case Unknown():
                pass  # No answer: the desk asks again.

    async def _snapshot(self, trades_from_ns: int) -> None:
        asked_ns = self._clock_ns()
        parts = await self._attempt("snapshot", self._driver.snapshot(trades_from_ns))
        if isinstance(parts, Unknown):
            return
        self._emit(
            VenueSnapshot(
                account=self._session.account,
                gateway_epoch=self._session.gateway_epoch,
                asked_ns=asked_ns,
                trades_from_ns=trades_from_ns,
                orders=tuple(replace(order, asked_ns=asked_ns) for order in parts.orders),
                trades=parts.trades,
                balances=parts.balances,
                positions=parts.positions,
            )
        )

    async def _attempt[T](self, call: str, answer: Awaitable[T]) -> T | Unknown:
        """Wait for a driver's answer; raising or taking too long is none."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError:
            detail = f"the driver's {call} did not answer in time"
        except QueryError as error:
            detail = f"{call}: {error}"
        except Exception as error:
            self.counts["driver_bugs"] += 1
            log.exception("driver_raised", call=call)
            detail = f"the driver's {call} raised {error!r}"
        self.counts[f"{call}_unanswered"] += 1
        log.warning("unanswered", call=call, detail=detail)
        return Unknown(why=Reason.NO_ANSWER, detail=detail)
