"""The session's rules: a table of cases, and a machine that looks for two sends or a lie."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.gateways.commands import DESK, EPOCH, cancel, modify, query, snapshot, submit

from quarterdeck.core.model.facts import (
    OrderAccepted,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
)
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways import session as gs
from quarterdeck.gateways.contract import Accepted, NotSent, Rejected, SubmitOutcome, Unknown
from quarterdeck.gateways.session import (
    CancelNow,
    Emit,
    GatewaySession,
    ModifyNow,
    Note,
    QueryNow,
    SnapshotNow,
    SubmitNow,
)
from quarterdeck.gateways.wire import Command

SENT, REFUSED = "SENT", "REFUSED"


def a_session(*, connected: bool = True) -> GatewaySession:
    session = GatewaySession("acc", "NULL", EPOCH)
    session.hello(DESK)
    session.venue_connected = connected
    return session


def prepared(*, connected: bool = True) -> GatewaySession:
    """Return a session that let SENT out and refused REFUSED."""
    session = a_session()
    session.command(submit(SENT), 50)
    session.command(submit(REFUSED, by_ns=10), 50)
    session.venue_connected = connected
    return session


def shown(action: gs.Action) -> str:
    match action:
        case Emit(fact=OrderNotSent(why=why)):
            return f"not sent: {why}"
        case Note(code=code):
            return f"note: {code}"
        case _:
            return type(action).__name__


CASES: list[tuple[str, Command, dict[str, Any], str]] = [
    ("a fresh order", submit("A"), {}, "SubmitNow"),
    ("at its deadline", submit("A", by_ns=50), {}, "SubmitNow"),
    ("after it", submit("A", by_ns=49), {}, f"not sent: {Reason.SEND_DEADLINE_PASSED}"),
    ("an older desk", submit("A", desk=4), {}, f"not sent: {Reason.STALE_DESK}"),
    ("a newer desk", submit("A", desk=6), {}, "SubmitNow"),
    (
        "another run",
        submit("A", gateway=EPOCH - 1),
        {},
        f"not sent: {Reason.OTHER_GATEWAY_INCARNATION}",
    ),
    (
        "without a venue",
        submit("A"),
        {"connected": False},
        f"not sent: {Reason.VENUE_DISCONNECTED}",
    ),
    ("a repeat of one sent", submit(SENT), {}, f"note: {gs.REPEATED}"),
    ("the same, too late", submit(SENT, by_ns=1), {}, f"note: {gs.REPEATED}"),
    ("the same, older desk", submit(SENT, desk=4), {}, f"note: {gs.REPEATED}"),
    ("the same, other run", submit(SENT, gateway=1), {}, f"note: {gs.REPEATED}"),
    ("the same, no venue", submit(SENT), {"connected": False}, f"note: {gs.REPEATED}"),
    ("a repeat of one refused", submit(REFUSED), {}, f"not sent: {Reason.SEND_DEADLINE_PASSED}"),
    ("a query of one sent", query(SENT), {}, "QueryNow"),
    ("the same, no venue", query(SENT), {"connected": False}, f"note: {gs.NO_VENUE}"),
    ("a query of one refused", query(REFUSED), {}, f"not sent: {Reason.SEND_DEADLINE_PASSED}"),
    ("a query of one never heard of", query("A"), {}, f"not sent: {Reason.NEVER_RECEIVED}"),
    (
        "the same, no venue",
        query("A"),
        {"connected": False},
        f"not sent: {Reason.NEVER_RECEIVED}",
    ),
    ("a query meant for another run", query("A", gateway=1), {}, "QueryNow"),
    ("a query of an older desk", query("A", desk=4), {}, f"note: {gs.STALE}"),
    ("a cancel", cancel("A"), {}, "CancelNow"),
    ("a cancel of an older desk", cancel("A", desk=4), {}, f"note: {gs.STALE}"),
    ("a cancel without a venue", cancel("A"), {"connected": False}, f"note: {gs.NO_VENUE}"),
    ("a modify", modify(SENT), {}, "ModifyNow"),
    ("a modify too late", modify(SENT, by_ns=1), {}, f"note: {gs.TOO_LATE}"),
    ("a modify for another run", modify(SENT, gateway=1), {}, f"note: {gs.OTHER_RUN}"),
    ("a modify of an older desk", modify(SENT, desk=4), {}, f"note: {gs.STALE}"),
    ("a snapshot", snapshot(), {}, "SnapshotNow"),
    ("a snapshot for an older desk", snapshot(desk=4), {}, f"note: {gs.STALE}"),
    ("a snapshot without a venue", snapshot(), {"connected": False}, f"note: {gs.NO_VENUE}"),
]


@pytest.mark.parametrize(("name", "command", "state", "expected"), CASES, ids=lambda v: str(v)[:30])
def test_each_command_has_one_answer(
    name: str, command: Command, state: dict[str, Any], expected: str
):
    assert [shown(action) for action in prepared(**state).command(command, 50)] == [expected]


@pytest.mark.parametrize(
    "first",
    [
        submit("A", by_ns=10),
        submit("A", desk=4),
        submit("A", gateway=1),
        query("A"),
    ],
)
def test_what_was_said_not_to_be_sent_never_is(first: Command):
    session = a_session()
    (said,) = session.command(first, 50)
    again = session.command(submit("A", desk=DESK + 1), 50)
    assert [shown(action) for action in again] == [shown(said)]
    assert shown(session.command(query("A", desk=DESK + 1), 50)[0]) == shown(said)


def test_a_command_of_a_newer_desk_deposes_the_older():
    session = a_session()
    session.command(snapshot(desk=9), 50)
    assert session.hello(DESK) is False
    assert session.hello(9) is True
    assert shown(session.command(submit("A"), 50)[0]) == f"not sent: {Reason.STALE_DESK}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: s.hello(DESK + 1), Reason.STALE_DESK),
        (lambda s: setattr(s, "venue_connected", False), Reason.VENUE_DISCONNECTED),
        (lambda s: None, None),
    ],
)
def test_an_order_that_waited_is_judged_again(change: Any, why: Reason | None):
    session = a_session()
    (action,) = session.command(submit("A"), 50)
    assert isinstance(action, SubmitNow)
    change(session)
    assert session.recheck(action, 60) is why
    assert session.recheck(action, 101) in {why, Reason.SEND_DEADLINE_PASSED}


@pytest.mark.parametrize(
    ("outcome", "fact"),
    [
        (Accepted(venue_order_id="V", at_ns=7), OrderAccepted),
        (Rejected(code="C", text="t", at_ns=7), OrderRejected),
        (Unknown(why=Reason.NO_ANSWER, detail="d"), OrderUnknown),
        (NotSent(why=Reason.VENUE_DISCONNECTED), OrderNotSent),
    ],
)
def test_each_outcome_is_one_fact(outcome: SubmitOutcome, fact: type):
    session = a_session()
    session.command(submit("A"), 50)
    (emitted,) = session.submitted("A", outcome, 60)
    assert type(emitted.fact) is fact
    assert emitted.fact.client_order_id == "A"


NAMES = st.sampled_from(["A", "B", "C"])
EPOCHS = st.integers(EPOCH - 1, EPOCH + 1)
DESKS = st.integers(1, 4)
TIMES = st.integers(0, 20)


class SessionMachine(RuleBasedStateMachine):
    """Desks, clocks and a venue that do what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.session = GatewaySession("acc", "NULL", EPOCH)
        self.now_ns = 0
        self.waiting: dict[str, SubmitNow] = {}
        self.let_out: set[str] = set()
        self.at_venue: set[str] = set()
        self.said_not_sent: set[str] = set()
        self.highest = 0

    @rule(step=st.integers(0, 6))
    def time_passes(self, step: int) -> None:
        self.now_ns += step

    @rule(connected=st.booleans())
    def venue_comes_and_goes(self, connected: bool) -> None:
        self.session.venue_connected = connected

    @rule(desk=DESKS)
    def a_desk_says_hello(self, desk: int) -> None:
        self.highest = max(self.highest, desk)
        assert self.session.hello(desk) is (desk == self.highest)

    @rule(name=NAMES, desk=DESKS, gateway=EPOCHS, by_ns=TIMES)
    def submit(self, name: str, desk: int, gateway: int, by_ns: int) -> None:
        self.take(submit(name, desk=desk, gateway=gateway, by_ns=by_ns))

    @rule(name=NAMES, desk=DESKS, gateway=EPOCHS)
    def query(self, name: str, desk: int, gateway: int) -> None:
        self.take(query(name, desk=desk, gateway=gateway))

    @rule(name=NAMES, desk=DESKS)
    def cancel(self, name: str, desk: int) -> None:
        self.take(cancel(name, desk=desk))

    def take(self, command: Command) -> None:
        self.highest = max(self.highest, command.desk_epoch)
        for action in self.session.command(command, self.now_ns):
            self.check(action, command)

    def check(self, action: gs.Action, command: Command) -> None:
        leads = command.desk_epoch == self.highest
        match action:
            case SubmitNow(order=order):
                assert leads
                assert self.session.venue_connected
                assert self.now_ns <= order.send_by_ns
                assert order.client_order_id not in self.let_out | self.said_not_sent
                self.let_out.add(order.client_order_id)
                self.waiting[order.client_order_id] = action
            case Emit(fact=fact):
                assert isinstance(fact, OrderNotSent)
                assert fact.client_order_id not in self.let_out
                self.said_not_sent.add(fact.client_order_id)
            case CancelNow() | QueryNow() | SnapshotNow() | ModifyNow():
                assert leads
            case Note():
                pass

    @rule(name=NAMES, certain=st.booleans())
    def the_sender_gets_to_it(self, name: str, certain: bool) -> None:
        action = self.waiting.pop(name, None)
        if action is None:
            return
        why = self.session.recheck(action, self.now_ns)
        if action.desk_epoch < self.highest or not self.session.venue_connected:
            assert why is not None
        outcome: SubmitOutcome
        if why is not None:
            outcome = NotSent(why=why)
        else:
            self.at_venue.add(name)
            outcome = (
                Accepted(venue_order_id="V", at_ns=self.now_ns)
                if certain
                else Unknown(why=Reason.NO_ANSWER, detail="")
            )
        (emitted,) = self.session.submitted(name, outcome, self.now_ns)
        if isinstance(emitted.fact, OrderNotSent):
            # The one way out of "let out": the sender knows that nothing left.
            self.let_out.discard(name)
            self.said_not_sent.add(name)

    @invariant()
    def nothing_at_the_venue_was_called_not_sent(self) -> None:
        assert not self.at_venue & self.said_not_sent


TestSessionMachine = SessionMachine.TestCase
