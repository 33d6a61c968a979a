"""Broken variants of the protocol, each one mistake, as somebody might really make it.

Every variant is a set of parts for the simulation, or a patch of one function of the core while
the simulation runs. The simulation has to object to each of them within a few seeds: a check that
finds no mistake is not a check.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from msgspec import Struct
from msgspec.structs import replace
from tests.simulation.desk import SimDesk
from tests.simulation.disk import Disk
from tests.simulation.gateway import SimGateway
from tests.simulation.scenario import Parts

from drydock.core.orders import Order
from drydock.core.refusals import Refusal
from quarterdeck.core.desk import connection
from quarterdeck.core.desk import facts as core_facts
from quarterdeck.core.model import child as core_child
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import facts
from quarterdeck.core.model import intents as todo
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.desk.engine import Engine
from quarterdeck.gateways import wire
from quarterdeck.gateways.contract import Rejected
from quarterdeck.gateways.session import Action, GatewaySession, SubmitNow


class Variant(Struct, frozen=True, kw_only=True):
    """One mistake."""

    name: str
    parts: Parts = Parts()
    broken: Callable[[], AbstractContextManager[Any]] = nullcontext


class _ResendingGateway(SimGateway):
    def submit_unanswered(self, work: SubmitNow, why: Reason) -> None:
        if work.order.send_by_ns > self.now_ns or self.world.rng.random() < 0.5:
            self.send_order(work)
        else:
            super().submit_unanswered(work, why)


def resend_after_timeout() -> Variant:
    """An HTTP client with a retry layer: no answer, so the order is posted again."""
    return Variant(name="resend_after_timeout", parts=Parts(gateway=_ResendingGateway))


class _ResendingEngine(Engine):
    def recover(self) -> None:
        super().recover()
        for child in tuple(self.state.children.values()):
            if child.status is ChildStatus.IN_FLIGHT:
                self._gateways.send(todo.SendChild(child=child))


class _RecoveryResendingDesk(SimDesk):
    engine_class = _ResendingEngine

    def send(self, command: Any) -> Reason | None:
        # A child that was made for another run is aimed at the present one, so that it goes out.
        if isinstance(command, todo.SendChild):
            line = self._lines[command.child.account]
            if not line.link.connected:
                self.after(300_000_000, lambda: self._again(command))
                return None
        return super().send(command)

    def _again(self, command: todo.SendChild) -> None:
        now_ns = self.world.now_ns
        child = replace(
            command.child,
            gateway_epoch=self._gateways[command.child.account].session.gateway_epoch,
            send_by_ns=now_ns + 1_000_000_000,
        )
        super().send(todo.SendChild(child=child))


def recovery_resends() -> Variant:
    """A start that finds intents without an outcome sends them, to be sure."""
    return Variant(name="recovery_resends", parts=Parts(desk=_RecoveryResendingDesk))


class _HastyEngine(Engine):
    """Lets intents go at once; only replies wait for the disk."""

    def _record(self, given: Any, decision: Any, now_ns: int, reply: Any) -> None:
        super()._record(given, replace(decision, intents=()), now_ns, reply)
        for intent in decision.intents:
            self._run(intent)


class _HastyDesk(SimDesk):
    engine_class = _HastyEngine


def send_before_commit() -> Variant:
    """The order leaves while its row is still on the way to the disk."""
    return Variant(name="send_before_commit", parts=Parts(desk=_HastyDesk))


class _UnfencedDisk(Disk):
    def __init__(self) -> None:
        super().__init__()
        self.fenced = False


class _TrustingSession(GatewaySession):
    """Takes commands of any desk."""

    def command(self, message: wire.Command, now_ns: int) -> list[Action]:
        return super().command(replace(message, desk_epoch=self.desk_epoch), now_ns)


class _TrustingGateway(SimGateway):
    session_class = _TrustingSession


def no_fence() -> Variant:
    """A desk that was replaced goes on writing and sending when it wakes."""
    return Variant(name="no_fence", parts=Parts(disk=_UnfencedDisk, gateway=_TrustingGateway))


def no_fence_at_the_disk() -> Variant:
    """A commit does not prove that its desk still holds the lease."""
    return Variant(name="no_fence_at_the_disk", parts=Parts(disk=_UnfencedDisk))


def no_fence_at_the_gateway() -> Variant:
    """A gateway sends for whichever desk asks."""
    return Variant(name="no_fence_at_the_gateway", parts=Parts(gateway=_TrustingGateway))


@contextmanager
def _fills_counted_again() -> Iterator[None]:
    real = core_facts.traded

    def traded(draft: Any, trade: facts.Trade) -> None:
        child = draft.state.children.get(trade.client_order_id or "")
        if child is not None and trade.trade_id in child.trade_ids:
            event = ev.ChildFilled(client_order_id=child.client_order_id, trade=trade)
            draft.emit(event)
            return
        real(draft, trade)

    with patch.object(core_facts, "traded", traded):
        yield


def no_fill_dedup() -> Variant:
    """A trade that is told twice is booked twice."""
    return Variant(name="no_fill_dedup", broken=_fills_counted_again)


def absence_without_window() -> Variant:
    """Two queries prove absence, however young the request is."""

    def at_once() -> AbstractContextManager[Any]:
        return patch.object(core_facts, "_provable_ns", lambda child, can: child.created_ns)

    return Variant(name="absence_without_window", broken=at_once)


def absence_by_one_query() -> Variant:
    """One query that finds nothing is believed at once."""

    @contextmanager
    def at_once() -> Iterator[None]:
        with (
            patch.object(core_facts, "_provable_ns", lambda child, can: child.created_ns),
            patch.object(core_facts, "QUERIES_NEEDED", 1),
        ):
            yield

    return Variant(name="absence_by_one_query", broken=at_once)


class _EagerEngine(Engine):
    """Answers callers at once; only intents wait for the disk."""

    def _record(self, given: Any, decision: Any, now_ns: int, reply: Any) -> None:
        super()._record(given, decision, now_ns, None)
        if reply is not None:
            reply(decision)


class _EagerDesk(SimDesk):
    engine_class = _EagerEngine


def ack_before_commit() -> Variant:
    """The caller hears yes before the order is durable."""
    return Variant(name="ack_before_commit", parts=Parts(desk=_EagerDesk))


class _RejectingGateway(SimGateway):
    def submit_unanswered(self, work: SubmitNow, why: Reason) -> None:
        self._settle(work.order, Rejected(code=why, text="timed out", at_ns=self.now_ns))


def timeout_is_rejection() -> Variant:
    """No answer in time is reported as a definite no."""
    return Variant(name="timeout_is_rejection", parts=Parts(gateway=_RejectingGateway))


class _HopefulGateway(SimGateway):
    def canceled(self, name: str, answer: Order | Refusal | None) -> None:
        super().canceled(name, answer)

    def _cancel(self, name: str) -> None:
        super()._cancel(name)
        self.emit(
            facts.OrderClosed(
                account=self.account,
                client_order_id=name,
                venue_order_id=None,
                status=VenueStatus.CANCELED,
                filled=None,
                at_ns=self.now_ns,
            )
        )


def cancel_request_is_cancel() -> Variant:
    """A cancel that was asked for counts as done."""
    return Variant(name="cancel_request_is_cancel", parts=Parts(gateway=_HopefulGateway))


class _ForgetfulSession(GatewaySession):
    """Does not remember what it let out."""

    def command(self, message: wire.Command, now_ns: int) -> list[Action]:
        if isinstance(message, wire.Submit):
            self._fates.pop(message.order.client_order_id, None)
        return super().command(message, now_ns)


class _ForgetfulGateway(SimGateway):
    session_class = _ForgetfulSession


def gateway_sends_repeats() -> Variant:
    """A command that arrives twice is carried out twice."""
    return Variant(name="gateway_sends_repeats", parts=Parts(gateway=_ForgetfulGateway))


class _NoTombstones(GatewaySession):
    """Says that a command never came, and still obeys it when it comes late."""

    def _refuse(self, order_id: str, why: Reason, now_ns: int) -> Any:
        emitted = super()._refuse(order_id, why, now_ns)
        self._fates.pop(order_id, None)
        return emitted


class _NoTombstonesGateway(SimGateway):
    session_class = _NoTombstones


def no_tombstones() -> Variant:
    """An id reported as never received is sent when it arrives after all."""
    return Variant(name="no_tombstones", parts=Parts(gateway=_NoTombstonesGateway))


@contextmanager
def _ends_without_fills() -> Iterator[None]:
    real = core_child.apply

    def apply(child: Any, event: Any, now_ns: int) -> Any:
        if isinstance(event, ev.ChildClosed):
            event = replace(event, filled=None)
        return real(child, event, now_ns)

    with patch.object(core_child, "apply", apply):
        yield


def end_before_its_fills() -> Variant:
    """An order's end is final although the venue counts fills that have not arrived yet."""
    return Variant(name="end_before_its_fills", broken=_ends_without_fills)


def lost_report_is_waited_for() -> Variant:
    """Absence is measured only from a report that the send is over, which may have been lost."""

    def from_report(child: Any, can: Any) -> int | None:
        released_ns: int | None = child.held_until_ns
        return None if released_ns is None else released_ns + can.absence_window_ns

    return Variant(
        name="lost_report_is_waited_for",
        broken=lambda: patch.object(core_facts, "_provable_ns", from_report),
    )


def no_comparison_while_open() -> Variant:
    """Once its gate is open an account is never compared again."""
    return Variant(
        name="no_comparison_while_open",
        broken=lambda: patch.object(connection, "RECONCILE_EVERY_NS", 10**18),
    )


VARIANTS = (
    resend_after_timeout(),
    recovery_resends(),
    send_before_commit(),
    no_fence(),
    no_fence_at_the_disk(),
    no_fence_at_the_gateway(),
    no_fill_dedup(),
    absence_without_window(),
    absence_by_one_query(),
    ack_before_commit(),
    timeout_is_rejection(),
    cancel_request_is_cancel(),
    gateway_sends_repeats(),
    no_tombstones(),
    end_before_its_fills(),
    lost_report_is_waited_for(),
    no_comparison_while_open(),
)
